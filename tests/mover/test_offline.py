"""A move without a stream: writes wait while rows are copied, reads go on, and there is no way back."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from clinics import Clinic
from moves import contents, mover_of, placement_of
from tenancy.mover import preflight
from tenancy.mover.errors import MoveRefusedError
from tenancy.mover.mover import MoveRequest
from tenancy.registry.move_records import MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName
from workload import Workload

pytestmark = pytest.mark.usefixtures("no_move_left_open")

OPERATOR = PlatformActor()


async def test_writes_wait_and_nothing_is_lost(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]], placement: StrategyName
):
    clinic = await make_clinic(placement)
    elsewhere = next(name for name in StrategyName if name is not placement)
    workload, stop, mover = Workload(tenancy, clinic.tenant_id), asyncio.Event(), mover_of(tenancy)
    await workload.prepare()
    left = await placement_of(tenancy, clinic.tenant_id)
    async with asyncio.TaskGroup() as group:
        group.create_task(workload.run(stop))
        request = MoveRequest(tenant_id=clinic.tenant_id, strategy=elsewhere, is_offline=True)
        started = await mover.start(request, actor=OPERATOR)
        ended = await mover.work(started.id)
        await asyncio.sleep(0.2)
        stop.set()
    assert ended.status is MoveStatus.FINISHED
    await workload.check()
    now = await placement_of(tenancy, clinic.tenant_id)
    assert now.strategy is elsewhere
    held = await contents(tenancy, now)
    assert set(ended.report["tables"]) <= set(held)
    if left.strategy is not StrategyName.DATABASE and left.strategy is not StrategyName.SCHEMA:
        assert not any(count.rows for count in (await contents(tenancy, left)).values())


async def test_a_pause_above_the_limit_is_refused_unless_forced(
    tenancy: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(preflight, "ROWS_A_SECOND", 0.01)
    clinic = await make_clinic(StrategyName.ROW)
    request = MoveRequest(tenant_id=clinic.tenant_id, strategy=StrategyName.SCHEMA, is_offline=True)
    mover = mover_of(tenancy)
    with pytest.raises(MoveRefusedError, match="writes would wait"):
        await mover.start(request, actor=OPERATOR)
    assert (await mover.look(await mover.plan(request), is_forced=True)).refusals == ()
