"""Attacks from inside: SQL that tries to leave its clinic is refused or finds nothing.

What row-level security cannot stop is SQL that sets the scope itself; the statement check stops it on our sessions, and
the guard stops its writes on any connection (docs/adr/0003).
"""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from uuid_utils.compat import uuid7

from clinics import Clinic
from domain.organisation.models import Specialty
from tenancy.credentials import DatabaseRole
from tenancy.errors import ForbiddenStatementError
from tenancy.modes import Mode
from tenancy.runtime import Tenancy
from tenancy.tenant import Placement

SCOPE_CHANGES = [
    "SET app.tenant_id = '{b}'",
    "SET LOCAL app.tenant_id = '{b}'",
    "SET SESSION app.tenant_id TO '{b}'",
    "SELECT set_config('app.tenant_id', '{b}', true)",
    "SELECT set_config('app.tenant_id', '{b}', false)",
    "WITH x AS (SELECT pg_catalog.set_config('app.tenant_id', '{b}', true)) SELECT * FROM specialty, x",
    "SELECT tenancy.enter('{b}', 1, 'rw', NULL, NULL)",
    "SELECT name FROM specialty; SET LOCAL app.tenant_id = '{b}'",
    "/* x */ SET LOCAL app.tenant_id = '{b}'",
    "SELECT U&\"set\\005fconfig\"('app' || '.tenant_id', '{b}', true)",
    "SELECT query_to_xml('SELECT 1', true, true, '')",
    "UPDATE pg_settings SET setting = '1234' WHERE name = 'statement_timeout'",
    "UPDATE pg_catalog.pg_settings SET setting = '{schema_b}' WHERE name = 'search_path'",
    "SELECT pg_terminate_backend(1)",
    "SELECT pg_advisory_lock(7301, 1)",
    "SET ROLE clinic_migrator",
    "SET SESSION AUTHORIZATION clinic_mover",
    "RESET ROLE",
    "RESET ALL",
    "DISCARD ALL",
    'SET LOCAL search_path = "{schema_b}"',
    "COPY specialty TO STDOUT",
    "COPY specialty FROM STDIN",
    "PREPARE x AS SELECT name FROM specialty",
    "EXECUTE x",
    "DECLARE c CURSOR WITH HOLD FOR SELECT name FROM specialty",
    "DO $$ BEGIN PERFORM set_config('app.tenant_id', '{b}', true); END $$",
    "COMMIT",
    "ROLLBACK",
    "LISTEN clinic_registry",
    "LOCK TABLE specialty IN ACCESS EXCLUSIVE MODE",
    "EXPLAIN ANALYZE SELECT name FROM specialty",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
]


async def add_specialty(tenancy: Tenancy, clinic: Clinic, name: str) -> None:
    async with tenancy.session(clinic.tenant_id, Mode.WRITE) as session:
        await session.execute(insert(Specialty).values(id=uuid7(), name=name, code=name, version=1))


async def names(tenancy: Tenancy, clinic: Clinic) -> list[str]:
    async with tenancy.session(clinic.tenant_id, Mode.READ) as session:
        return list(await session.scalars(select(Specialty.name).order_by(Specialty.name)))


async def placement_of(tenancy: Tenancy, clinic: Clinic) -> Placement:
    resolved = await tenancy.directory.by_id(clinic.tenant_id)
    assert resolved is not None
    return resolved.placement


@pytest.fixture(scope="module")
async def victims(tenancy: Tenancy, clinic_a: Clinic, clinic_b: Clinic) -> None:
    """Both clinics have a row that the other one must not see."""
    await add_specialty(tenancy, clinic_a, "secret of a")
    await add_specialty(tenancy, clinic_b, "secret of b")


@pytest.fixture(autouse=True)
async def b_is_unharmed(victims: None, tenancy: Tenancy, clinic_b: Clinic):
    yield
    assert await names(tenancy, clinic_b) == ["secret of b"]


@pytest.mark.parametrize("attack", SCOPE_CHANGES)
async def test_changing_the_scope_is_refused_before_it_is_sent(
    tenancy: Tenancy, clinic_a: Clinic, clinic_b: Clinic, attack: str
) -> None:
    schema_b = (await placement_of(tenancy, clinic_b)).home.schema
    statement = attack.format(b=clinic_b.tenant_id, schema_b=schema_b)
    async with tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
        with pytest.raises(ForbiddenStatementError):
            await session.execute(text(statement))
        assert await session.scalar(select(func.count()).select_from(Specialty)) == 1


async def test_naming_the_other_home_finds_nothing(
    tenancy: Tenancy, clinic_a: Clinic, clinic_b: Clinic
) -> None:
    home_a = (await placement_of(tenancy, clinic_a)).home
    home_b = (await placement_of(tenancy, clinic_b)).home
    async with tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
        if home_a.database != home_b.database:
            with pytest.raises(DBAPIError, match="cross-database references are not implemented"):
                await session.execute(
                    text(f'SELECT name FROM "{home_b.database}"."clinic".specialty')
                )
            return
        rows = await session.scalars(text(f'SELECT name FROM "{home_b.schema}".specialty'))
        assert "secret of b" not in list(rows)


async def test_writing_into_the_other_home_is_refused(
    tenancy: Tenancy, clinic_a: Clinic, clinic_b: Clinic
) -> None:
    home_b = (await placement_of(tenancy, clinic_b)).home
    statement = f"""INSERT INTO "{home_b.schema}".specialty (tenant_id, id, name, code, version)
        VALUES ('{clinic_b.tenant_id}', '{uuid7()}', 'planted', 'planted', 1)"""
    with pytest.raises(DBAPIError):
        async with tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
            await session.execute(text(statement))


async def test_row_for_another_clinic_is_refused(
    tenancy: Tenancy, clinic_a: Clinic, clinic_b: Clinic
) -> None:
    with pytest.raises(DBAPIError, match="row-level security"):
        async with tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
            values = {"id": uuid7(), "name": "planted", "code": "planted", "version": 1}
            await session.execute(insert(Specialty).values(**values, tenant_id=clinic_b.tenant_id))


async def test_row_cannot_be_given_to_another_clinic(
    tenancy: Tenancy, clinic_a: Clinic, clinic_b: Clinic
) -> None:
    with pytest.raises(DBAPIError, match="row-level security"):
        async with tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
            await session.execute(update(Specialty).values(tenant_id=clinic_b.tenant_id))


async def test_bulk_statements_without_a_filter_stay_inside(
    tenancy: Tenancy, clinic_a: Clinic, clinic_b: Clinic
) -> None:
    async with tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
        changed = await session.execute(update(Specialty).values(code="x"))
        assert changed.rowcount == 1
        deleted = await session.execute(delete(Specialty))
        assert deleted.rowcount == 1
    await add_specialty(tenancy, clinic_a, "secret of a")


async def test_prepared_statements_on_one_connection_follow_the_clinic(
    another_tenancy: Callable[..., Awaitable[Tenancy]], clinic_a: Clinic, clinic_b: Clinic
) -> None:
    async with await another_tenancy(shared_size=1, dedicated_size=1) as narrow:
        for _ in range(20):
            assert await names(narrow, clinic_a) == ["secret of a"]
            assert await names(narrow, clinic_b) == ["secret of b"]


async def test_error_and_broken_transaction_leave_a_clean_connection(
    another_tenancy: Callable[..., Awaitable[Tenancy]], clinic_a: Clinic, clinic_b: Clinic
) -> None:
    async with await another_tenancy(shared_size=1, dedicated_size=1) as narrow:
        for _ in range(5):
            with pytest.raises(DBAPIError):
                async with narrow.session(clinic_a.tenant_id, Mode.WRITE) as session:
                    await session.execute(text("SELECT 1 / 0 FROM specialty"))
            assert await names(narrow, clinic_b) == ["secret of b"]


async def test_session_that_enters_nowhere_sees_and_writes_nothing(
    tenancy: Tenancy, clinic_b: Clinic
) -> None:
    home = (await placement_of(tenancy, clinic_b)).home
    connection = await tenancy.pools.connect(home.server, home.database, DatabaseRole.APP)
    try:
        assert await connection.fetch(f'SELECT * FROM "{home.schema}".specialty') == []
        with pytest.raises(asyncpg.PostgresError) as refused:
            await connection.execute(f'DELETE FROM "{home.schema}".specialty')
        assert refused.value.sqlstate == "TNRET"
    finally:
        await connection.close()


async def test_stolen_application_login_cannot_write_without_the_epoch(
    tenancy: Tenancy, clinic_b: Clinic
) -> None:
    home = (await placement_of(tenancy, clinic_b)).home
    connection = await tenancy.pools.connect(home.server, home.database, DatabaseRole.APP)
    try:
        await connection.execute(f"SET app.tenant_id = '{clinic_b.tenant_id}'")
        with pytest.raises(asyncpg.PostgresError) as refused:
            await connection.execute(f'DELETE FROM "{home.schema}".specialty')
        assert refused.value.sqlstate == "TNRET"
        await connection.execute("SET app.epoch = 99")
        with pytest.raises(asyncpg.PostgresError) as stale:
            await connection.execute(f'DELETE FROM "{home.schema}".specialty')
        assert stale.value.sqlstate == "TNRET"
    finally:
        await connection.close()


async def test_registry_and_clinics_cannot_reach_each_other(
    tenancy: Tenancy, clinic_b: Clinic
) -> None:
    home = (await placement_of(tenancy, clinic_b)).home
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await tenancy.pools.connect(home.server, home.database, DatabaseRole.REGISTRY)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await tenancy.pools.connect("main", tenancy.options.registry_database, DatabaseRole.APP)


async def test_append_only_tables_refuse_change_even_to_their_owner(
    tenancy: Tenancy, clinic_b: Clinic
) -> None:
    home = (await placement_of(tenancy, clinic_b)).home
    connection = await tenancy.pools.connect(home.server, home.database, DatabaseRole.MIGRATOR)
    try:
        for role in ("clinic_migrator", "clinic_owner"):
            await connection.execute(f"SET ROLE {role}")
            for table in ("audit_event", "appointment_event"):
                for statement in ("DELETE FROM {t}", "TRUNCATE {t}", "UPDATE {t} SET id = id"):
                    with pytest.raises(asyncpg.PostgresError) as refused:
                        await connection.execute(statement.format(t=f'"{home.schema}".{table}'))
                    assert refused.value.sqlstate in {"TNAPP", "TNRET", "42501"}
    finally:
        await connection.close()
