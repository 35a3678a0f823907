"""Server processes look after moves that nobody works on: one takes over, whoever began it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from clinics import Clinic
from moves import contents, mover_of, placement_of
from tenancy.mover.errors import MoveInProgressError
from tenancy.mover.keeper import MoveKeeper
from tenancy.mover.mover import MoveRequest
from tenancy.registry.move_records import MoveRecord, MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName
from workload import Workload

pytestmark = pytest.mark.usefixtures("no_move_left_open")

OPERATOR = PlatformActor()
WAIT_S_MAX = 60


@pytest.fixture
async def keeper(tenancy: Tenancy):
    keeper = MoveKeeper(
        mover_of(tenancy, worker="the keeper"), tenancy.store, tenancy.take_fence_waits
    )
    await keeper.open()
    yield keeper
    await keeper.close()


async def until(tenancy: Tenancy, record: MoveRecord, status: MoveStatus) -> MoveRecord:
    async with asyncio.timeout(WAIT_S_MAX):
        while True:
            now = await tenancy.store.moves.by_id(record.id)
            assert now is not None
            if now.status is status:
                return now
            await asyncio.sleep(0.1)


async def test_a_planned_move_is_done_kept_and_finished_by_a_server(
    tenancy: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    placement: StrategyName,
    keeper: MoveKeeper,
):
    clinic = await make_clinic(placement)
    elsewhere = next(name for name in StrategyName if name is not placement)
    before = await placement_of(tenancy, clinic.tenant_id)
    held = await contents(tenancy, before)
    mover = mover_of(tenancy)

    planned = await mover.start(
        MoveRequest(tenant_id=clinic.tenant_id, strategy=elsewhere), actor=OPERATOR
    )
    await until(tenancy, planned, MoveStatus.GRACE)
    with pytest.raises(MoveInProgressError):
        await mover.work(planned.id)
    await mover.want(planned.id, "finish", actor=OPERATOR)
    ended = await until(tenancy, planned, MoveStatus.FINISHED)

    assert set(ended.report["tables"]) == set(held)
    assert await contents(tenancy, await placement_of(tenancy, clinic.tenant_id)) == held


async def test_the_way_back_ends_by_itself_after_the_grace_period(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]], keeper: MoveKeeper
):
    clinic = await make_clinic(StrategyName.ROW)
    request = MoveRequest(tenant_id=clinic.tenant_id, strategy=StrategyName.SCHEMA, grace_s=1)
    planned = await mover_of(tenancy).start(request, actor=OPERATOR)
    await until(tenancy, planned, MoveStatus.FINISHED)


async def test_requests_that_waited_are_told_in_the_journal(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]], keeper: MoveKeeper
):
    clinic = await make_clinic(StrategyName.ROW)
    workload, stop = Workload(tenancy, clinic.tenant_id), asyncio.Event()
    await workload.prepare()
    async with asyncio.TaskGroup() as group:
        group.create_task(workload.run(stop, writers=8, pause_s=0.005))
        request = MoveRequest(tenant_id=clinic.tenant_id, strategy=StrategyName.SCHEMA)
        planned = await mover_of(tenancy).start(request, actor=OPERATOR)
        await until(tenancy, planned, MoveStatus.GRACE)
        await asyncio.sleep(2)
        stop.set()
    await workload.check()
    record = await tenancy.store.moves.by_id(planned.id)
    assert record is not None
    assert record.waited_requests >= 1
    assert 0 < record.longest_wait_ms <= max(workload.write_ms)
