"""A clinic moves in every direction, with everything it has."""

from collections.abc import Awaitable, Callable

import pytest

from clinics import Clinic
from moves import contents, move, placement_of
from tenancy.registry.move_records import MoveStatus
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName

pytestmark = pytest.mark.usefixtures("no_move_left_open")

ROW, SCHEMA, DATABASE = StrategyName
DIRECTIONS = [(a, b) for a in StrategyName for b in StrategyName if a is not b]


@pytest.mark.parametrize(("source", "target"), DIRECTIONS, ids=lambda s: s.value)
async def test_a_clinic_is_moved_with_all_it_has(
    tenancy: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    source: StrategyName,
    target: StrategyName,
):
    clinic = await make_clinic(source)
    neighbour = await make_clinic(source)
    before = await placement_of(tenancy, clinic.tenant_id)
    held = await contents(tenancy, before)
    beside = await contents(tenancy, await placement_of(tenancy, neighbour.tenant_id))

    record = await move(tenancy, clinic.tenant_id, target)

    assert record.status is MoveStatus.GRACE
    after = await placement_of(tenancy, clinic.tenant_id)
    assert (after.strategy, after.epoch) == (target, before.epoch + 1)
    assert await contents(tenancy, after) == held
    assert await contents(tenancy, await placement_of(tenancy, neighbour.tenant_id)) == beside
    assert (await clinic.get("/api/v1/branches")).status_code == 200
