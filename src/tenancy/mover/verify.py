"""Compares everything that two homes hold of a tenant, each as it was at one moment."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tenancy.credentials import DatabaseRole
from tenancy.installer import quoted
from tenancy.mover.progress import TableCount
from tenancy.mover.tables import Shapes, TableShape
from tenancy.pools import Pools
from tenancy.tenant import Home, TenantId

COMPARE_LANES_MAX: Final = 2


class Snapshot:
    """A home as it was at one moment: one read-only transaction, and more that share its snapshot."""

    def __init__(self, pools: Pools, home: Home) -> None:
        self._pools = pools
        self._home = home
        self._connections: list[Any] = []

    async def take(self) -> None:
        """Look at the home now."""
        self._connections.append(await self._connect())
        await self._connections[0].execute("SELECT 1 FROM tenancy.tenant_home LIMIT 1")

    async def join(self, snapshot: str) -> None:
        """Look at the home as an exported snapshot shows it."""
        connection = await self._connect()
        self._connections.append(connection)
        await connection.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")

    async def prepare(self) -> None:
        """Connect, so that `take_prepared` needs one round trip."""
        connection = await self._pools.connect(
            self._home.server, self._home.database, DatabaseRole.MOVER
        )
        self._connections.append(connection)

    async def take_prepared(self) -> None:
        """Look at the home now, on the connection that waits for it."""
        await self._connections[0].execute(
            "BEGIN READ ONLY ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM tenancy.tenant_home LIMIT 1"
        )

    async def counts(self, shapes: Shapes, tenant_id: TenantId) -> dict[str, TableCount]:
        """Return rows and hash of every table."""
        exported = await self._connections[0].fetchval("SELECT pg_catalog.pg_export_snapshot()")
        while len(self._connections) < COMPARE_LANES_MAX:
            connection = await self._connect()
            self._connections.append(connection)
            await connection.execute(f"SET TRANSACTION SNAPSHOT '{exported}'")
        names = iter(sorted(shapes))
        counts: dict[str, TableCount] = {}

        async def work(connection: Any) -> None:
            for name in names:
                counts[name] = await count_table(connection, self._home, shapes[name], tenant_id)

        await asyncio.gather(*(work(connection) for connection in self._connections))
        return counts

    async def release(self) -> None:
        """End the transactions."""
        connections, self._connections = self._connections, []
        for connection in connections:
            await connection.close()

    async def _connect(self) -> Any:
        connection = await self._pools.connect(
            self._home.server, self._home.database, DatabaseRole.MOVER
        )
        await connection.execute("BEGIN READ ONLY ISOLATION LEVEL REPEATABLE READ")
        return connection


async def count_table(
    connection: Any, home: Home, shape: TableShape, tenant_id: TenantId
) -> TableCount:
    """Return rows and hash of the tenant in one table."""
    return await count_rows(connection, home, shape, "tenant_id = $1", [tenant_id])


async def count_rows(
    connection: Any, home: Home, shape: TableShape, condition: str, values: Sequence[Any]
) -> TableCount:
    """Return rows and hash of those rows of one table that meet a condition."""
    row = await connection.fetchrow(
        f"SELECT count(*), coalesce(sum({shape.row_hash()}), 0)::text"
        f" FROM {quoted(home.schema)}.{quoted(shape.name)} WHERE {condition}",
        *values,
    )
    return TableCount(rows=row[0], hash=int(row[1]))


def differing(mine: Mapping[str, TableCount], theirs: Mapping[str, TableCount]) -> tuple[str, ...]:
    """Return the tables in which two homes differ."""
    return tuple(name for name in sorted({*mine, *theirs}) if mine.get(name) != theirs.get(name))
