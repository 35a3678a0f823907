"""A clinic at work moves to another server and back, in the same strategy and in another one."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from clinics import Clinic
from moves import contents, mover_of, placement_of
from second_server import SecondServer
from tenancy.mover.mover import MoveRequest
from tenancy.registry.move_records import MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName
from workload import Workload

pytestmark = pytest.mark.usefixtures("no_move_left_open")

OPERATOR = PlatformActor()


@pytest.mark.parametrize("target", list(StrategyName), ids=str)
async def test_a_clinic_at_work_moves_to_another_server_and_is_taken_back(
    tenancy: Tenancy,
    elsewhere: SecondServer,
    make_clinic: Callable[..., Awaitable[Clinic]],
    placement: StrategyName,
    target: StrategyName,
):
    clinic = await make_clinic(placement)
    neighbour = await make_clinic(placement)
    beside = await contents(tenancy, await placement_of(tenancy, neighbour.tenant_id))
    workload, stop, mover = Workload(tenancy, clinic.tenant_id), asyncio.Event(), mover_of(tenancy)
    await workload.prepare()
    async with asyncio.TaskGroup() as group:
        group.create_task(workload.run(stop))
        request = MoveRequest(
            tenant_id=clinic.tenant_id, strategy=target, server=elsewhere.address.name
        )
        started = await mover.start(request, actor=OPERATOR)
        await mover.work(started.id, stays=False)
        there = await placement_of(tenancy, clinic.tenant_id)
        await asyncio.sleep(0.2)
        await mover.want(started.id, "rollback", actor=OPERATOR)
        ended = await mover.work(started.id)
        await asyncio.sleep(0.2)
        stop.set()
    assert (there.home.server, there.strategy) == (elsewhere.address.name, target)
    assert ended.status is MoveStatus.ROLLED_BACK
    await workload.check()
    assert (await placement_of(tenancy, clinic.tenant_id)).home.server == "main"
    assert await contents(tenancy, await placement_of(tenancy, neighbour.tenant_id)) == beside
