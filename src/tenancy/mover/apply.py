"""Writes streamed changes into a home, each exactly once: what was applied up to where is kept in the same transaction."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from msgspec import Struct

from tenancy.credentials import DatabaseRole
from tenancy.installer import quoted
from tenancy.mover.errors import AttemptLostError, StreamError, TablesChangedError
from tenancy.mover.pgoutput import UNCHANGED, Change, Transaction
from tenancy.mover.phases import Phase, Reached
from tenancy.mover.tables import Shapes, TableShape
from tenancy.pools import Pools
from tenancy.tenant import Placement

CONNECTION_SETTINGS: Final = (
    # Foreign keys, guards and audit triggers have done their work at the source; row-level security stays on.
    "SET session_replication_role = replica; SET synchronous_commit = on;"
    " SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET timezone = 'UTC';"
    " SET extra_float_digits = 1; SET bytea_output = 'hex'"
)

TAKE_POSITION = """
UPDATE tenancy.move_stream SET applied_lsn = $4::text::pg_lsn
 WHERE tenant_id = $1 AND schema_name = $2 AND attempt = $3
   AND pg_catalog.set_config('synchronous_commit', $5, true) IS NOT NULL
"""
POSITION = """
SELECT (applied_lsn - '0/0')::bigint FROM tenancy.move_stream WHERE tenant_id = $1 AND schema_name = $2 AND attempt = $3
"""


class _Statement(Struct, frozen=True):
    """One SQL text and the parameters of one change."""

    text: str
    values: tuple[str | None, ...]


Touched = set[tuple[str, tuple[str | None, ...]]]
"""Tables and keys, as text, that a stream has changed."""


class Applier:
    """One connection that applies to one home under one attempt."""

    def __init__(
        self,
        pools: Pools,
        placement: Placement,
        shapes: Shapes,
        *,
        attempt: int,
        reached: Reached,
    ) -> None:
        self._pools = pools
        self._placement = placement
        self._shapes = shapes
        self._attempt = attempt
        self._reached = reached
        self.connection: Any = None
        self.applied_lsn = 0
        self.touched: Touched = set()
        """What was changed since somebody last looked and cleared it."""

    async def open(self) -> None:
        """Connect and look how far earlier work has come."""
        home = self._placement.home
        self.connection = await self._pools.connect(home.server, home.database, DatabaseRole.MOVER)
        await self.connection.execute(CONNECTION_SETTINGS)
        self.applied_lsn = await self.connection.fetchval(POSITION, *self._row()) or 0

    async def close(self) -> None:
        """Close the connection."""
        if self.connection is not None:
            await self.connection.close()

    async def apply(self, transactions: Sequence[Transaction], *, is_flushed: bool = True) -> int:
        """Apply those that were not applied yet, in one transaction; return how many changes that were.

        Compared are the ends of transactions: two commit records may touch, so that one's end is the next one's
        beginning. Without `is_flushed` the caller sees to it that a later commit flushes the log before the source
        may forget these changes. Raises `AttemptLostError`, `StreamError`, `TablesChangedError`.
        """
        fresh = [t for t in transactions if t.end_lsn > self.applied_lsn]
        if not fresh:
            return 0
        end = fresh[-1].end_lsn
        changes = [change for transaction in fresh for change in transaction.changes]
        self._check(changes)
        async with self.connection.transaction():
            await self._take_position(end, is_flushed=is_flushed)
            sent = map(self._statement, by_table(changes))
            for text, alike in groupby(sent, lambda statement: statement.text):
                await self.connection.executemany(text, [statement.values for statement in alike])
            self._reached(Phase.APPLY_BEFORE_COMMIT)
        self.applied_lsn = end
        self.touched.update(self._keys(changes))
        return len(changes)

    async def start_at(self, lsn: int) -> None:
        """Set the position before anything is applied: what the target holds already ends there."""
        async with self.connection.transaction():
            await self._take_position(lsn)
        self.applied_lsn = lsn

    async def _take_position(self, lsn: int, *, is_flushed: bool = True) -> None:
        flushing = "on" if is_flushed else "off"
        done = await self.connection.execute(TAKE_POSITION, *self._row(), lsn_text(lsn), flushing)
        if done.endswith(" 0"):
            raise AttemptLostError

    def _row(self) -> tuple[Any, str, int]:
        return self._placement.tenant_id, self._placement.home.schema, self._attempt

    def _statement(self, change: Change) -> _Statement:
        shape = self._shape(change)
        table = f"{quoted(self._placement.home.schema)}.{quoted(shape.name)}"
        if change.new is None:
            key = _texts(change.key())
            return _Statement(
                _sure(f"DELETE FROM {table} WHERE {_equal(shape, key, 1)}"), tuple(key.values())
            )
        row = {
            name: value
            for name, value in zip(change.relation.columns, change.new, strict=True)
            if value is not UNCHANGED
        }
        values = _texts(row)
        if change.kind == "insert":
            places = ", ".join(f"${i}::text::{shape.type_of(n)}" for i, n in enumerate(values, 1))
            names = ", ".join(map(quoted, values))
            return _Statement(
                f"INSERT INTO {table} ({names}) VALUES ({places})", tuple(values.values())
            )
        key = _texts(change.key())
        setting = ", ".join(
            f"{quoted(n)} = ${i}::text::{shape.type_of(n)}" for i, n in enumerate(values, 1)
        )
        return _Statement(
            _sure(f"UPDATE {table} SET {setting} WHERE {_equal(shape, key, len(values) + 1)}"),
            (*values.values(), *key.values()),
        )

    def _shape(self, change: Change) -> TableShape:
        shape = self._shapes.get(change.relation.table)
        if shape is None:
            raise TablesChangedError(
                f"the stream names table {change.relation.table}, unknown here"
            )
        return shape

    def _check(self, changes: Sequence[Change]) -> None:
        """Raise `TablesChangedError` where the stream names what was not there when the move began."""
        for change in {change.relation.table: change for change in changes}.values():
            known = {column.name for column in self._shape(change).columns}
            if strange := set(change.relation.columns) - known:
                raise TablesChangedError(
                    f"the stream names columns unknown here: {', '.join(sorted(strange))}"
                )

    def _keys(self, changes: Sequence[Change]) -> Iterator[tuple[str, tuple[str | None, ...]]]:
        for change in changes:
            shape = self._shape(change)
            for row in (change.old, change.new):
                if row is not None:
                    named = dict(zip(change.relation.columns, row, strict=True))
                    yield shape.name, tuple(_text(named[name]) for name in shape.key)


def by_table(changes: Sequence[Change]) -> list[Change]:
    """Return the changes table by table, each table's in their order, so that many go in one message.

    What is changed in one table means nothing to another one here: foreign keys are not checked while applying.
    """
    tables: dict[str, list[Change]] = {}
    for change in changes:
        tables.setdefault(change.relation.table, []).append(change)
    return [change for of_one in tables.values() for change in of_one]


def lsn_text(lsn: int) -> str:
    """Return a position as PostgreSQL writes it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def _sure(statement: str) -> str:
    """Let a statement fail unless it changes exactly one row: its answer is not looked at when many are sent at once."""
    return f"WITH changed AS ({statement} RETURNING 1) SELECT 1 / count(*) FROM changed"


def _equal(shape: TableShape, key: dict[str, str | None], first: int) -> str:
    return " AND ".join(
        f"{quoted(name)} = ${number}::text::{shape.type_of(name)}"
        for number, name in enumerate(key, first)
    )


def _texts(row: dict[str, Any]) -> dict[str, str | None]:
    return {name: _text(value) for name, value in row.items()}


def _text(value: Any) -> str | None:
    if value is UNCHANGED:
        raise StreamError("a key value was not sent")
    return None if value is None else str(value)
