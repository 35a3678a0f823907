"""Lets clinics come back to connections that know them.

A back end analyses and plans a prepared statement anew when the search path is not that of its last use; for a join of
six tables that costs ten times the query itself. So each connection keeps the statements of every schema apart, and a
caller gets an idle connection that has served its schema before.
"""

import asyncio
from collections import OrderedDict
from typing import Any

from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry
from sqlalchemy.util.queue import AsyncAdaptedQueue, Empty

STATEMENTS_MAX = 500
"""Prepared statements of one connection, over all schemas."""

_SERVED = "statements_by_schema"


class SchemaStatements:
    """The prepared statements of one connection; stands in for SQLAlchemy's cache of them.

    Statements of the present `schema` alone are found; when there are too many, the one unused for longest goes,
    whichever schema it is of.
    """

    def __init__(self) -> None:
        self.schema = ""
        self._entries: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self._counts: dict[str, int] = {}

    def has_served(self, schema: str) -> bool:
        """Whether statements of the schema are kept."""
        return schema in self._counts

    def __contains__(self, statement: str) -> bool:
        """Whether the statement is kept for the present schema."""
        return (self.schema, statement) in self._entries

    def __getitem__(self, statement: str) -> Any:
        """Return what is kept with the statement."""
        key = (self.schema, statement)
        self._entries.move_to_end(key)
        return self._entries[key]

    def __setitem__(self, statement: str, prepared: Any) -> None:
        """Keep the statement for the present schema."""
        key = (self.schema, statement)
        if key not in self._entries:
            self._make_room()
            self._counts[self.schema] = self._counts.get(self.schema, 0) + 1
        self._entries[key] = prepared
        self._entries.move_to_end(key)

    def _make_room(self) -> None:
        if len(self._entries) < STATEMENTS_MAX:
            return
        (schema, _), _ = self._entries.popitem(last=False)
        self._counts[schema] -= 1
        if not self._counts[schema]:
            del self._counts[schema]


def statements_of(info: dict[Any, Any], schema: str) -> SchemaStatements:
    """Return the statements of the connection with this `info`, turned to `schema`."""
    statements: SchemaStatements | None = info.get(_SERVED)
    if statements is None:
        statements = info[_SERVED] = SchemaStatements()
    statements.schema = schema
    return statements


def _has_served(entry: ConnectionPoolEntry, schema: str) -> bool:
    statements: SchemaStatements | None = entry.info.get(_SERVED)
    return statements is not None and statements.has_served(schema)


class _IdleConnections(asyncio.Queue[ConnectionPoolEntry]):
    """Idle connections, the longest idle one first, which is what callers get whose schema none of them knows."""

    wanted: str | None = None

    def knows(self, schema: str) -> bool:
        """Whether one of them has served the schema."""
        return any(_has_served(entry, schema) for entry in self._queue)  # type: ignore[attr-defined]  # asyncio's own deque

    def _get(self) -> ConnectionPoolEntry:
        entries: Any = self._queue  # type: ignore[attr-defined]  # as above
        wanted, self.wanted = self.wanted, None
        for position in range(len(entries) - 1, -1, -1):
            if wanted is not None and _has_served(entries[position], wanted):
                entry: ConnectionPoolEntry = entries[position]
                del entries[position]
                return entry
        return super()._get()


class _AffinityQueue(AsyncAdaptedQueue[ConnectionPoolEntry]):
    """SQLAlchemy's queue over `_IdleConnections`."""

    wanted: str | None = None

    def __init__(self, maxsize: int = 0, use_lifo: bool = False) -> None:  # noqa: FBT001, FBT002  # SQLAlchemy's signature
        super().__init__(maxsize, use_lifo)
        self._idle = _IdleConnections(maxsize)

    @property
    def _queue(self) -> Any:
        return self._idle

    def get(self, block: bool = True, timeout: float | None = None) -> ConnectionPoolEntry:  # noqa: FBT001, FBT002  # as above
        """Return an idle connection. Without `block` the pool may still grow, which is better than a stranger."""
        wanted, self.wanted = self.wanted, None
        if not block and wanted is not None and not self._idle.knows(wanted):
            raise Empty
        self._idle.wanted = wanted
        return super().get(block, timeout)


class AffinityPool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool; the caller says before each `connect` which schema it will enter."""

    _queue_class = _AffinityQueue
    _pool: _AffinityQueue

    def prefer(self, schema: str) -> None:
        """Let the next `connect`, made without waiting for anything in between, prefer those that served `schema`."""
        self._pool.wanted = schema
