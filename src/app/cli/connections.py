"""Whether every registered server gives as many connections as the workers together may open there."""

import asyncio
from typing import Any, Final

import asyncpg

from app.cli.errors import CommandError
from app.cli.output import remark
from app.cli.workplace import Workplace
from app.settings import Settings
from tenancy.credentials import CONNECT_S_MAX, MAINTENANCE_DATABASE, DatabaseRole
from tenancy.errors import TenancyError
from tenancy.pools import REGISTRY_POOL_SIZE
from tenancy.provisioning import SETUPS_AT_ONCE_MAX
from tenancy.registry.records import ServerRecord

# Beside its pools a worker listens to the registry, and looks at its state when asked whether it is ready.
CONNECTIONS_BESIDE_POOLS: Final = 2
SERVERS_AT_ONCE_MAX: Final = 16


async def refuse_too_many_connections(workplace: Workplace) -> None:
    """Raise `CommandError` when all workers together could need more connections than a server gives.

    A server that cannot be asked is told in a line: it does not keep the other servers' clinics from being served.
    """
    settings, main = workplace.settings, workplace.server
    connection = await asyncpg.connect(**main.administrator, timeout=CONNECT_S_MAX)
    needed = needed_on_main(settings, is_pooled=main.address.is_pooled)
    refuse_too_few(settings, main.name, given=await given_by(connection), needed=needed)

    turns = asyncio.Semaphore(SERVERS_AT_ONCE_MAX)

    async def look(record: ServerRecord) -> None:
        async with turns:
            await _refuse_on(workplace, record)

    records = await workplace.tenancy.store.servers.all()
    await asyncio.gather(*(look(record) for record in records if record.name != main.name))


async def given_by(connection: Any) -> int:
    """Return how many connections the server gives to users without privileges; closes the connection."""
    try:
        given: int = await connection.fetchval(
            "SELECT sum(CASE name WHEN 'max_connections' THEN 1 ELSE -1 END * setting::int)"
            " FROM pg_catalog.pg_settings WHERE name IN"
            " ('max_connections', 'superuser_reserved_connections', 'reserved_connections')"
        )
    finally:
        await connection.close()
    return given


def needed_on_main(settings: Settings, *, is_pooled: bool) -> int:
    """Return how many connections all workers may open on the server that holds the registry too.

    What goes through a pooler is the pooler's to bound.
    """
    registry = REGISTRY_POOL_SIZE + CONNECTIONS_BESIDE_POOLS
    in_pools = 0 if is_pooled else settings.connections_max_per_worker
    return settings.workers * (in_pools + SETUPS_AT_ONCE_MAX + registry)


def needed_for_clinics(settings: Settings, capacity: int, *, is_pooled: bool = False) -> int:
    """Return how many connections all workers may open on a server that holds clinics alone.

    As many as it has pools for, and one beside them for each set-up; with a pooler the latter alone.
    """
    pools = settings.pool_size_shared + settings.pool_size_dedicated * capacity
    in_pools = 0 if is_pooled else min(settings.connections_max_per_worker, pools)
    return settings.workers * (in_pools + SETUPS_AT_ONCE_MAX)


def refuse_too_few(settings: Settings, name: str, *, given: int, needed: int) -> None:
    """Raise `CommandError` with the way out when the server gives fewer connections than are needed."""
    if needed > given:
        raise CommandError(
            f"{settings.workers} workers may need {needed} connections and PostgreSQL of server {name} gives {given}:"
            " lower CLINIC_WORKERS or CLINIC_CONNECTIONS_MAX_PER_WORKER, or raise max_connections there"
        )


async def _refuse_on(workplace: Workplace, record: ServerRecord) -> None:
    settings = workplace.settings
    try:
        connection = await workplace.tenancy.pools.connect(
            record.name, MAINTENANCE_DATABASE, DatabaseRole.MIGRATOR
        )
        given = await given_by(connection)
    except (TenancyError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = str(error.__cause__ or error) or "no answer in time"
        remark(
            f"Server {record.name} ({record.host}:{record.port}) cannot be used, its {record.placements} clinics"
            f" are unavailable until it can: {' '.join(reason.split())}"
        )
        return
    server = await workplace.tenancy.store.servers.by_name(record.name)
    is_pooled = server is not None and server.is_pooled
    needed = needed_for_clinics(settings, record.capacity, is_pooled=is_pooled)
    refuse_too_few(settings, record.name, given=given, needed=needed)
