"""Copies a tenant's rows under one snapshot: in chunks of the primary key, several at once, each hashed on both sides.

Hashed are the rows as PostgreSQL sends them in binary form and in the order of their keys: on their way from the
source, and once more as the target sends them back. So the source reads each row once.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any, Final

from msgspec import Struct

from tenancy.credentials import DatabaseRole
from tenancy.installer import quoted
from tenancy.mover.claims import hold_loading
from tenancy.mover.errors import MismatchError
from tenancy.mover.phases import Phase, Reached
from tenancy.mover.plan import MovePlan
from tenancy.mover.progress import ProgressBoard, TableCount
from tenancy.mover.tables import Shapes, TableShape
from tenancy.pools import Pools

CHUNK_ROWS: Final = 20_000
LANES_MAX: Final = 3
"""Two cores saturate with two tables at once; a third lane fills the waits."""

HASH_OCTETS: Final = 16
SINK_SETTINGS: Final = "SET session_replication_role = replica; SET synchronous_commit = off"
PIECES_WAITING_MAX: Final = 32
"""Pieces of COPY data between source and target, of about 64 KiB each."""


class Chunk(Struct, frozen=True, kw_only=True):
    """The rows of one table after key `after` up to and with `upto`; None is an open end."""

    shape: TableShape
    after: tuple[Any, ...] | None
    upto: tuple[Any, ...] | None

    def condition(self) -> str:
        """Return the WHERE clause; its values are numbered from $2, $1 is the tenant."""
        parts, number = ["tenant_id = $1"], 2
        for bound, comparison in ((self.after, ">"), (self.upto, "<=")):
            if bound is not None:
                places = ", ".join(f"${number + i}" for i in range(len(bound)))
                parts.append(f"({self.shape.key_order()}) {comparison} ({places})")
                number += len(bound)
        return " AND ".join(parts)

    def values(self, tenant_id: Any) -> list[Any]:
        """Return the values of the WHERE clause."""
        return [tenant_id, *(self.after or ()), *(self.upto or ())]


class Copy:
    """One copy of all rows, from the snapshot to the target of one attempt."""

    def __init__(
        self,
        pools: Pools,
        plan: MovePlan,
        *,
        attempt: int,
        board: ProgressBoard,
        reached: Reached,
    ) -> None:
        self._pools = pools
        self._plan = plan
        self._attempt = attempt
        self._board = board
        self._reached = reached

    async def run(self, shapes: Shapes, snapshot: str | None) -> None:
        """Copy every table as `snapshot` shows it; without one as it is, while nobody writes.

        Raises `MismatchError` when a chunk at the target is not what was read, `AttemptLostError`.
        """
        lanes: list[_Lane] = []
        try:
            for _ in range(LANES_MAX):
                lanes.append(await self._open_lane(snapshot))  # noqa: PERF401  # those opened are closed
            chunks = await self._chunks(lanes[0], shapes)
            queue = iter(chunks)
            async with asyncio.TaskGroup() as group:
                for lane in lanes:
                    group.create_task(self._work(lane, queue))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            for lane in lanes:
                await lane.close()

    async def _open_lane(self, snapshot: str | None) -> "_Lane":
        target, home = self._plan.target.home, self._plan.source.home
        lane = _Lane()
        try:
            lane.sink = await self._pools.connect(
                target.server, target.database, DatabaseRole.MOVER
            )
            await lane.sink.execute(SINK_SETTINGS)
            lane.source = await self._pools.connect(home.server, home.database, DatabaseRole.MOVER)
            await lane.source.execute("BEGIN READ ONLY ISOLATION LEVEL REPEATABLE READ")
            if snapshot is not None:
                await lane.source.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        except BaseException:
            await lane.close()
            raise
        return lane

    async def _chunks(self, lane: "_Lane", shapes: Shapes) -> list[Chunk]:
        chunks: list[Chunk] = []
        for shape in shapes.values():
            bounds = await self._bounds(lane.source, shape)
            edges: Sequence[tuple[Any, ...] | None] = [None, *bounds, None]
            chunks += [
                Chunk(shape=shape, after=after, upto=upto) for after, upto in pairwise(edges)
            ]
            self._board.expect(shape.name, await self._estimate(lane.source, shape, len(bounds)))
        # The largest tables first, so that no lane is left with one of them at the end.
        counts = {name: sum(c.shape.name == name for c in chunks) for name in shapes}
        return sorted(chunks, key=lambda chunk: -counts[chunk.shape.name])

    async def _bounds(self, source: Any, shape: TableShape) -> list[tuple[Any, ...]]:
        """Return every `CHUNK_ROWS`-th key, in order: one walk over the primary key."""
        rows = await source.fetch(
            f"SELECT {shape.key_names()} FROM (SELECT {shape.key_names()}, row_number() OVER (ORDER BY"
            f" {shape.key_order()}) AS place FROM {self._source_table(shape)} WHERE tenant_id = $1) AS walk"
            f" WHERE place % {CHUNK_ROWS} = 0 ORDER BY {shape.key_order()}",
            self._plan.tenant_id,
        )
        return [tuple(row) for row in rows]

    async def _estimate(self, source: Any, shape: TableShape, bounds: int) -> int:
        if bounds:
            return bounds * CHUNK_ROWS
        return int(
            await source.fetchval(
                f"SELECT count(*) FROM {self._source_table(shape)} WHERE tenant_id = $1",
                self._plan.tenant_id,
            )
        )

    async def _work(self, lane: "_Lane", queue: Any) -> None:
        for chunk in queue:
            await self._copy(lane, chunk)
            self._reached(Phase.COPY_CHUNK)

    async def _copy(self, lane: "_Lane", chunk: Chunk) -> None:
        async with lane.sink.transaction():
            await hold_loading(lane.sink, self._plan.target, self._attempt)
            sent = await self._pipe(lane, chunk)
            there = _Digest()
            await self._read(lane.sink, self._target_table(chunk.shape), chunk, there.take)
        if sent.value() != there.value():
            raise MismatchError((chunk.shape.name,))
        self._board.copied(chunk.shape.name, sent.count(), sent.octets)

    async def _pipe(self, lane: "_Lane", chunk: Chunk) -> "_Digest":
        """Send the chunk's rows through, in PostgreSQL's binary form, which nobody here looks into."""
        pieces: asyncio.Queue[bytes | None] = asyncio.Queue(PIECES_WAITING_MAX)
        digest = _Digest()

        async def keep(piece: bytes) -> None:
            await digest.take(piece)
            await pieces.put(piece)

        async def read() -> None:
            source = self._source_table(chunk.shape)
            digest.rows = await self._read(lane.source, source, chunk, keep)
            await pieces.put(None)

        async def arriving() -> AsyncIterator[bytes]:
            while (piece := await pieces.get()) is not None:
                yield piece

        reading = asyncio.ensure_future(read())
        try:
            writing = asyncio.ensure_future(
                lane.sink.copy_to_table(
                    chunk.shape.name,
                    source=arriving(),
                    schema_name=self._plan.target.home.schema,
                    columns=[column.name for column in chunk.shape.stored],
                    format="binary",
                )
            )
            await _both(reading, writing)
        finally:
            await self._board.throttle(digest.octets)
        return digest

    async def _read(
        self, connection: Any, table: str, chunk: Chunk, take: Callable[[bytes], Awaitable[None]]
    ) -> int:
        """Hand the chunk's rows to `take`, in the order of their keys; return their number."""
        shape = chunk.shape
        done = await connection.copy_from_query(
            f"SELECT {shape.names()} FROM {table} WHERE {chunk.condition()} ORDER BY {shape.key_order()}",
            *chunk.values(self._plan.tenant_id),
            output=take,
            format="binary",
        )
        return int(done.removeprefix("COPY "))

    def _source_table(self, shape: TableShape) -> str:
        return f"{quoted(self._plan.source.home.schema)}.{quoted(shape.name)}"

    def _target_table(self, shape: TableShape) -> str:
        return f"{quoted(self._plan.target.home.schema)}.{quoted(shape.name)}"


class _Digest:
    """What went by: its octets and their hash."""

    def __init__(self) -> None:
        self.rows = 0
        self.octets = 0
        self._hash = hashlib.blake2b(digest_size=HASH_OCTETS)

    async def take(self, piece: bytes) -> None:
        """Count a piece in."""
        self.octets += len(piece)
        self._hash.update(piece)

    def value(self) -> bytes:
        """Return the hash."""
        return self._hash.digest()

    def count(self) -> TableCount:
        """Return the rows, with the hash as a number."""
        return TableCount(rows=self.rows, hash=int.from_bytes(self.value()[:8], "big"))


class _Lane:
    """A connection that reads the snapshot and one that writes the target."""

    def __init__(self) -> None:
        self.source: Any = None
        self.sink: Any = None

    async def close(self) -> None:
        """Close whichever were opened."""
        for connection in (self.source, self.sink):
            if connection is not None:
                await connection.close()


async def _both(reading: asyncio.Future[Any], writing: asyncio.Future[Any]) -> None:
    """Wait for both; when one fails the other is of no use."""
    try:
        await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_EXCEPTION)
        for task in (reading, writing):
            if task.done():
                task.result()
    finally:
        for task in (reading, writing):
            if not task.done():
                task.cancel()
                with suppress(BaseException):
                    await task
