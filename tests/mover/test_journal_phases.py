"""The journal's phase is where the move stands, also after whoever worked on it has stopped."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from clinics import Clinic
from moves import move, mover_of
from tenancy.mover.phases import Phase
from tenancy.mover.progress import ProgressBoard
from tenancy.registry.move_records import MoveRecord, MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName

pytestmark = pytest.mark.usefixtures("no_move_left_open")

OPERATOR = PlatformActor()
ROW, SCHEMA, _ = StrategyName
FOLLOWED_S_MAX = 30


class KeepingBoard(ProgressBoard):
    """A board that keeps every phase it was told, and knows when a change was followed."""

    def __init__(self) -> None:
        self.told: list[Phase] = []
        self.is_behind = asyncio.Event()
        super().__init__()

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "phase":
            self.told.append(value)
        if name == "lag_bytes" and value and self.changes_applied:
            self.is_behind.set()
        super().__setattr__(name, value)


def told_of(record: MoveRecord) -> tuple[str, str]:
    return record.phase, record.progress["phase"]


async def test_the_journal_tells_where_a_move_stands(
    tenancy: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "tenancy.mover")
    clinic = await make_clinic(ROW)
    moved = await move(tenancy, clinic.tenant_id, SCHEMA)
    assert told_of(moved) == ("reverse_started", "reverse_started")
    assert moved.progress["rows"] > 0

    mover, board = mover_of(tenancy), KeepingBoard()
    working = asyncio.ensure_future(mover.work(moved.id, board))
    await clinic.post("/api/v1/specialties", {"name": "After", "code": "AFTER"})
    async with asyncio.timeout(FOLLOWED_S_MAX):
        await board.is_behind.wait()
    assert board.phase is Phase.REVERSE_STARTED
    await mover.want(moved.id, "rollback", actor=OPERATOR)
    back = await working

    assert back.status is MoveStatus.ROLLED_BACK
    assert told_of(back) == ("cleaned", "cleaned")
    forward = {Phase.APPLY_BEFORE_COMMIT, Phase.APPLIED_NOT_CONFIRMED, Phase.DRAINED}
    assert not forward & set(board.told)
    decided = [text for text in caplog.messages if "decided" in text]
    assert len(decided) == len(set(decided)) == 2


async def test_a_move_without_a_way_back_ends_cleaned(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]]
) -> None:
    clinic = await make_clinic(ROW)
    moved = await move(tenancy, clinic.tenant_id, SCHEMA)
    await mover_of(tenancy).want(moved.id, "finish", actor=OPERATOR)
    ended = await mover_of(tenancy).settle(moved.id)
    assert (ended.status, told_of(ended)) == (MoveStatus.FINISHED, ("cleaned", "cleaned"))
