"""Compares what two homes hold of a tenant: the keys a stream has touched, the newest rows, everything."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tenancy.credentials import DatabaseRole
from tenancy.installer import quoted
from tenancy.mover.apply import Touched
from tenancy.mover.errors import MismatchError
from tenancy.mover.progress import TableCount
from tenancy.mover.tables import Shapes, TableShape
from tenancy.pools import Pools
from tenancy.tenant import Home, TenantId

KEYS_A_QUERY_MAX: Final = 1_000
COMPARE_LANES_MAX: Final = 2


async def compare_touched(
    shapes: Shapes,
    tenant_id: TenantId,
    touched: Touched,
    here: tuple[Any, Home],
    there: tuple[Any, Home],
) -> None:
    """Raise `MismatchError` unless both homes agree on the touched rows and on the newest key of every table.

    `here` and `there` are a connection each with the home it reads. Both are asked at the same time.
    """
    mine, theirs = await asyncio.gather(
        _look(shapes, tenant_id, touched, *here), _look(shapes, tenant_id, touched, *there)
    )
    differing = sorted(name for name in mine if mine[name] != theirs[name])
    if differing:
        raise MismatchError(tuple(differing))


async def _look(
    shapes: Shapes, tenant_id: TenantId, touched: Touched, connection: Any, home: Home
) -> dict[str, object]:
    heads = " UNION ALL ".join(
        f"(SELECT '{shape.name}', ({_key_texts(shape)}) FROM {quoted(home.schema)}.{quoted(shape.name)}"
        f" WHERE tenant_id = $1 ORDER BY {_descending(shape)} LIMIT 1)"
        for shape in shapes.values()
        # By a text key two databases may differ in what is newest, and without their own order it would be a sort.
        if shape.key_order() == shape.key_names()
    )
    found: dict[str, object] = {}
    for name, head in await connection.fetch(heads, tenant_id):
        found[name] = [head]
    by_table: dict[str, list[tuple[str | None, ...]]] = {}
    for name, key in touched:
        by_table.setdefault(name, []).append(key)
    for name in sorted(by_table):
        keys = sorted(by_table[name], key=str)
        hashes = [
            await _hash_of(shapes[name], home, connection, keys[at : at + KEYS_A_QUERY_MAX])
            for at in range(0, len(keys), KEYS_A_QUERY_MAX)
        ]
        found[name] = [found.get(name), hashes]
    return {name: found.get(name) for name in shapes}


async def _hash_of(
    shape: TableShape, home: Home, connection: Any, keys: Sequence[tuple[str | None, ...]]
) -> TableCount:
    columns = [[key[position] for key in keys] for position in range(len(shape.key))]
    arrays = ", ".join(f"${number}::text[]" for number in range(1, len(columns) + 1))
    names = ", ".join(f"k{number}" for number in range(1, len(columns) + 1))
    same = " AND ".join(
        f"t.{quoted(name)} = k.k{number}::{shape.type_of(name)}"
        for number, name in enumerate(shape.key, 1)
    )
    row = await connection.fetchrow(
        f"SELECT count(*), coalesce(sum({shape.row_hash('t')}), 0)::text"
        f" FROM unnest({arrays}) AS k({names}) JOIN {quoted(home.schema)}.{quoted(shape.name)} t ON {same}",
        *columns,
    )
    return TableCount(rows=row[0], hash=int(row[1]))


def _key_texts(shape: TableShape) -> str:
    return " || ' ' || ".join(f"{quoted(name)}::text" for name in shape.key)


def _descending(shape: TableShape) -> str:
    return ", ".join(f"{quoted(name)} DESC" for name in shape.key)


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
    row = await connection.fetchrow(
        f"SELECT count(*), coalesce(sum({shape.row_hash()}), 0)::text"
        f" FROM {quoted(home.schema)}.{quoted(shape.name)} WHERE tenant_id = $1",
        tenant_id,
    )
    return TableCount(rows=row[0], hash=int(row[1]))


def differing(mine: Mapping[str, TableCount], theirs: Mapping[str, TableCount]) -> tuple[str, ...]:
    """Return the tables in which two homes differ."""
    return tuple(name for name in sorted({*mine, *theirs}) if mine.get(name) != theirs.get(name))
