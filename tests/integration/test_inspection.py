"""`clinic doctor` finds what is planted, and nothing else."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg
import pytest

from clinics import Clinic
from damages import HOME_DAMAGE, POOL_DAMAGE, REGISTRY_DAMAGE, SERVER_DAMAGE
from tenancy.credentials import DatabaseRole
from tenancy.inspection.inspector import Finding, Inspector
from tenancy.runtime import Tenancy
from tenancy.tenant import Placement, StrategyName

MakeClinic = Callable[..., Awaitable[Clinic]]
Connect = Callable[..., Awaitable[asyncpg.Connection]]


async def problems(tenancy: Tenancy, where: Placement) -> list[str]:
    """Look at one clinic's database alone: the run's other clinics are many."""
    inspector = Inspector(tenancy.pools, tenancy.strategies.values())
    place = f"{where.home.server}/{where.home.database}"
    findings = await inspector.inspect([where.home.server], [where])
    return [finding.problem for finding in findings if finding.place == place]


async def placement_of(tenancy: Tenancy, clinic: Clinic) -> Placement:
    resolved = await tenancy.directory.by_id(clinic.tenant_id)
    assert resolved is not None
    return resolved.placement


@asynccontextmanager
async def damage(
    administrator: Connect, database: str, statement: str, undo: str
) -> AsyncIterator[None]:
    """Do harm that the tests after this one must not meet."""
    connection = await administrator(database)
    try:
        await connection.execute(statement)
        yield
    finally:
        await connection.execute(undo)
        await connection.close()


@pytest.mark.parametrize(("statement", "problem"), HOME_DAMAGE, ids=[d[0] for d in HOME_DAMAGE])
async def test_damage_to_a_home_is_found(
    tenancy: Tenancy, make_clinic: MakeClinic, statement: str, problem: str
) -> None:
    where = await placement_of(tenancy, await make_clinic(StrategyName.DATABASE))
    home = where.home
    assert await problems(tenancy, where) == []
    connection = await tenancy.pools.connect(home.server, home.database, DatabaseRole.MIGRATOR)
    try:
        names = {"schema": home.schema, "database": home.database}
        await connection.execute(f"SET ROLE clinic_owner; {statement.format(**names)}")
    finally:
        await connection.close()
    found = await problems(tenancy, where)
    assert any(problem.format(**names) in p for p in found), found


@pytest.mark.parametrize(
    ("statement", "undo", "problem"), POOL_DAMAGE, ids=[d[0] for d in POOL_DAMAGE]
)
async def test_damage_to_the_pool_is_found(
    tenancy: Tenancy, administrator: Connect, statement: str, undo: str, problem: str
) -> None:
    database = tenancy.options.pool_database
    inspector = Inspector(tenancy.pools, tenancy.strategies.values())
    async with damage(administrator, database, statement, undo):
        assert Finding(f"main/{database}", problem) in await inspector.inspect(["main"], [])
    assert Finding(f"main/{database}", problem) not in await inspector.inspect(["main"], [])


@pytest.mark.parametrize(
    ("statement", "undo", "problem"), SERVER_DAMAGE, ids=[d[0] for d in SERVER_DAMAGE]
)
async def test_damage_to_the_roles_is_found(
    tenancy: Tenancy, administrator: Connect, statement: str, undo: str, problem: str
) -> None:
    inspector = Inspector(tenancy.pools, tenancy.strategies.values())
    async with damage(administrator, "postgres", statement, undo):
        assert Finding("main", problem) in await inspector.inspect(["main"], [])
    assert [f for f in await inspector.inspect(["main"], []) if f.place == "main"] == []


@pytest.mark.parametrize(
    ("statement", "undo", "problem"), REGISTRY_DAMAGE, ids=[d[0] for d in REGISTRY_DAMAGE]
)
async def test_damage_to_the_registry_is_found(
    tenancy: Tenancy, administrator: Connect, statement: str, undo: str, problem: str
) -> None:
    database = tenancy.options.registry_database
    inspector = Inspector(tenancy.pools, tenancy.strategies.values())
    assert await inspector.inspect_registry("main", database) == []
    async with damage(administrator, database, statement, undo):
        found = await inspector.inspect_registry("main", database)
    assert Finding(f"main/{database}", problem) in found


async def test_server_that_is_away_is_found_and_the_others_are_looked_at(
    tenancy: Tenancy, administrator: Connect
) -> None:
    inspector = Inspector(tenancy.pools, tenancy.strategies.values())
    statements = ("CREATE ROLE stranger; GRANT clinic_mover TO stranger", "DROP ROLE stranger")
    async with damage(administrator, "postgres", *statements):
        findings = await inspector.inspect(["nowhere", "main"], [])
    assert Finding("nowhere", "cannot be reached: unknown server nowhere") in findings
    assert Finding("main", "role stranger is a member of clinic_mover") in findings


async def test_every_home_of_the_pool_has_the_pools_shape(
    tenancy: Tenancy, make_clinic: MakeClinic
) -> None:
    where = await placement_of(tenancy, await make_clinic(StrategyName.SCHEMA))
    found = [p for p in await problems(tenancy, where) if f"{where.home.schema}" in p]
    assert found == []


async def test_difference_between_home_and_registry_is_found(
    tenancy: Tenancy, placement: StrategyName, make_clinic: MakeClinic
) -> None:
    clinic = await make_clinic(placement)
    where = await placement_of(tenancy, clinic)
    connection = await tenancy.pools.connect(
        where.home.server, where.home.database, DatabaseRole.MIGRATOR
    )
    try:
        await connection.execute(
            "UPDATE tenancy.tenant_home SET epoch = 7 WHERE tenant_id = $1", clinic.tenant_id
        )
        assert any(
            f"{clinic.tenant_id}: home has epoch 7" in p for p in await problems(tenancy, where)
        )
        await connection.execute(
            "DELETE FROM tenancy.tenant_home WHERE tenant_id = $1", clinic.tenant_id
        )
        assert any(
            f"{clinic.tenant_id} has no serving home" in p for p in await problems(tenancy, where)
        )
    finally:
        await connection.close()
        await tenancy.homes.open(where)


async def test_database_that_nobody_is_placed_in_is_found(tenancy: Tenancy) -> None:
    await tenancy.installer.create_database("main", "clinic_t_nobody")
    inspector = Inspector(tenancy.pools, tenancy.strategies.values())
    try:
        findings = await inspector.inspect(["main"], [])
        assert (
            Finding("main/clinic_t_nobody", "orphan database: no clinic is placed there")
            in findings
        )
    finally:
        await tenancy.installer.drop_database("main", "clinic_t_nobody")


async def test_what_a_move_has_left_of_its_streams_is_found(
    tenancy: Tenancy, make_clinic: MakeClinic, administrator: Connect
) -> None:
    where = await placement_of(tenancy, await make_clinic(StrategyName.DATABASE))
    names = [f"move_{uuid4().hex}_f" for _ in range(2)]
    open_move = UUID(hex=names[1].split("_")[1])
    connection = await administrator(where.home.database)
    try:
        for name in names:
            await connection.execute(f"CREATE PUBLICATION {name}")
            await connection.execute(
                "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", name
            )
        inspector = Inspector(tenancy.pools, tenancy.strategies.values())
        known = await tenancy.store.moves.open_ids() | {open_move}
        found = await inspector.inspect_streams([where.home.server], [where], known)
    finally:
        for name in names:
            await connection.execute("SELECT pg_drop_replication_slot($1)", name)
            await connection.execute(f"DROP PUBLICATION {name}")
        await connection.close()
    place = f"{where.home.server}/{where.home.database}"
    assert Finding(where.home.server, f"orphan slot {names[0]}: its move is not open") in found
    assert [f.problem for f in found if f.place == place] == [
        f"orphan publication {names[0]}: its move is not open"
    ]
    assert not any(names[1] in finding.problem for finding in found)
