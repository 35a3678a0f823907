"""The database that new ones are copied from: made once, remade when half-made, dropped when old, never needed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from tenancy.bootstrap import make_ready
from tenancy.credentials import DatabaseRole
from tenancy.inspection.inspector import Finding, Inspector
from tenancy.migrations import TENANT_TREE, current_revision, head_revision
from tenancy.runtime import Tenancy
from tenancy.strategy import Strategy
from tenancy.template import NAME_BEGINS, TEMPLATE_LOCK, template_name
from tenancy.tenant import Home, StrategyName, TenantId

Connect = Callable[..., Awaitable[asyncpg.Connection]]
SCHEMA = "clinic"


@pytest.fixture
async def strategy(tenancy: Tenancy) -> Strategy:
    """The strategy, on a server that has its template: tests of other releases may have dropped it."""
    strategy = tenancy.strategies[StrategyName.DATABASE]
    await strategy.prepare_server("main")
    return strategy


@pytest.fixture
async def server(administrator: Connect, strategy: Strategy) -> AsyncIterator[asyncpg.Connection]:
    """The administrator's connection; afterwards the server has its template again."""
    connection = await administrator()
    yield connection
    await strategy.prepare_server("main")
    await connection.close()


async def templates(server: asyncpg.Connection) -> dict[str, bool]:
    """Return which templates there are, and whether one may connect to them."""
    rows = await server.fetch(
        "SELECT datname, datallowconn FROM pg_database WHERE starts_with(datname, $1)", NAME_BEGINS
    )
    return {row["datname"]: row["datallowconn"] for row in rows}


async def revision_of(tenancy: Tenancy, home: Home) -> str | None:
    connection = await tenancy.pools.connect(home.server, home.database, DatabaseRole.MIGRATOR)
    try:
        return await current_revision(connection, TENANT_TREE, home.schema)
    finally:
        await connection.close()


async def made_home(strategy: Strategy) -> tuple[TenantId, Home]:
    tenant_id = TenantId(uuid7())
    home = strategy.home_for(tenant_id, "main")
    await strategy.prepare(home)
    return tenant_id, home


async def test_server_has_one_template_and_nobody_gets_in(
    tenancy: Tenancy, server: asyncpg.Connection
) -> None:
    name = template_name(SCHEMA)
    assert await templates(server) == {name: False}
    for role in (DatabaseRole.APP, DatabaseRole.MIGRATOR, DatabaseRole.MOVER):
        with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
            await tenancy.pools.connect("main", name, role)


async def test_new_database_has_the_tables_before_they_are_installed(
    tenancy: Tenancy, strategy: Strategy
) -> None:
    tenant_id, home = await made_home(strategy)
    try:
        assert await revision_of(tenancy, home) == head_revision(TENANT_TREE)
        app = await tenancy.pools.connect("main", home.database, DatabaseRole.APP)
        await app.close()
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await tenancy.pools.connect("main", home.database, DatabaseRole.REGISTRY)
    finally:
        await strategy.remove(tenant_id, home)


async def test_many_are_copied_at_once(tenancy: Tenancy, strategy: Strategy) -> None:
    made = await asyncio.gather(*(made_home(strategy) for _ in range(4)))
    for tenant_id, home in made:
        assert await revision_of(tenancy, home) == head_revision(TENANT_TREE)
        await strategy.remove(tenant_id, home)


@pytest.mark.parametrize("obstacle", ["missing", "half-made", "in use"])
async def test_database_is_made_without_a_template_too(
    tenancy: Tenancy, strategy: Strategy, server: asyncpg.Connection, obstacle: str
) -> None:
    name = template_name(SCHEMA)
    visitor = None
    if obstacle == "in use":
        await server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        visitor = await tenancy.pools.connect("main", name, DatabaseRole.MIGRATOR)
        await server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    else:
        await tenancy.installer.drop_database("main", name)
    if obstacle == "half-made":
        await tenancy.installer.create_database("main", name)
    tenant_id, home = await made_home(strategy)
    try:
        assert await revision_of(tenancy, home) is None
        await strategy.install(home)
        assert await revision_of(tenancy, home) == head_revision(TENANT_TREE)
    finally:
        if visitor is not None:
            await visitor.close()
        await strategy.remove(tenant_id, home)


async def test_prepared_from_many_sides_it_is_made_once(
    tenancy: Tenancy, strategy: Strategy, server: asyncpg.Connection
) -> None:
    await tenancy.installer.drop_database("main", template_name(SCHEMA))
    await asyncio.gather(*(strategy.prepare_server("main") for _ in range(3)))
    assert await templates(server) == {template_name(SCHEMA): False}


async def test_half_made_and_old_ones_are_found_and_replaced(
    tenancy: Tenancy, strategy: Strategy, server: asyncpg.Connection
) -> None:
    name, old = template_name(SCHEMA), f"{NAME_BEGINS}of_an_older_release"
    inspector = Inspector(tenancy.pools, tenancy.strategies.values())

    async def problems() -> set[Finding]:
        found = await inspector.inspect(["main"], [])
        return {finding for finding in found if NAME_BEGINS in finding.place}

    assert await problems() == set()
    await tenancy.installer.drop_database("main", name)
    slow = "no template database: new ones are made slowly until the next migrate"
    assert await problems() == {Finding(f"main/{name}", slow)}
    await tenancy.installer.create_database("main", name)
    await tenancy.installer.create_database("main", old)
    await tenancy.installer.close_database("main", old)
    useless = "template database that nothing is copied from"
    assert Finding(f"main/{old}", useless) in await problems()
    assert any(finding.place == f"main/{name}" for finding in await problems())
    await strategy.prepare_server("main")
    assert await problems() == set()
    tenant_id, home = await made_home(strategy)
    assert await revision_of(tenancy, home) == head_revision(TENANT_TREE)
    await strategy.remove(tenant_id, home)


async def test_template_that_another_process_makes_for_too_long_is_not_waited_for(
    strategy: Strategy,
    server: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("tenancy.template.LOCK_WAIT_S_MAX", 1)
    await server.execute(f"SELECT pg_advisory_lock({TEMPLATE_LOCK}, 0)")
    try:
        async with asyncio.timeout(10):
            await make_ready([strategy], "main")
    finally:
        await server.execute(f"SELECT pg_advisory_unlock({TEMPLATE_LOCK}, 0)")
    assert "main could not be made ready for database" in caplog.text
