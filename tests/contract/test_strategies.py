"""What every strategy promises; a new one passes these before it is used."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from tenancy.credentials import DatabaseRole
from tenancy.errors import HomeServesError
from tenancy.fleet.homes import every_home
from tenancy.migrations import TENANT_TREE, current_revision, head_revision
from tenancy.pools import PoolLimits, Pools
from tenancy.runtime import Tenancy
from tenancy.strategy import Strategy, shared_homes
from tenancy.tenant import Home, Placement, Server, ServerTier, StrategyName, TenantId


@pytest.fixture
def strategy(tenancy: Tenancy, placement: StrategyName) -> Strategy:
    return tenancy.strategies[placement]


def new_tenant() -> TenantId:
    return TenantId(uuid7())


async def connect(tenancy: Tenancy, home: Home, role: DatabaseRole = DatabaseRole.MIGRATOR) -> Any:
    return await tenancy.pools.connect(home.server, home.database, role)


async def make_home(tenancy: Tenancy, strategy: Strategy, tenant_id: TenantId) -> Home:
    home = strategy.home_for(tenant_id, "main")
    await strategy.prepare(home)
    await strategy.install(home)
    placement = Placement(tenant_id=tenant_id, strategy=strategy.name, home=home, epoch=1)
    await tenancy.homes.open(placement)
    return home


async def close_and_remove(
    tenancy: Tenancy, strategy: Strategy, tenant_id: TenantId, home: Home
) -> None:
    """As a set-up is taken back: nobody is let in any more, then everything goes."""
    await tenancy.homes.close(tenant_id, home)
    await strategy.remove(tenant_id, home)


async def test_home_is_named_by_the_id_alone(strategy: Strategy) -> None:
    tenant_id = TenantId(UUID("01938000-0000-7000-8000-00000000abcd"))
    home = strategy.home_for(tenant_id, "main")
    assert home == strategy.home_for(tenant_id, "main")
    for name in (home.database, home.schema):
        assert name.isidentifier()
        assert len(name) <= 63


async def test_own_database_is_nobody_elses(tenancy: Tenancy, strategy: Strategy) -> None:
    one, other = (strategy.home_for(new_tenant(), "main") for _ in range(2))
    assert strategy.is_dedicated == (one.database != other.database)
    assert strategy.is_own_database(one.database) == strategy.is_dedicated
    for shared in shared_homes(tenancy.strategies.values(), "main"):
        assert not strategy.is_own_database(shared.database)
    assert not strategy.is_own_database(tenancy.options.registry_database)
    assert not strategy.is_own_database("postgres")


async def test_shared_homes_are_there_before_any_tenant(
    tenancy: Tenancy, strategy: Strategy
) -> None:
    for home in strategy.shared_homes("main"):
        assert strategy.home_for(new_tenant(), "main") == home
        connection = await connect(tenancy, home)
        try:
            revision = await current_revision(connection, TENANT_TREE, home.schema)
            assert revision == head_revision(TENANT_TREE)
        finally:
            await connection.close()
    if not strategy.shared_homes("main"):
        homes = {strategy.home_for(new_tenant(), "main") for _ in range(2)}
        assert len(homes) == 2


async def test_fleet_has_each_home_once(tenancy: Tenancy, strategy: Strategy) -> None:
    homes = await every_home(tenancy)
    assert len(homes) == len(set(homes))
    assert set(strategy.shared_homes("main")) <= set(homes)


async def test_database_of_a_dedicated_home_has_the_smaller_pool(
    tenancy: Tenancy, strategy: Strategy
) -> None:
    tenant_id = new_tenant()
    home = strategy.home_for(tenant_id, "main")
    placement = Placement(tenant_id=tenant_id, strategy=strategy.name, home=home, epoch=1)
    sizes = PoolLimits(shared_size=5, dedicated_size=2)

    async def main(_name: str) -> Server:
        return tenancy.options.main_server

    pools = Pools(
        tenancy.credentials, main, lambda name: tenancy.strategies[name].is_dedicated, sizes
    )
    lease = await pools.lease(placement)
    assert pools.reserved == (2 if strategy.is_dedicated else 5)
    lease.release()
    await pools.close()


async def test_server_is_of_a_tier_for_the_strategy(tenancy: Tenancy, strategy: Strategy) -> None:
    assert ServerTier.SHARED in strategy.server_tiers
    assert (ServerTier.DEDICATED in strategy.server_tiers) == strategy.is_dedicated
    assert (await tenancy.store.servers.choose(strategy.server_tiers, "main")).name == "main"


async def test_home_is_at_the_newest_revision(tenancy: Tenancy, strategy: Strategy) -> None:
    tenant_id = new_tenant()
    home = await make_home(tenancy, strategy, tenant_id)
    connection = await connect(tenancy, home)
    try:
        assert await current_revision(connection, TENANT_TREE, home.schema) == head_revision(
            TENANT_TREE
        )
    finally:
        await connection.close()
        await close_and_remove(tenancy, strategy, tenant_id, home)


async def test_making_a_home_twice_is_making_it_once(tenancy: Tenancy, strategy: Strategy) -> None:
    tenant_id = new_tenant()
    home = await make_home(tenancy, strategy, tenant_id)
    assert await make_home(tenancy, strategy, tenant_id) == home
    await close_and_remove(tenancy, strategy, tenant_id, home)


async def test_making_a_home_from_two_sides_at_once_makes_it_once(
    tenancy: Tenancy, strategy: Strategy
) -> None:
    tenant_id = new_tenant()
    homes = await asyncio.gather(*(make_home(tenancy, strategy, tenant_id) for _ in range(3)))
    assert len(set(homes)) == 1
    await close_and_remove(tenancy, strategy, tenant_id, homes[0])


async def test_removed_home_leaves_nothing(tenancy: Tenancy, strategy: Strategy) -> None:
    tenant_id, neighbour = new_tenant(), new_tenant()
    for one in (tenant_id, neighbour):
        await make_home(tenancy, strategy, one)
        await _add_row(tenancy, strategy.home_for(one, "main"), one)
    home = strategy.home_for(tenant_id, "main")
    with pytest.raises(HomeServesError):
        await strategy.remove(tenant_id, home)
    await close_and_remove(tenancy, strategy, tenant_id, home)
    await strategy.remove(tenant_id, home)
    assert await _rows_anywhere(tenancy, tenant_id, home) == 0
    assert await _rows_anywhere(tenancy, neighbour, strategy.home_for(neighbour, "main")) == 1
    await close_and_remove(tenancy, strategy, neighbour, strategy.home_for(neighbour, "main"))


async def test_application_owns_and_creates_nothing(tenancy: Tenancy, strategy: Strategy) -> None:
    tenant_id = new_tenant()
    home = await make_home(tenancy, strategy, tenant_id)
    connection = await connect(tenancy, home, DatabaseRole.APP)
    try:
        for statement in (
            f"CREATE TABLE {home.schema}.own (id int)",
            "CREATE TABLE public.own (id int)",
            "CREATE TEMP TABLE patient (id int)",
            "CREATE SCHEMA own",
            f"ALTER TABLE {home.schema}.patient DISABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {home.schema}.patient DISABLE TRIGGER ALL",
            f"TRUNCATE {home.schema}.patient",
            f"DROP POLICY own_tenant ON {home.schema}.patient",
            "SET session_replication_role = replica",
            "SET ROLE clinic_migrator",
            "UPDATE tenancy.tenant_home SET epoch = epoch + 1",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()
        await close_and_remove(tenancy, strategy, tenant_id, home)


async def _add_row(tenancy: Tenancy, home: Home, tenant_id: TenantId) -> None:
    connection = await connect(tenancy, home)
    try:
        await connection.execute(
            f'INSERT INTO "{home.schema}".specialty (tenant_id, id, name, code, version)'
            " VALUES ($1, $2, 'x', 'x', 1)",
            tenant_id,
            uuid7(),
        )
    finally:
        await connection.close()


async def _rows_anywhere(tenancy: Tenancy, tenant_id: TenantId, home: Home) -> int:
    try:
        connection = await connect(tenancy, home)
    except asyncpg.InvalidCatalogNameError:
        return 0
    try:
        if await connection.fetchval(
            "SELECT to_regclass($1) IS NULL", f'"{home.schema}".specialty'
        ):
            return 0
        return await connection.fetchval(
            f'SELECT count(*) FROM "{home.schema}".specialty WHERE tenant_id = $1', tenant_id
        )
    finally:
        await connection.close()
