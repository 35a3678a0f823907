"""What the journal keeps when movers overtake each other, wishes come late, homes differ, or the registry has forgotten."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg
import pytest
from sqlalchemy import delete

from clinics import Clinic
from moves import mover_of, placement_of
from tenancy.mover.ends import HomeRows
from tenancy.mover.errors import AttemptLostError, MismatchError
from tenancy.mover.kept import MISMATCH, KeptMove
from tenancy.mover.mover import MoveRequest
from tenancy.mover.phases import Phase, Reached
from tenancy.mover.plan import MovePlan, StreamNames
from tenancy.mover.settled import SettledMove
from tenancy.registry.move_models import MoveRow
from tenancy.registry.move_records import MoveRecord, MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName

pytestmark = pytest.mark.usefixtures("no_move_left_open")

OPERATOR = PlatformActor()
ROW, SCHEMA, DATABASE = StrategyName
MakeClinic = Callable[..., Awaitable[Clinic]]
FOLLOWED_S = 2.0
FOLLOWED_MAX = 20


class DiedError(Exception):
    """The process of a mover has died, for the test."""


async def planned(tenancy: Tenancy, clinic: Clinic, strategy: StrategyName) -> MoveRecord:
    request = MoveRequest(tenant_id=clinic.tenant_id, strategy=strategy)
    return await mover_of(tenancy).start(request, actor=OPERATOR)


def raises_at(phase: Phase, error: type[Exception] = DiedError) -> Reached:
    def reached(now: Phase) -> None:
        if now is phase:
            raise error() if error is DiedError else error(("specialty",))

    return reached


async def test_who_was_overtaken_gives_up_no_move_that_his_successor_decided(
    tenancy: Tenancy, make_clinic: MakeClinic, monkeypatch: pytest.MonkeyPatch
):
    clinic = await make_clinic(ROW)
    record = await planned(tenancy, clinic, SCHEMA)
    require, asleep, wakes = HomeRows.require_attempt, asyncio.Event(), asyncio.Event()

    async def sleeps_once(self: HomeRows, plan: MovePlan, attempt: int) -> None:
        await require(self, plan, attempt)
        if not asleep.is_set():
            asleep.set()
            await wakes.wait()

    monkeypatch.setattr(HomeRows, "require_attempt", sleeps_once)
    differs = raises_at(Phase.COPIED, MismatchError)
    first = asyncio.ensure_future(mover_of(tenancy, worker="A", reached=differs).work(record.id))
    await asleep.wait()
    await tenancy.store.moves.note(record.id, worker=None)
    with pytest.raises(DiedError):
        await mover_of(tenancy, worker="B", reached=raises_at(Phase.DECIDED)).work(record.id)
    wakes.set()
    with pytest.raises(AttemptLostError):
        await first
    ended = await mover_of(tenancy, worker="C").work(record.id, stays=False)
    assert ended.status is MoveStatus.GRACE
    assert ended.grace_until is not None


async def test_an_abort_that_came_too_late_keeps_nobody_busy(
    tenancy: Tenancy, make_clinic: MakeClinic, monkeypatch: pytest.MonkeyPatch
):
    clinic = await make_clinic(ROW)
    record = await planned(tenancy, clinic, SCHEMA)
    with pytest.raises(DiedError):
        await mover_of(tenancy, reached=raises_at(Phase.DECIDED)).work(record.id)
    await tenancy.store.moves.want(record.id, "abort", actor=OPERATOR)
    steps, follow, follows = [0], KeptMove._follow, asyncio.Event()

    async def counted(self: KeptMove) -> int:
        steps[0] += 1
        follows.set()
        return await follow(self)

    monkeypatch.setattr(KeptMove, "_follow", counted)
    keeping = asyncio.ensure_future(mover_of(tenancy).work(record.id))
    await follows.wait()
    await asyncio.sleep(FOLLOWED_S)
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping
    assert steps[0] < FOLLOWED_MAX
    assert (await mover_of(tenancy).move(record.id)).wanted is None


async def test_homes_that_differ_are_both_kept_when_there_is_no_way_back(
    tenancy: Tenancy,
    make_clinic: MakeClinic,
    administrator: Callable[..., Awaitable[asyncpg.Connection]],
    monkeypatch: pytest.MonkeyPatch,
):
    clinic = await make_clinic(ROW)
    record = await planned(tenancy, clinic, SCHEMA)
    roll_forward, tampered = SettledMove.roll_forward, []

    async def tampers_once(self: SettledMove, report: dict[str, object]) -> None:
        await roll_forward(self, report)
        if tampered:
            return
        tampered.append(record.id)
        connection = await administrator("clinic_pool")
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("DELETE FROM pool.branch WHERE tenant_id = $1", clinic.tenant_id)
        await connection.execute(
            "SELECT pg_drop_replication_slot($1)", StreamNames.reverse(record.id).name
        )
        await connection.close()

    monkeypatch.setattr(SettledMove, "roll_forward", tampers_once)
    left = await mover_of(tenancy).work(record.id, stays=False)
    assert left.status is MoveStatus.GRACE
    assert "branch" in str(left.report[MISMATCH])
    assert "branch" in (left.error or "")
    assert "no way back" in (left.error or "")
    assert left.grace_until is not None
    assert left.grace_until.year > left.created_at.year + 90, "nobody removes the only good copy"
    again = await mover_of(tenancy).work(record.id, stays=False)
    assert again.status is MoveStatus.GRACE


@pytest.mark.parametrize("target", [SCHEMA, DATABASE], ids=str)
async def test_a_clinic_moves_though_the_registry_has_forgotten_its_move_before(
    tenancy: Tenancy,
    make_clinic: MakeClinic,
    administrator: Callable[..., Awaitable[asyncpg.Connection]],
    target: StrategyName,
):
    clinic = await make_clinic(ROW)
    lost = await planned(tenancy, clinic, target)
    with pytest.raises(DiedError):
        await mover_of(tenancy, reached=raises_at(Phase.COPIED)).work(lost.id)
    async with tenancy.registry_engine.begin() as connection:
        await connection.execute(delete(MoveRow).where(MoveRow.id == lost.id))
    try:
        record = await planned(tenancy, clinic, target)
        assert (await mover_of(tenancy).work(record.id, stays=False)).status is MoveStatus.GRACE
        assert (await placement_of(tenancy, clinic.tenant_id)).strategy is target
    finally:
        # What only `clinic doctor` knows of by now.
        server = await administrator()
        await server.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name LIKE $1",
            f"move_{lost.id.hex}%",
        )
        await server.close()
