"""Rows in shared tables: many clinics in one schema, told apart by row-level security."""

from typing import Any

from tenancy.credentials import DatabaseRole
from tenancy.home_connection import HomeConnection
from tenancy.installer import Installer, quoted
from tenancy.pools import Pools
from tenancy.tenant import Home, ServerTier, StrategyName, TenantId

POOL_SCHEMA = "pool"


class RowStrategy:
    """The home is the shared schema of the server's pool database."""

    name = StrategyName.ROW
    is_dedicated = False
    server_tiers: tuple[ServerTier, ...] = (ServerTier.SHARED,)

    def __init__(self, installer: Installer, pools: Pools, pool_database: str) -> None:
        self._installer = installer
        self._pools = pools
        self._pool_database = pool_database

    def shared_homes(self, server: str) -> tuple[Home, ...]:
        """Return the shared schema of the server."""
        return (Home(server, self._pool_database, POOL_SCHEMA),)

    def is_own_database(self, database: str) -> bool:  # all share one
        """Return False: no database is one tenant's."""
        return False

    async def prepare_server(self, server: str) -> None:
        """Nothing is kept ready."""

    async def server_problems(self, connection: Any) -> dict[str, str]:  # nothing is kept ready
        """Return nothing."""
        return {}

    def home_for(self, tenant_id: TenantId, server: str) -> Home:  # all share one
        """Return the shared schema of the server."""
        return self.shared_homes(server)[0]

    async def prepare(self, home: Home) -> None:
        """Nothing is to be made: the pool exists since the server was added."""

    async def install(self, home: Home, through: HomeConnection | None = None) -> None:
        """Nothing is to be installed: the pool is migrated with the fleet."""

    async def remove(self, tenant_id: TenantId, home: Home) -> None:
        """Delete the tenant's rows in every table, past the guards of append-only ones.

        Takes row locks of this tenant alone; foreign keys are not checked, since all its rows go.
        """
        connection = await self._pools.connect(home.server, home.database, DatabaseRole.MOVER)
        try:
            async with connection.transaction():
                # Under the tenant's fence: a transaction that is still inside commits before its rows are looked for.
                await connection.execute(
                    "SELECT pg_catalog.pg_advisory_xact_lock(7301, tenancy.fence_key($1))",
                    tenant_id,
                )
                await connection.execute("SET LOCAL session_replication_role = replica")
                tables = await connection.fetch(
                    "SELECT table_name FROM information_schema.columns"
                    " WHERE table_schema = $1 AND column_name = 'tenant_id'",
                    home.schema,
                )
                for (table,) in tables:
                    await connection.execute(
                        f"DELETE FROM {quoted(home.schema)}.{quoted(table)} WHERE tenant_id = $1",  # noqa: S608  # quoted
                        tenant_id,
                    )
        finally:
            await connection.close()
