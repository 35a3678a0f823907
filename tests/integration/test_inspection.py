"""`clinic doctor` finds what is planted, and nothing else."""

from collections.abc import Awaitable, Callable

import pytest

from clinics import Clinic
from tenancy.credentials import DatabaseRole
from tenancy.inspection import Finding, Inspector
from tenancy.runtime import Tenancy
from tenancy.tenant import Placement, StrategyName

MakeClinic = Callable[..., Awaitable[Clinic]]

DAMAGE = [
    ("ALTER TABLE {schema}.patient NO FORCE ROW LEVEL SECURITY", "patient has no forced row-level"),
    ("ALTER TABLE {schema}.patient DISABLE ROW LEVEL SECURITY", "patient has no forced row-level"),
    ("ALTER POLICY own_tenant ON {schema}.patient USING (true)", "patient has another policy"),
    ("CREATE POLICY extra ON {schema}.patient USING (true)", "patient has more or fewer than two"),
    ("ALTER POLICY every_tenant ON {schema}.patient TO clinic_app", "patient lets others"),
    ("DROP TRIGGER a_guard ON {schema}.patient", "patient has no guard trigger"),
    ("ALTER TABLE {schema}.patient DISABLE TRIGGER a_guard", "patient has no guard trigger"),
    ("GRANT TRUNCATE ON {schema}.patient TO clinic_app", "patient can be truncated"),
    ("CREATE TABLE {schema}.forgotten (tenant_id uuid, id uuid)", "forgotten has no forced"),
    ("UPDATE {schema}.alembic_version_tenant SET version_num = '0000'", "is at revision 0000"),
    ("CREATE SCHEMA t_nobody", "orphan schema t_nobody"),
]


async def problems(tenancy: Tenancy, where: Placement) -> list[str]:
    """Look at one clinic's database alone: the run's other clinics are many."""
    inspector = Inspector(tenancy.pools, tenancy.options.pool_database)
    findings = await inspector._inspect_database(where.home.server, where.home.database, [where])
    return [finding.problem for finding in findings]


async def placement_of(tenancy: Tenancy, clinic: Clinic) -> Placement:
    resolved = await tenancy.directory.by_id(clinic.tenant_id)
    assert resolved is not None
    return resolved.placement


@pytest.mark.parametrize(
    ("statement", "problem"),
    DAMAGE,
    ids=[sql.split(" {")[0] + f" {n}" for n, (sql, _) in enumerate(DAMAGE)],
)
async def test_damage_is_found(
    tenancy: Tenancy, make_clinic: MakeClinic, statement: str, problem: str
) -> None:
    where = await placement_of(tenancy, await make_clinic(StrategyName.DATABASE))
    home = where.home
    assert await problems(tenancy, where) == []
    connection = await tenancy.pools.connect(home.server, home.database, DatabaseRole.MIGRATOR)
    try:
        await connection.execute(f"SET ROLE clinic_owner; {statement.format(schema=home.schema)}")
    finally:
        await connection.close()
    found = await problems(tenancy, where)
    assert any(problem in p for p in found), found


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
    inspector = Inspector(tenancy.pools, tenancy.options.pool_database)
    try:
        findings = await inspector.inspect(["main"], [])
        assert (
            Finding("main/clinic_t_nobody", "orphan database: no clinic is placed there")
            in findings
        )
    finally:
        await tenancy.installer.drop_database("main", "clinic_t_nobody")
