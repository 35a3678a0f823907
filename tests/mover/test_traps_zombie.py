"""A mover that was taken over while it slept changes nothing any more, whatever it was about to do."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from msgspec import structs

from clinics import Clinic
from domain.actor import Role
from moves import contents, move, mover_of, placement_of
from tenancy.credentials import DatabaseRole
from tenancy.mover.claims import register_source
from tenancy.mover.ends import HomeRows, Purge
from tenancy.mover.errors import AttemptLostError, MoveStateError, SlotLostError
from tenancy.mover.forward import ForwardMove
from tenancy.mover.mover import MoveRequest
from tenancy.mover.phases import Phase
from tenancy.mover.plan import MovePlan, StreamNames
from tenancy.mover.predecessors import connections_name, end_predecessors
from tenancy.mover.progress import ProgressBoard
from tenancy.mover.settled import SettledMove
from tenancy.mover.slots import Replication
from tenancy.registry.moves import MoveRecord, MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import Placement, StrategyName

pytestmark = pytest.mark.usefixtures("no_move_left_open")

ROW, SCHEMA, DATABASE = StrategyName


class AsleepError(Exception):
    """Stands for a mover that stops at this point."""


def plan_of(record: MoveRecord) -> MovePlan:
    return MovePlan(move_id=record.id, source=record.source, target=record.target)


def purge_of(tenancy: Tenancy) -> Purge:
    return Purge(tenancy.pools, tenancy.strategies, lambda _phase: None)


async def attempt_at(tenancy: Tenancy, placement: Placement) -> int:
    row = await HomeRows(tenancy.pools).settled(placement)
    assert row is not None
    return row.attempt


async def set_state(tenancy: Tenancy, placement: Placement, state: str, epoch: int) -> None:
    home = placement.home
    connection = await tenancy.pools.connect(home.server, home.database, DatabaseRole.MOVER)
    try:
        await connection.execute(
            "UPDATE tenancy.tenant_home SET state = $3, epoch = $4 WHERE tenant_id = $1 AND schema_name = $2",
            placement.tenant_id,
            home.schema,
            state,
            epoch,
        )
    finally:
        await connection.close()


@pytest.mark.parametrize("source", [ROW, SCHEMA, DATABASE], ids=str)
async def test_a_late_purge_removes_nothing_from_a_home_that_another_attempt_holds(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]], source: StrategyName
):
    clinic = await make_clinic(source)
    record = await move(tenancy, clinic.tenant_id, SCHEMA if source is not SCHEMA else ROW)
    plan, held = plan_of(record), await contents(tenancy, record.source)
    old = await attempt_at(tenancy, plan.source)
    settled = SettledMove(mover_of(tenancy)._parts, plan, ProgressBoard(), old)
    await settled.take_over(old)

    with pytest.raises(AttemptLostError):
        await purge_of(tenancy).left_home(plan.source, old)

    assert await contents(tenancy, record.source) == held


async def test_an_abort_that_was_taken_over_drops_nothing(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]]
):
    clinic = await make_clinic(ROW)

    def falls_asleep(phase: Phase) -> None:
        if phase is Phase.CAUGHT_UP:
            raise AsleepError

    mover = mover_of(tenancy, reached=falls_asleep)
    record = await mover.start(
        MoveRequest(tenant_id=clinic.tenant_id, strategy=SCHEMA), actor=PlatformActor()
    )
    with pytest.raises(AsleepError):
        await mover.work(record.id)
    plan, held = plan_of(record), await contents(tenancy, record.target)
    newer = await attempt_at(tenancy, plan.target)

    with pytest.raises(AttemptLostError):
        await purge_of(tenancy).unused_target(plan, newer - 1)
    assert await contents(tenancy, record.target) == held

    await mover.want(record.id, "abort", actor=PlatformActor())
    ended = await mover_of(tenancy).work(record.id)
    assert ended.status is MoveStatus.ABORTED
    assert await HomeRows(tenancy.pools).settled(plan.target) is None
    assert await attempt_at(tenancy, plan.source) > newer
    assert (await clinic.get("/api/v1/branches")).status_code == 200


async def test_an_abort_asks_for_the_decision_once_more(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]]
):
    clinic = await make_clinic(ROW)
    record = await move(tenancy, clinic.tenant_id, SCHEMA)
    connection = await HomeRows(tenancy.pools).connect(record.source.home)
    try:
        with pytest.raises(MoveStateError):
            await register_source(connection, plan_of(record), known=9, state="active")
    finally:
        await connection.close()


async def test_a_way_back_that_did_not_decide_is_taken_back_under_the_own_attempt(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]]
):
    clinic = await make_clinic(ROW)
    record = await move(tenancy, clinic.tenant_id, SCHEMA)
    plan = plan_of(record)
    old = await attempt_at(tenancy, plan.source)
    await set_state(tenancy, plan.source, "ready", plan.target.epoch + 1)

    await mover_of(tenancy).work(record.id, stays=False)

    row = await HomeRows(tenancy.pools).settled(plan.source)
    assert row is not None
    assert (row.state, row.epoch) == ("moved", plan.target.epoch)
    assert row.attempt > old
    # The sleeper wakes and takes back what it had made ready: too late.
    await set_state(tenancy, plan.source, "ready", plan.target.epoch + 1)
    await HomeRows(tenancy.pools).unready(plan.backwards(), old, "moved")
    row = await HomeRows(tenancy.pools).settled(plan.source)
    assert row is not None
    assert row.state == "ready"
    await set_state(tenancy, plan.source, "moved", plan.target.epoch)


async def test_a_slot_that_was_made_anew_is_not_followed(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]]
):
    clinic = await make_clinic(ROW)
    record = await move(tenancy, clinic.tenant_id, SCHEMA)
    plan = plan_of(record)
    settled = SettledMove(
        mover_of(tenancy)._parts, plan, ProgressBoard(), await attempt_at(tenancy, plan.source)
    )
    await settled.start_reverse()
    try:
        await clinic.add_user(Role.ADMIN)
        await Replication(tenancy.pools, plan.target.home).create_plain_slot(
            StreamNames.reverse(plan.move_id)
        )
        await clinic.add_user(Role.ADMIN)
        with pytest.raises(SlotLostError):
            await settled.follow()
    finally:
        await settled.close()
    assert (await placement_of(tenancy, clinic.tenant_id)).strategy is SCHEMA


async def sleeper_of(tenancy: Tenancy, record: MoveRecord) -> ForwardMove:
    """A mover that has registered its attempt and looked at the tables, and now sleeps."""
    parts = mover_of(tenancy)._parts
    named = structs.replace(parts, pools=parts.pools.named(connections_name(record.id)))
    sleeper = ForwardMove(named, plan_of(record), ProgressBoard(), known=0, check=lambda: None)
    await sleeper.register()
    sleeper.shapes = await sleeper.checked_shapes()
    return sleeper


async def streams_of(tenancy: Tenancy, record: MoveRecord) -> list[str]:
    connection = await HomeRows(tenancy.pools).connect(record.source.home)
    try:
        rows = await connection.fetch(
            "SELECT slot_name::text FROM pg_replication_slots WHERE slot_name LIKE $1"
            " UNION ALL SELECT pubname::text FROM pg_publication WHERE pubname LIKE $1",
            f"move_{record.id.hex}%",
        )
    finally:
        await connection.close()
    return [row[0] for row in rows]


async def test_a_mover_that_wakes_after_its_move_publishes_nothing_and_makes_no_slot(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]]
):
    clinic = await make_clinic(SCHEMA)
    mover = mover_of(tenancy)
    record = await mover.start(
        MoveRequest(tenant_id=clinic.tenant_id, strategy=ROW), actor=PlatformActor()
    )
    sleeper = await sleeper_of(tenancy, record)
    await mover.want(record.id, "abort", actor=PlatformActor())
    assert (await mover.work(record.id)).status is MoveStatus.ABORTED

    for late in (sleeper._publish, sleeper._copy, sleeper._take_target):
        with pytest.raises(AttemptLostError):
            await late()

    assert await streams_of(tenancy, record) == []
    assert await HomeRows(tenancy.pools).settled(plan_of(record).target) is None


async def test_a_mover_that_wakes_leaves_the_slots_of_whoever_took_over(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]]
):
    clinic = await make_clinic(ROW)
    mover = mover_of(tenancy)
    record = await mover.start(
        MoveRequest(tenant_id=clinic.tenant_id, strategy=SCHEMA), actor=PlatformActor()
    )
    sleeper = await sleeper_of(tenancy, record)
    await mover.work(record.id, stays=False)
    held = await streams_of(tenancy, record)
    assert len(held) == 2  # of the way back

    for late in (sleeper._take_target, sleeper._publish):
        with pytest.raises(AttemptLostError):
            await late()

    assert await streams_of(tenancy, record) == held


async def test_what_an_earlier_attempt_has_open_is_ended_when_the_next_is_registered(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]]
):
    clinic = await make_clinic(ROW)
    record = await mover_of(tenancy).start(
        MoveRequest(tenant_id=clinic.tenant_id, strategy=SCHEMA), actor=PlatformActor()
    )
    sleeper = await sleeper_of(tenancy, record)
    # Opened before the next attempt: what it asks of the homes now it may believe for ever.
    opened = await sleeper.rows.connect(record.source.home)
    try:
        await sleeper_of(tenancy, record)
        with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError)):
            await opened.execute("SELECT 1")
    finally:
        opened.terminate()


@pytest.mark.parametrize("role", [DatabaseRole.MOVER, DatabaseRole.MIGRATOR], ids=str)
async def test_who_takes_a_move_over_ends_what_its_predecessor_has_open(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]], role: DatabaseRole
):
    """The migrator's too: a build of an index would hold the home as long as it takes."""
    clinic = await make_clinic(ROW)
    record = await mover_of(tenancy).start(
        MoveRequest(tenant_id=clinic.tenant_id, strategy=SCHEMA), actor=PlatformActor()
    )
    named, home = tenancy.pools.named(connections_name(record.id)), record.source.home
    asleep = await named.connect(home.server, home.database, role)
    try:
        await end_predecessors(named, plan_of(record))
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
            await asleep.fetchval("SELECT 1")
    finally:
        asleep.terminate()
