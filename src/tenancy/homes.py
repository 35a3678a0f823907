"""The home rows: opened once a home is complete, closed before it is removed. Written by the migrator alone."""

from typing import Any

import msgspec

from tenancy.credentials import DatabaseRole
from tenancy.home_connection import HomeConnection
from tenancy.pools import Pools
from tenancy.tenant import Home, Placement, TenantId


class Homes:
    """Reads and writes `tenancy.tenant_home` in the database of a home."""

    def __init__(self, pools: Pools) -> None:
        self._pools = pools

    def connection(self, home: Home) -> HomeConnection:
        """Return a connection for several steps at one home; nothing happens before its first use."""
        return HomeConnection(self._pools, home)

    async def open(self, placement: Placement, through: HomeConnection | None = None) -> None:
        """Let the tenant in at this home with the placement's epoch; does nothing if it already is."""
        connection = through or self.connection(placement.home)
        try:
            driver = await connection.get()
            await driver.execute(
                "INSERT INTO tenancy.tenant_home (tenant_id, schema_name, strategy, epoch, state)"
                " VALUES ($1, $2, $3, $4, 'active') ON CONFLICT (tenant_id, schema_name) DO UPDATE"
                " SET epoch = excluded.epoch, state = 'active', forward_to = NULL, changed_at = now()"
                " WHERE tenant_home.epoch < excluded.epoch",
                placement.tenant_id,
                placement.home.schema,
                placement.strategy.value,
                placement.epoch,
            )
        finally:
            if connection is not through:
                await connection.close()

    async def close(self, tenant_id: TenantId, home: Home) -> None:
        """Remove the tenant's row at this home; from then on nobody enters there, and nobody is inside.

        Takes the tenant's fence: transactions that are inside are waited for, so that none commits rows afterwards.
        """
        connection = await self._connect(home)
        try:
            async with connection.transaction():
                await connection.execute(
                    "SELECT pg_catalog.pg_advisory_xact_lock(7301, tenancy.fence_key($1))",
                    tenant_id,
                )
                await connection.execute(
                    "DELETE FROM tenancy.tenant_home WHERE tenant_id = $1 AND schema_name = $2",
                    tenant_id,
                    home.schema,
                )
        finally:
            await connection.close()

    async def forward(self, tenant_id: TenantId, old: Home, new: Placement) -> None:
        """Mark the tenant as moved away from `old` to `new`: the row takes the new epoch and the address."""
        address = msgspec.to_builtins(new.home) | {"strategy": new.strategy.value}
        connection = await self._connect(old)
        try:
            await connection.execute(
                "UPDATE tenancy.tenant_home SET state = 'moved', epoch = $3, forward_to = $4,"
                " changed_at = now() WHERE tenant_id = $1 AND schema_name = $2",
                tenant_id,
                old.schema,
                new.epoch,
                msgspec.json.encode(address).decode(),
            )
        finally:
            await connection.close()

    async def _connect(self, home: Home) -> Any:
        return await self._pools.connect(home.server, home.database, DatabaseRole.MIGRATOR)
