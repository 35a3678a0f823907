"""Who slept through a move and wakes over a home that serves again takes nothing from it."""

from collections.abc import Awaitable, Callable

import pytest

from clinics import Clinic
from moves import contents, placement_of
from tenancy.credentials import DatabaseRole
from tenancy.errors import HomeServesError
from tenancy.mover.errors import AttemptLostError
from tenancy.mover.indexes import DEFINITIONS, DeferredIndexes
from tenancy.runtime import Tenancy
from tenancy.strategies import row
from tenancy.tenant import Placement, StrategyName


async def test_nothing_of_a_home_that_serves_is_removed(tenancy: Tenancy, clinic_a: Clinic):
    placement = await placement_of(tenancy, clinic_a.tenant_id)
    held = await contents(tenancy, placement)
    with pytest.raises(HomeServesError):
        await tenancy.strategies[placement.strategy].remove(clinic_a.tenant_id, placement.home)
    assert await contents(tenancy, placement) == held
    assert (await clinic_a.get("/api/v1/branches")).status_code == 200


async def test_a_purge_that_slept_between_two_batches_deletes_no_further_row(
    tenancy: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    monkeypatch: pytest.MonkeyPatch,
):
    clinic = await make_clinic(StrategyName.ROW)
    placement = await placement_of(tenancy, clinic.tenant_id)
    held = await contents(tenancy, placement)
    await _set_state(tenancy, placement, "tombstone")
    batch, asleep = row._delete_batch, []

    async def sleeping_batch(*arguments) -> bool:
        if not asleep:
            # The clinic is back before the first batch.
            asleep.append(True)
            await _set_state(tenancy, placement, "active")
        return await batch(*arguments)

    monkeypatch.setattr(row, "_delete_batch", sleeping_batch)
    with pytest.raises(HomeServesError):
        await tenancy.strategies[StrategyName.ROW].remove(clinic.tenant_id, placement.home)
    assert await contents(tenancy, placement) == held


async def test_no_constraint_is_taken_from_a_home_that_serves(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]]
):
    clinic = await make_clinic(StrategyName.SCHEMA)
    placement = await placement_of(tenancy, clinic.tenant_id)
    before = await _indexes(tenancy, placement)
    with pytest.raises(AttemptLostError):
        await DeferredIndexes(tenancy.pools, placement, 0).drop()
    assert await _indexes(tenancy, placement) == before
    assert any(index["constraint"] == "no_double_booking_practitioner" for index in before)


async def _set_state(tenancy: Tenancy, placement: Placement, state: str) -> None:
    home = placement.home
    mover = await tenancy.pools.connect(home.server, home.database, DatabaseRole.MOVER)
    try:
        await mover.execute(
            "UPDATE tenancy.tenant_home SET state = $3 WHERE tenant_id = $1 AND schema_name = $2",
            placement.tenant_id,
            home.schema,
            state,
        )
    finally:
        await mover.close()


async def _indexes(tenancy: Tenancy, placement: Placement) -> list:
    home = placement.home
    migrator = await tenancy.pools.connect(home.server, home.database, DatabaseRole.MIGRATOR)
    try:
        return await migrator.fetch(DEFINITIONS, f'"{home.schema}"')
    finally:
        await migrator.close()
