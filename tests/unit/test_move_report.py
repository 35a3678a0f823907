"""Moves as people see them on a terminal."""

import re
from datetime import UTC, datetime
from uuid import UUID

import pytest
from msgspec import structs

from app.cli.move_report import print_move
from app.cli.moves import print_moves
from tenancy.registry.move_records import MoveRecord, MoveStatus
from tenancy.tenant import Home, Placement, StrategyName, TenantId

MOVE = UUID("01938000-0000-7000-8000-00000000abcd")
CLINIC = TenantId(UUID("01938000-0000-7000-8000-000000000001"))
TERMINAL = {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "100"}
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def place(strategy: StrategyName, server: str, epoch: int) -> Placement:
    home = Home(server, "clinic_pool", "a_schema_with_a_long_name")
    return Placement(tenant_id=CLINIC, strategy=strategy, home=home, epoch=epoch)


RECORD = MoveRecord(
    id=MOVE,
    tenant_id=CLINIC,
    source=place(StrategyName.ROW, "local", 1),
    target=place(StrategyName.DATABASE, "eu2", 2),
    is_offline=False,
    grace_s=60,
    status=MoveStatus.ROLLING_BACK,
    phase="rollback_decided",
    wanted=None,
    attempt=3,
    worker="a-host:1234:abcdef:012345",
    heartbeat_at=NOON,
    progress={"phase": "rollback_decided", "rows": 1200, "rows_expected": 1200, "lag_bytes": 2048},
    report={},
    waited_requests=0,
    longest_wait_ms=0.0,
    error=None,
    created_at=NOON,
    decided_at=NOON,
    grace_until=None,
    ended_at=None,
)


@pytest.mark.parametrize("server", ["eu2", "local"])
def test_a_list_of_moves_is_whole_at_100_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    for name, value in TERMINAL.items():
        monkeypatch.setenv(name, value)
    target = place(StrategyName.SCHEMA, server, 2)
    print_moves([(structs.replace(RECORD, target=target, status=MoveStatus.GRACE), "sonrisa")])
    shown = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    source = "row" if server == "local" else "row@local"
    for cell in (str(MOVE), "sonrisa", f"{source} -> schema@{server}", "grace", "rollback_decided"):
        assert cell in shown
    assert shown.split("\n")[0].split() == ["ID", "CLINIC", "MOVE", "STATUS", "PHASE"]


def test_a_move_is_shown_with_its_times_and_how_far_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_move(RECORD, "sonrisa", as_json=False)
    shown = capsys.readouterr().out
    for line in (
        r"attempt +3",
        r"created +2026-01-02 12:00:00 UTC",
        r"decided +2026-01-02 12:00:00 UTC",
        r"rows +1,200 of 1,200",
        r"lag +2\.0 kB",
    ):
        assert re.search(line, shown), line
    assert "ended" not in shown
    assert "offline" not in shown


def test_an_offline_move_is_shown_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    print_move(structs.replace(RECORD, is_offline=True, ended_at=NOON), "sonrisa", as_json=False)
    shown = capsys.readouterr().out
    assert "offline" in shown
    assert re.search(r"ended +2026-01-02", shown)
