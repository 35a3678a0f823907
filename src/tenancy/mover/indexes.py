"""Takes the indexes off a home of its own while it is loaded, and builds them once the rows are there.

Rows arrive three times as fast without them. A move that dies in between leaves a home without some of its indexes;
the next attempt makes the home anew.
"""

from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

from tenancy.credentials import DatabaseRole
from tenancy.installer import quoted
from tenancy.mover.claims import hold_loading
from tenancy.mover.side_by_side import side_by_side
from tenancy.pools import Pools
from tenancy.tenant import Placement

BUILDS_AT_ONCE_MAX: Final = 2
"""One a core: a build is nothing but sorting."""

BUILD_SETTINGS: Final = {
    "search_path": "",
    "maintenance_work_mem": "128MB",
    "max_parallel_maintenance_workers": "0",
    "synchronous_commit": "off",
}

# The primary key stays: chunks are hashed along it, and it is the replica identity. Unique and exclusion constraints
# go with their indexes.
DEFINITIONS = """
SELECT t.relname::text AS table, i.relname::text AS index, c.conname::text AS constraint,
       CASE WHEN c.oid IS NULL THEN pg_catalog.pg_get_indexdef(i.oid) ELSE pg_catalog.pg_get_constraintdef(c.oid) END
         AS definition
  FROM pg_catalog.pg_index x
  JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
  JOIN pg_catalog.pg_class t ON t.oid = x.indrelid
  LEFT JOIN pg_catalog.pg_constraint c ON c.conindid = i.oid AND c.conrelid = t.oid AND c.contype IN ('u', 'x')
 WHERE t.relnamespace = $1::text::regnamespace AND NOT x.indisprimary
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint f WHERE f.conindid = i.oid AND f.contype = 'f')
 ORDER BY t.relname, i.relname
"""


class _Index(Struct, frozen=True):
    table: str
    index: str
    constraint: str | None
    definition: str

    def drop(self, schema: str) -> str:
        if self.constraint is None:
            return f"DROP INDEX {schema}.{quoted(self.index)}"
        return (
            f"ALTER TABLE {schema}.{quoted(self.table)} DROP CONSTRAINT {quoted(self.constraint)}"
        )

    def build(self, schema: str) -> str:
        if self.constraint is None:
            return self.definition
        return (
            f"ALTER TABLE {schema}.{quoted(self.table)}"
            f" ADD CONSTRAINT {quoted(self.constraint)} {self.definition}"
        )


class DeferredIndexes:
    """The indexes of one home that is being loaded."""

    def __init__(self, pools: Pools, target: Placement, attempt: int) -> None:
        self._pools = pools
        self._target = target
        self._attempt = attempt
        self._home = target.home
        self._schema = quoted(target.home.schema)
        self._indexes: list[_Index] = []

    async def drop(self) -> None:
        """Take off every index but the primary keys'. Nobody reads or writes the home yet.

        The home is held in this attempt meanwhile: from one that serves, nobody takes a constraint. Raises
        `AttemptLostError`.
        """
        connection = await self._connect()
        try:
            self._indexes = [
                _Index(*row) for row in await connection.fetch(DEFINITIONS, self._schema)
            ]
            async with connection.transaction():
                await hold_loading(connection, self._target, self._attempt)
                for index in self._indexes:
                    await connection.execute(index.drop(self._schema))
        finally:
            await connection.close()

    async def build(self) -> None:
        """Build them again, the tables side by side, and let the planner look at what was loaded.

        The home is held in this attempt during each build: a successor makes it anew and builds its own. Raises
        `AttemptLostError`.
        """
        by_table: dict[str, list[_Index]] = {}
        for index in self._indexes:
            by_table.setdefault(index.table, []).append(index)
        tables = iter(sorted(by_table.items(), key=lambda item: -len(item[1])))
        await side_by_side(self._build(tables) for _ in range(BUILDS_AT_ONCE_MAX))

    async def _build(self, tables: Iterator[tuple[str, list[_Index]]]) -> None:
        connection = await self._connect()
        try:
            for table, indexes in tables:
                analyze = f"ANALYZE {self._schema}.{quoted(table)}"
                for statement in (*(index.build(self._schema) for index in indexes), analyze):
                    async with connection.transaction():
                        await hold_loading(connection, self._target, self._attempt)
                        await connection.execute(statement)
        finally:
            await connection.close()

    async def _connect(self) -> Any:
        """Connect as the migrator without becoming the owner: a check of constraints must see every row."""
        return await self._pools.connect(
            self._home.server,
            self._home.database,
            DatabaseRole.MIGRATOR,
            settings=BUILD_SETTINGS,
        )
