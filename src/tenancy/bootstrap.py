"""Makes a bare PostgreSQL server fit for us, once: roles, the registry's database, the pool's database."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import asyncpg

from tenancy.credentials import CONNECT_S_MAX, MAINTENANCE_DATABASE, Credentials, DatabaseRole
from tenancy.errors import TenancyError
from tenancy.installer import Installer, quoted
from tenancy.migrations import REGISTRY_TREE, TENANT_TREE, migrations_directory, upgrade_schema
from tenancy.pools import Pools
from tenancy.strategy import Strategy, shared_homes
from tenancy.tenant import Home, Server

REGISTRY_SCHEMA = "registry"
BOOTSTRAP_LOCK = 7304

log = logging.getLogger(__name__)


class ServerNotPreparedError(TenancyError):
    """The server lacks our roles and this user may not create them: run `clinic servers roles-sql` as an administrator."""


def roles_script(credentials: Credentials) -> str:
    """Return `config/postgres/roles.sql` followed by the statements that set the roles' passwords."""
    beside = migrations_directory().parent
    source = beside / "config" / "postgres" / "roles.sql"
    if not source.is_file():
        source = beside / "_postgres" / "roles.sql"
    passwords = "\n".join(
        f"ALTER ROLE {role.value} PASSWORD '{credentials.password(role)}';" for role in DatabaseRole
    )
    return f"{Path(source).read_text(encoding='utf-8')}\n{passwords}\n"


async def prepare_roles(
    administrator: Mapping[str, Any], server: Server, credentials: Credentials
) -> None:
    """Bring the roles, their passwords and time-outs to what this release needs; safe to run again.

    `administrator` holds `asyncpg.connect` arguments. A user who may not is no
    harm where every role can log in already; else raises `ServerNotPreparedError`.
    """
    connection = await asyncpg.connect(**administrator, timeout=CONNECT_S_MAX)
    try:
        await connection.execute(f"SELECT pg_advisory_lock({BOOTSTRAP_LOCK}, 0)")
        await connection.execute(f"BEGIN; {roles_script(credentials)}; COMMIT;")
    except asyncpg.InsufficientPrivilegeError as error:
        if not await _roles_work(server, credentials):
            raise ServerNotPreparedError from error
    finally:
        await connection.close()


async def _roles_work(server: Server, credentials: Credentials) -> bool:
    for role in DatabaseRole:
        arguments = credentials.connect_arguments(server, MAINTENANCE_DATABASE, role)
        try:
            connection = await asyncpg.connect(**arguments)
        except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidPasswordError):
            return False
        await connection.close()
    return True


async def prepare_registry(pools: Pools, installer: Installer, server: str, database: str) -> None:
    """Create the registry's database and bring it to the newest revision."""
    await installer.create_database(server, database)
    connection = await pools.connect(server, database, DatabaseRole.MIGRATOR)
    try:
        await connection.execute(
            "SET client_min_messages = warning; SET ROLE clinic_owner;"
            f" REVOKE ALL ON DATABASE {quoted(database)} FROM PUBLIC;"
            f" GRANT CONNECT ON DATABASE {quoted(database)} TO clinic_registry;"
            f" GRANT CONNECT, CREATE ON DATABASE {quoted(database)} TO clinic_migrator;"
            f" CREATE SCHEMA IF NOT EXISTS {REGISTRY_SCHEMA}; CREATE SCHEMA IF NOT EXISTS extensions;"
            " CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA extensions;"
            f" GRANT USAGE ON SCHEMA {REGISTRY_SCHEMA}, extensions TO clinic_registry, clinic_migrator;"
            " RESET ROLE"
        )
        await upgrade_schema(connection, REGISTRY_TREE, REGISTRY_SCHEMA)
    finally:
        await connection.close()


async def prepare_homes(
    pools: Pools, installer: Installer, strategies: Iterable[Strategy], server: str
) -> None:
    """Create what the tenants of a server share: database, homes, gate and tables at the newest revision.

    Then make ready what new homes are made from.
    """
    strategies = tuple(strategies)
    for home in shared_homes(strategies, server):
        await installer.create_database(server, home.database)
        await installer.equip_database(server, home.database)
        await installer.install_schema(home, is_shared=True)
        await upgrade_home(pools, home)
    await make_ready(strategies, server)


async def make_ready(strategies: Iterable[Strategy], server: str) -> None:
    """Make what new homes are made from; where that fails they are made slowly, and `clinic doctor` says so."""
    for strategy in strategies:
        try:
            await strategy.prepare_server(server)
        except (
            TenancyError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            OSError,
        ) as error:
            log.warning(
                "server %s could not be made ready for %s: %s", server, strategy.name, error
            )


async def upgrade_home(pools: Pools, home: Home) -> tuple[str | None, str]:
    """Bring one home to the newest revision of the tenant tree; return the revisions before and after."""
    connection = await pools.connect(home.server, home.database, DatabaseRole.MIGRATOR)
    try:
        return await upgrade_schema(connection, TENANT_TREE, home.schema)
    finally:
        await connection.close()
