"""The fence asks for no more than a moment: long and busy clinics work on while it is waited for, and it falls first of all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import pytest

from clinics import Clinic
from moves import move, mover_of, placement_of
from tenancy.credentials import DatabaseRole
from tenancy.mover import cutover
from tenancy.mover.cutover import TRIES_FREE_MAX, CutOver
from tenancy.mover.mover import MoveRequest
from tenancy.mover.phases import Phase
from tenancy.registry.move_records import MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import Placement, StrategyName
from workload import Workload

pytestmark = pytest.mark.usefixtures("no_move_left_open")

ROW, SCHEMA, DATABASE = StrategyName
ENTER = "BEGIN; SELECT tenancy.enter('{tenant}', {epoch}, 'rw', NULL, NULL)"
LONG_S = 1.5
STEP_S = 0.004
IDLE_MS_MAX = 30_000


@pytest.fixture
async def clinic(make_clinic: Callable[..., Awaitable[Clinic]]) -> Clinic:
    return await make_clinic(ROW)


@asynccontextmanager
async def at_home(
    tenancy: Tenancy, placement: Placement, role: DatabaseRole = DatabaseRole.APP
) -> AsyncIterator[Any]:
    connection = await tenancy.pools.connect(placement.home.server, placement.home.database, role)
    try:
        yield connection
    finally:
        connection.terminate()


def entering(placement: Placement) -> str:
    return ENTER.format(tenant=placement.tenant_id, epoch=placement.epoch)


async def test_a_long_transaction_is_neither_ended_nor_in_the_way_of_others(
    tenancy: Tenancy, clinic: Clinic
):
    placement = await placement_of(tenancy, clinic.tenant_id)
    workload, stop = Workload(tenancy, clinic.tenant_id), asyncio.Event()
    await workload.prepare()
    waits = asyncio.Event()

    def reached(phase: Phase) -> None:
        if phase is Phase.LOCK_WAIT:
            waits.set()

    mover = mover_of(tenancy, reached=reached)
    started = await mover.start(
        MoveRequest(tenant_id=clinic.tenant_id, strategy=SCHEMA), actor=PlatformActor()
    )
    async with at_home(tenancy, placement) as long, asyncio.TaskGroup() as group:
        await long.execute(entering(placement))
        group.create_task(workload.run(stop))
        try:
            moving = group.create_task(mover.work(started.id, stays=False))
            await waits.wait()
            # The first tries do not stand in the queue.
            await asyncio.sleep(LONG_S / 2)
            before = len(workload.acknowledged)
            await asyncio.sleep(LONG_S)
            assert not moving.done()
            assert len(workload.acknowledged) > before
            await long.execute(
                f"UPDATE {placement.home.schema}.user_account SET version = version + 1; COMMIT"
            )
            ended = await moving
        finally:
            stop.set()
    await workload.check()
    assert (ended.status, ended.error) == (MoveStatus.GRACE, None)


async def hold_without_a_gap(stop: asyncio.Event, connections: list[Any], enter: str) -> None:
    """Let one of two transactions be inside at every moment, unless the gate lets nobody in."""
    inside, outside = connections
    await inside.execute(enter)
    while not stop.is_set():
        with suppress(asyncpg.PostgresError):
            await outside.execute(enter)
        await asyncio.sleep(STEP_S)
        await inside.execute("ROLLBACK")
        inside, outside = outside, inside
        if not inside.is_in_transaction():
            return
    await inside.execute("ROLLBACK")


async def test_a_clinic_that_is_never_without_a_transaction_is_moved_all_the_same(
    tenancy: Tenancy, clinic: Clinic
):
    placement, stop = await placement_of(tenancy, clinic.tenant_id), asyncio.Event()
    async with at_home(tenancy, placement) as one, at_home(tenancy, placement) as other:
        holding = asyncio.ensure_future(hold_without_a_gap(stop, [one, other], entering(placement)))
        try:
            moved = await move(tenancy, clinic.tenant_id, SCHEMA)
        finally:
            stop.set()
            await asyncio.wait({holding})
    assert moved.status is MoveStatus.GRACE
    assert moved.report["cut_overs"] > TRIES_FREE_MAX, "it was without one for a moment"


async def test_a_fence_falls_before_anything_else_is_cleaned_up(
    tenancy: Tenancy, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    placement, seen = await placement_of(tenancy, clinic.tenant_id), []

    class HurtError(Exception):
        pass

    def reached(phase: Phase) -> None:
        if phase is Phase.DRAINED:
            raise HurtError

    abandon = CutOver.abandon

    async def looked_at(cut_over: CutOver) -> None:
        async with at_home(tenancy, placement, DatabaseRole.MOVER) as watcher:
            seen.append(await watcher.fetchval(cutover.TRY_FENCE, clinic.tenant_id))
        await abandon(cut_over)

    monkeypatch.setattr(CutOver, "abandon", looked_at)
    mover = mover_of(tenancy, reached=reached)
    started = await mover.start(
        MoveRequest(tenant_id=clinic.tenant_id, strategy=SCHEMA), actor=PlatformActor()
    )
    with pytest.raises(HurtError):
        await mover.work(started.id)
    assert seen == [True]


async def test_the_decision_and_what_it_rests_on_are_flushed(
    tenancy: Tenancy,
    clinic: Clinic,
    monkeypatch: pytest.MonkeyPatch,
    administrator: Callable[..., Awaitable[asyncpg.Connection]],
):
    """A synchronous standby, where there is one, has them too. The server's own setting may be another."""
    server = await administrator()
    for name in ("DECIDE", "MAKE_READY"):
        head, _, tail = getattr(cutover, name).rpartition("RETURNING 1")
        flushed = "RETURNING CASE WHEN current_setting('synchronous_commit') = 'on' THEN 1 END"
        monkeypatch.setattr(cutover, name, f"{head}{flushed}{tail}")
    try:
        await server.execute("ALTER ROLE clinic_mover SET synchronous_commit = off")
        assert (await move(tenancy, clinic.tenant_id, SCHEMA)).status is MoveStatus.GRACE
    finally:
        await server.execute("ALTER ROLE clinic_mover RESET synchronous_commit")
        await server.close()


async def test_no_transaction_of_a_clinic_may_stay_idle_for_long(tenancy: Tenancy, clinic: Clinic):
    placement = await placement_of(tenancy, clinic.tenant_id)
    async with at_home(tenancy, placement) as session:
        for name in ("idle_in_transaction_session_timeout", "statement_timeout"):
            limit = await session.fetchval(
                "SELECT setting::integer FROM pg_settings WHERE name = $1", name
            )
            assert 0 < limit <= IDLE_MS_MAX, name
