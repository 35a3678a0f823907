"""What a move may do, and nobody else: no superuser at run time, rows behind row-level security, tables nobody empties."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from clinics import Clinic
from moves import move, placement_of
from tenancy.credentials import DatabaseRole
from tenancy.mover.copy import SINK_SETTINGS
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName

pytestmark = pytest.mark.usefixtures("no_move_left_open")

ROW, SCHEMA, DATABASE = StrategyName
WRITERS = (DatabaseRole.APP, DatabaseRole.MOVER)


@pytest.fixture
async def server(
    administrator: Callable[..., Awaitable[asyncpg.Connection]],
) -> AsyncIterator[asyncpg.Connection]:
    connection = await administrator("clinic_pool")
    yield connection
    await connection.close()


async def test_no_connection_of_a_move_is_a_superusers(
    tenancy: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    server: Any,
    monkeypatch: pytest.MonkeyPatch,
):
    clinic, connected = await make_clinic(ROW), []
    connect = type(tenancy.pools).connect

    async def noted(pools: Any, *arguments: Any, **options: Any) -> Any:
        connection = await connect(pools, *arguments, **options)
        connected.append(connection._params.user)
        return connection

    monkeypatch.setattr(type(tenancy.pools), "connect", noted)
    await move(tenancy, clinic.tenant_id, SCHEMA)
    assert {"clinic_mover", "clinic_migrator"} == set(connected)
    mighty = await server.fetch(
        "SELECT rolname FROM pg_roles WHERE rolname LIKE 'clinic%' AND rolsuper"
    )
    assert mighty == []


async def test_the_application_reads_no_log_and_passes_no_wall(server: Any):
    role = await server.fetchrow(
        "SELECT rolreplication, rolbypassrls, rolsuper, rolcreatedb, rolcreaterole,"
        " has_parameter_privilege(rolname, 'session_replication_role', 'SET') AS silent"
        " FROM pg_roles WHERE rolname = 'clinic_app'"
    )
    assert not any(role.values())


async def test_the_server_refuses_to_load_rows_behind_the_wall(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]], server: Any
):
    """So the copy's connection needs BYPASSRLS; and the server says so before anything is written."""
    clinic = await make_clinic(ROW)
    home = (await placement_of(tenancy, clinic.tenant_id)).home
    put = {
        "table_name": "tenant_setting",
        "schema_name": home.schema,
        "columns": ["tenant_id", "namespace", "data", "version"],
        "records": [(clinic.tenant_id, "loaded", "{}", 1)],
    }
    for bypasses in (False, True):
        await server.execute(f"ALTER ROLE clinic_mover {'' if bypasses else 'NO'}BYPASSRLS")
        mover = await tenancy.pools.connect(home.server, home.database, DatabaseRole.MOVER)
        try:
            await mover.execute(SINK_SETTINGS)
            if bypasses:
                assert await mover.copy_records_to_table(**put) == "COPY 1"
                continue
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                await mover.copy_records_to_table(**put)
        finally:
            await mover.close()
            await server.execute("ALTER ROLE clinic_mover BYPASSRLS")


async def test_nobody_empties_a_table_which_no_stream_would_tell(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]]
):
    clinic = await make_clinic(ROW)
    home = (await placement_of(tenancy, clinic.tenant_id)).home
    for role in WRITERS:
        connection = await tenancy.pools.connect(home.server, home.database, role)
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"TRUNCATE {home.schema}.tenant_setting")
        finally:
            await connection.close()


async def test_no_table_of_a_clinic_is_partitioned_counted_or_unique_past_the_clinic(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]], server: Any
):
    """A stream names leaves, forgets sequences, and two clinics may hold the same value until one of them moves."""
    clinic = await make_clinic(ROW)
    schema = (await placement_of(tenancy, clinic.tenant_id)).home.schema
    odd = await server.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = $1::text::regnamespace AND relkind IN ('p', 'S')",
        schema,
    )
    unique = await server.fetch(
        "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey) AND a.attname = 'tenant_id'"
        " RIGHT JOIN pg_index u ON u.indexrelid = i.indexrelid"
        " JOIN pg_class t ON t.oid = u.indrelid AND t.relnamespace = $1::text::regnamespace"
        " WHERE u.indisunique AND a.attname IS NULL AND t.relname NOT LIKE 'alembic%'",
        schema,
    )
    assert (odd, unique) == ([], [])
