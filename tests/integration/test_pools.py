"""Connections stay under the ceiling, whatever is touched, and everybody is served in the end."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import select

from clinics import Clinic
from domain.organisation.models import Branch
from tenancy.errors import ServerUnavailableError
from tenancy.modes import Mode
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName

MakeClinic = Callable[..., Awaitable[Clinic]]
MakeTenancy = Callable[..., Awaitable[Tenancy]]


async def branches(tenancy: Tenancy, clinic: Clinic) -> int:
    async with tenancy.session(clinic.tenant_id, Mode.READ) as session:
        return len((await session.execute(select(Branch.id))).all())


@pytest.fixture(scope="module")
async def dedicated(make_clinic: MakeClinic) -> list[Clinic]:
    return [await make_clinic(StrategyName.DATABASE) for _ in range(5)]


async def test_more_databases_than_fit_are_served_under_the_ceiling(
    another_tenancy: MakeTenancy, dedicated: list[Clinic]
) -> None:
    async with await another_tenancy(dedicated_size=2, connections_max=4) as narrow:
        highest = 0

        async def watch() -> None:
            nonlocal highest
            while True:
                highest = max(highest, narrow.pools.reserved)
                await asyncio.sleep(0)

        watcher = asyncio.create_task(watch())
        for _ in range(3):
            answers = await asyncio.gather(
                *(branches(narrow, c) for c in dedicated for _ in range(4))
            )
            assert answers == [1] * 20
        watcher.cancel()
        assert 0 < highest <= 4


async def test_least_recently_used_database_is_closed_first(
    another_tenancy: MakeTenancy, dedicated: list[Clinic]
) -> None:
    async with await another_tenancy(dedicated_size=2, connections_max=4) as narrow:
        first, second, third = dedicated[:3]
        for clinic in (first, second, first, third):
            await branches(narrow, clinic)
        open_databases = {database for _, database in narrow.pools._pools}
        assert open_databases == {f"clinic_t_{c.tenant_id.hex}" for c in (first, third)}


async def test_when_no_connection_comes_free_the_caller_is_told(
    another_tenancy: MakeTenancy, dedicated: list[Clinic]
) -> None:
    limits = {"dedicated_size": 2, "connections_max": 2, "wait_s_max": 0.2}
    async with await another_tenancy(**limits) as narrow:
        async with narrow.session(dedicated[0].tenant_id, Mode.READ) as session:
            await session.execute(select(Branch.id))
            with pytest.raises(ServerUnavailableError):
                await branches(narrow, dedicated[1])
        assert await branches(narrow, dedicated[1]) == 1


async def test_dropped_database_is_an_error_and_not_a_hang(
    another_tenancy: MakeTenancy, make_clinic: MakeClinic, tenancy: Tenancy
) -> None:
    clinic = await make_clinic(StrategyName.DATABASE)
    async with await another_tenancy() as worker:
        assert await branches(worker, clinic) == 1
        home = tenancy.strategies[StrategyName.DATABASE].home_for(clinic.tenant_id, "main")
        await tenancy.homes.close(clinic.tenant_id, home)
        await tenancy.strategies[StrategyName.DATABASE].remove(clinic.tenant_id, home)
        with pytest.raises(ServerUnavailableError):
            await branches(worker, clinic)
