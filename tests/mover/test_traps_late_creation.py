"""Who slept through a move that has ended makes nothing of it anew: no slot, no home."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from clinics import Clinic
from moves import mover_of, placement_of
from tenancy.mover.ends import HomeRows, Purge
from tenancy.mover.errors import AttemptLostError, MoveError
from tenancy.mover.forward import ForwardMove
from tenancy.mover.mover import MoveRequest
from tenancy.mover.plan import MovePlan, StreamNames
from tenancy.mover.progress import ProgressBoard
from tenancy.mover.slots import Replication
from tenancy.registry.move_records import MoveRecord, MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.strategies.database import DatabaseStrategy
from tenancy.tenant import StrategyName

pytestmark = pytest.mark.usefixtures("no_move_left_open")

OPERATOR = PlatformActor()
ROW, SCHEMA, DATABASE = StrategyName


class DiedError(Exception):
    """The process of a mover has died, for the test."""


def plan_of(record: MoveRecord) -> MovePlan:
    return MovePlan(move_id=record.id, source=record.source, target=record.target)


async def planned(tenancy: Tenancy, clinic: Clinic, strategy: StrategyName) -> MoveRecord:
    request = MoveRequest(tenant_id=clinic.tenant_id, strategy=strategy)
    return await mover_of(tenancy).start(request, actor=OPERATOR)


async def aborted_by_another(tenancy: Tenancy, record: MoveRecord) -> None:
    await tenancy.store.moves.note(record.id, worker=None, wanted="abort")
    ended = await mover_of(tenancy, worker="who took over").work(record.id)
    assert ended.status is MoveStatus.ABORTED


async def slots_of(
    administrator: Callable[..., Awaitable[asyncpg.Connection]], record: MoveRecord
) -> list[str]:
    connection = await administrator()
    try:
        rows = await connection.fetch(
            "SELECT slot_name FROM pg_replication_slots WHERE slot_name LIKE $1",
            f"move_{record.id.hex}%",
        )
    finally:
        await connection.close()
    return [name for (name,) in rows]


@pytest.mark.parametrize("step", ["create_slot", "create_plain_slot"])
@pytest.mark.parametrize("sleeps", ["before", "inside"])
async def test_no_slot_is_left_by_who_was_overtaken(
    tenancy: Tenancy,
    administrator: Callable[..., Awaitable[asyncpg.Connection]],
    make_clinic: Callable[..., Awaitable[Clinic]],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    sleeps: str,
):
    clinic = await make_clinic(ROW)
    record = await planned(tenancy, clinic, SCHEMA)
    sleeper = ForwardMove(
        mover_of(tenancy)._parts, plan_of(record), ProgressBoard(), known=0, check=lambda: None
    )
    comes_before = {"create_slot": "without_indexes", "create_plain_slot": "_keep_or_drop"}
    owner, name = (ForwardMove, comes_before[step]) if sleeps == "before" else (Replication, step)
    awake = getattr(owner, name)

    async def asleep(*arguments, **options):
        monkeypatch.setattr(owner, name, awake)
        done = await awake(*arguments, **options) if sleeps == "before" else None
        await aborted_by_another(tenancy, record)
        return done if sleeps == "before" else await awake(*arguments, **options)

    monkeypatch.setattr(owner, name, asleep)
    # A slot that it held while it slept was dropped under it, and its connection with it.
    with pytest.raises((MoveError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await sleeper.run()
    assert await slots_of(administrator, record) == []


async def test_a_slot_that_was_made_after_the_last_look_is_dropped(
    tenancy: Tenancy,
    administrator: Callable[..., Awaitable[asyncpg.Connection]],
    make_clinic: Callable[..., Awaitable[Clinic]],
    monkeypatch: pytest.MonkeyPatch,
):
    """Who looked just before the attempt was taken makes it just after; then he finds out, and takes it away."""
    clinic = await make_clinic(ROW)
    record = await planned(tenancy, clinic, SCHEMA)
    sleeper = ForwardMove(
        mover_of(tenancy)._parts, plan_of(record), ProgressBoard(), known=0, check=lambda: None
    )
    create = Replication.create_plain_slot

    async def overtaken(self: Replication, names: StreamNames) -> None:
        monkeypatch.setattr(Replication, "create_plain_slot", create)
        await aborted_by_another(tenancy, record)
        await create(Replication(self._pools, self._home), names)
        assert await slots_of(administrator, record) == [names.name]

    await sleeper.register()
    monkeypatch.setattr(Replication, "create_plain_slot", overtaken)
    with pytest.raises(AttemptLostError):
        await sleeper._make_reverse_slot(sleeper._replication()[1])
    assert await slots_of(administrator, record) == []


async def test_a_late_abort_does_not_make_the_target_anew(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]]
):
    clinic = await make_clinic(SCHEMA)
    record = await planned(tenancy, clinic, ROW)
    await aborted_by_another(tenancy, record)
    rows = HomeRows(tenancy.pools)
    source = await rows.settled(record.source)
    assert source is not None
    late = Purge(tenancy.pools, tenancy.strategies, lambda _phase: None)
    with pytest.raises(AttemptLostError):
        await late.unused_target(plan_of(record), source.attempt - 1)
    assert await rows.settled(record.target) is None


async def test_a_late_mover_does_not_make_the_targets_database_anew(
    tenancy: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    monkeypatch: pytest.MonkeyPatch,
):
    clinic = await make_clinic(ROW)
    record = await planned(tenancy, clinic, DATABASE)
    sleeper = ForwardMove(
        mover_of(tenancy)._parts, plan_of(record), ProgressBoard(), known=0, check=lambda: None
    )
    awake = DatabaseStrategy.prepare

    async def asleep(*arguments):
        monkeypatch.setattr(DatabaseStrategy, "prepare", awake)
        await aborted_by_another(tenancy, record)
        await awake(*arguments)

    monkeypatch.setattr(DatabaseStrategy, "prepare", asleep)
    with pytest.raises(AttemptLostError):
        await sleeper.register()
    purge = Purge(tenancy.pools, tenancy.strategies, lambda _phase: None)
    assert not await purge.database_exists(record.target)


async def test_a_target_without_its_homes_is_removed_by_an_abort(
    tenancy: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    monkeypatch: pytest.MonkeyPatch,
):
    clinic = await make_clinic(ROW)
    before = await placement_of(tenancy, clinic.tenant_id)
    record = await planned(tenancy, clinic, DATABASE)

    async def dies_half_way(_strategy: DatabaseStrategy, home) -> None:
        await tenancy.installer.create_database(home.server, home.database)
        raise DiedError

    with monkeypatch.context() as broken:
        broken.setattr(DatabaseStrategy, "prepare", dies_half_way)
        with pytest.raises(DiedError):
            await mover_of(tenancy).work(record.id)
    purge = Purge(tenancy.pools, tenancy.strategies, lambda _phase: None)
    assert await purge.database_exists(record.target)

    await aborted_by_another(tenancy, record)

    assert not await purge.database_exists(record.target)
    assert await placement_of(tenancy, clinic.tenant_id) == before
