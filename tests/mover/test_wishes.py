"""What somebody asks for at the wrong moment harms nothing."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from clinics import Clinic
from moves import move, mover_of, placement_of
from tenancy.mover.errors import MoveError, MoveInProgressError, MoveRefusedError
from tenancy.mover.mover import MoveRequest
from tenancy.mover.phases import Phase
from tenancy.mover.plan import StreamNames
from tenancy.registry.move_records import MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName

pytestmark = pytest.mark.usefixtures("no_move_left_open")

ROW, SCHEMA, DATABASE = StrategyName
SETTLE_S_MAX = 30


class DiedError(Exception):
    """The process of a mover has died, for the test."""


def dies_at(phase: Phase) -> Callable[[Phase], None]:
    def reached(now: Phase) -> None:
        if now is phase:
            raise DiedError

    return reached


async def test_a_refused_move_leaves_the_way_back_of_the_one_before(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]]
) -> None:
    clinic = await make_clinic(ROW, plan="basico")
    before = await move(tenancy, clinic.tenant_id, SCHEMA)
    with pytest.raises(MoveRefusedError, match="does not allow database"):
        await move(tenancy, clinic.tenant_id, DATABASE)
    mover = mover_of(tenancy)
    assert (await mover.move(before.id)).status is MoveStatus.GRACE
    with pytest.raises(MoveInProgressError, match="is grace"):
        await move(tenancy, clinic.tenant_id, ROW, keeps_way_back=True)
    await mover.want(before.id, "rollback", actor=PlatformActor())
    assert (await mover.settle(before.id)).status is MoveStatus.ROLLED_BACK


async def test_an_abort_after_the_decision_is_too_late(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]]
) -> None:
    clinic = await make_clinic(ROW)
    request = MoveRequest(tenant_id=clinic.tenant_id, strategy=SCHEMA)
    planned = await mover_of(tenancy).start(request, actor=PlatformActor())
    with pytest.raises(DiedError):
        await mover_of(tenancy, worker="dies", reached=dies_at(Phase.DECIDED)).work(planned.id)
    mover = mover_of(tenancy)
    await mover.want(planned.id, "abort", actor=PlatformActor())
    async with asyncio.timeout(SETTLE_S_MAX):
        record = await mover.work(planned.id, stays=False)
    assert (record.status, record.wanted) == (MoveStatus.GRACE, None)
    assert (await placement_of(tenancy, clinic.tenant_id)).strategy is SCHEMA


async def test_a_way_back_whose_slot_is_lost_can_be_given_up(
    tenancy: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    administrator: Callable[..., Awaitable[asyncpg.Connection]],
) -> None:
    clinic = await make_clinic(ROW)
    moved = await move(tenancy, clinic.tenant_id, SCHEMA)
    connection = await administrator("clinic_pool")
    await connection.execute(
        "SELECT pg_drop_replication_slot($1)", StreamNames.reverse(moved.id).name
    )
    await connection.close()
    mover = mover_of(tenancy)
    await mover.want(moved.id, "rollback", actor=PlatformActor())
    with pytest.raises((MoveError, asyncpg.UndefinedObjectError)):
        await mover.work(moved.id)
    assert (await clinic.get("/api/v1/branches")).status_code == 200
    await mover.want(moved.id, "finish", actor=PlatformActor())
    assert (await mover.settle(moved.id)).status is MoveStatus.FINISHED
    assert (await placement_of(tenancy, clinic.tenant_id)).strategy is SCHEMA
