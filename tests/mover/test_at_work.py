"""A clinic at work is moved: no request fails, no write is lost, on the way there and on the way back."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from clinics import Clinic
from moves import mover_of, placement_of
from tenancy.mover.mover import MoveRequest
from tenancy.registry.move_records import MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName
from workload import Workload

pytestmark = pytest.mark.usefixtures("no_move_left_open")

ROW, SCHEMA, DATABASE = StrategyName
OPERATOR = PlatformActor()


@pytest.mark.parametrize(
    "way",
    [(ROW, SCHEMA, DATABASE, ROW), (DATABASE, SCHEMA, ROW, DATABASE)],
    ids="-".join,
)
async def test_six_moves_in_a_row_without_waiting(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]], way: tuple[StrategyName, ...]
):
    clinic = await make_clinic(way[0])
    workload = Workload(tenancy, clinic.tenant_id)
    await workload.prepare()
    mover, stop, pauses = mover_of(tenancy), asyncio.Event(), []
    async with asyncio.TaskGroup() as group:
        group.create_task(workload.run(stop))
        try:
            for strategy in way[1:]:
                request = MoveRequest(tenant_id=clinic.tenant_id, strategy=strategy)
                started = await mover.start(request, actor=OPERATOR)
                moved = await mover.work(started.id, stays=False)
                assert moved.status is MoveStatus.GRACE
                pauses.append(moved.report["pause_ms"])
                await asyncio.sleep(0.3)
        finally:
            stop.set()
    await workload.check()
    assert (await placement_of(tenancy, clinic.tenant_id)).strategy is way[-1]


async def test_a_way_back_keeps_every_write_made_since(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]], placement: StrategyName
):
    clinic = await make_clinic(placement)
    elsewhere = SCHEMA if placement is not SCHEMA else DATABASE
    workload = Workload(tenancy, clinic.tenant_id)
    await workload.prepare()
    mover, stop = mover_of(tenancy), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(workload.run(stop))
        request = MoveRequest(tenant_id=clinic.tenant_id, strategy=elsewhere)
        started = await mover.start(request, actor=OPERATOR)
        working = group.create_task(mover.work(started.id))
        while (await mover.move(started.id)).status is not MoveStatus.GRACE:
            assert not working.done()
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        await mover.want(started.id, "rollback", actor=OPERATOR)
        ended = await working
        assert ended.status is MoveStatus.ROLLED_BACK
        await asyncio.sleep(0.3)
        stop.set()
    await workload.check()
    back = await placement_of(tenancy, clinic.tenant_id)
    assert (back.strategy, back.epoch) == (placement, 3)
