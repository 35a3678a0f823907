"""Rows in shared tables: many clinics in one schema, told apart by row-level security."""

from typing import Any

from tenancy.credentials import DatabaseRole
from tenancy.errors import HomeServesError
from tenancy.home_connection import HomeConnection
from tenancy.installer import SERVING, Installer, quoted
from tenancy.pools import Pools
from tenancy.tenant import Home, ServerTier, StrategyName, TenantId

POOL_SCHEMA = "pool"
ROWS_A_BATCH_MAX = 5_000

_HELD_HOME = (
    "SELECT state, epoch, attempt, move_id FROM tenancy.tenant_home"
    " WHERE tenant_id = $1 AND schema_name = $2 FOR SHARE"
)


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
        """Delete the tenant's rows in every table, batch by batch, past the guards of append-only ones.

        The home's row is held during each batch and must be what it was when the work began: one who slept meanwhile
        deletes nothing of a clinic that has come back. Raises `HomeServesError`. Takes row locks of this tenant alone;
        foreign keys are not checked, since all its rows go.
        """
        connection = await self._pools.connect(home.server, home.database, DatabaseRole.MOVER)
        try:
            await connection.execute("SET session_replication_role = replica")
            tables = await connection.fetch(
                "SELECT table_name FROM information_schema.columns"
                " WHERE table_schema = $1 AND column_name = 'tenant_id'",
                home.schema,
            )
            begun = await connection.fetchrow(_HELD_HOME, tenant_id, home.schema)
            for (table,) in tables:
                name = f"{quoted(home.schema)}.{quoted(table)}"
                while await _delete_batch(connection, name, tenant_id, home, begun):
                    pass
        finally:
            await connection.close()


async def _delete_batch(
    connection: Any, table: str, tenant_id: TenantId, home: Home, begun: Any
) -> bool:
    """Delete the next rows; return whether there were any."""
    async with connection.transaction():
        now = await connection.fetchrow(_HELD_HOME, tenant_id, home.schema)
        if now != begun or (now is not None and now["state"] in SERVING):
            raise HomeServesError
        done = await connection.execute(
            f"DELETE FROM {table} WHERE ctid = ANY (ARRAY("  # noqa: S608  # quoted
            f"SELECT ctid FROM {table} WHERE tenant_id = $1 LIMIT {ROWS_A_BATCH_MAX}))",
            tenant_id,
        )
    return bool(done != "DELETE 0")
