"""Whether a server is one that the registry has already, under this name or another: two names would halve its truth."""

from typing import Any

import asyncpg

from app.cli.errors import CommandError
from app.cli.workplace import Workplace
from app.postgres import ExternalServer
from tenancy.credentials import CONNECT_S_MAX, MAINTENANCE_DATABASE, DatabaseRole
from tenancy.errors import TenancyError


async def refuse_registered(workplace: Workplace, server: ExternalServer) -> None:
    """Raise `CommandError` when the name is taken, or the server is reached under another name already.

    Nothing has been changed on the server then. A registered server that is down is compared by its address alone.
    """
    identity = await _identity(await asyncpg.connect(**server.administrator, timeout=CONNECT_S_MAX))
    for record in await workplace.tenancy.store.servers.all():
        if record.name == server.name:
            raise CommandError(f"there is a server {server.name} already: choose another name")
        is_same = (record.host, record.port) == (server.host, server.port)
        if is_same or await _identity_of(workplace, record.name) == identity:
            raise CommandError(
                f"the server at {server.host}:{server.port} is registered already, as {record.name}"
            )


async def _identity_of(workplace: Workplace, name: str) -> int | None:
    """Return the identity of a registered server, None where it cannot be asked."""
    pools = workplace.tenancy.pools
    try:
        return await _identity(
            await pools.connect(name, MAINTENANCE_DATABASE, DatabaseRole.MIGRATOR)
        )
    except (TenancyError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return None


async def _identity(connection: Any) -> int:
    """Return what initdb drew for the cluster, the same in every copy of it; closes the connection."""
    try:
        identity: int = await connection.fetchval(
            "SELECT system_identifier FROM pg_catalog.pg_control_system()"
        )
    finally:
        await connection.close()
    return identity
