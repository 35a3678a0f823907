"""Copies a tenant's rows under one snapshot: in chunks of the primary key, several at once, each hashed on both sides.

The rows pass in PostgreSQL's binary form, which nobody here looks into; the servers count and hash them themselves,
which costs them a third of sending the rows once more.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
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
from tenancy.mover.side_by_side import side_by_side
from tenancy.mover.tables import Shapes, TableShape
from tenancy.mover.verify import count_rows
from tenancy.pools import Pools
from tenancy.tenant import Home

CHUNK_ROWS: Final = 50_000
LANES_MAX: Final = 3
"""Two cores saturate with two tables at once; a third lane fills the waits."""

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
            await side_by_side(self._work(lane, queue) for lane in lanes)
            self._board.end_copy()
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
        plan = self._plan
        async with lane.sink.transaction():
            await hold_loading(lane.sink, plan.target, self._attempt)
            octets = await self._pipe(lane, chunk)
            read, written = await asyncio.gather(
                self._count(lane.source, plan.source.home, chunk),
                self._count(lane.sink, plan.target.home, chunk),
            )
        if read != written:
            raise MismatchError((chunk.shape.name,))
        self._board.copied(chunk.shape.name, written, octets)

    async def _count(self, connection: Any, home: Home, chunk: Chunk) -> TableCount:
        values = chunk.values(self._plan.tenant_id)
        return await count_rows(connection, home, chunk.shape, chunk.condition(), values)

    async def _pipe(self, lane: "_Lane", chunk: Chunk) -> int:
        """Send the chunk's rows through; return their octets."""
        pieces: asyncio.Queue[bytes | None] = asyncio.Queue(PIECES_WAITING_MAX)
        octets = 0

        async def keep(piece: bytes) -> None:
            nonlocal octets
            octets += len(piece)
            await pieces.put(piece)

        async def read() -> None:
            await lane.source.copy_from_query(
                self._query(chunk),
                *chunk.values(self._plan.tenant_id),
                output=keep,
                format="binary",
            )
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
            await self._board.throttle(octets)
        return octets

    def _query(self, chunk: Chunk) -> str:
        # In the order of the keys: so the target's primary key grows at its end.
        return (
            f"SELECT {chunk.shape.names()} FROM {self._source_table(chunk.shape)} WHERE {chunk.condition()}"
            f" ORDER BY {chunk.shape.key_order()}"
        )

    def _source_table(self, shape: TableShape) -> str:
        return f"{quoted(self._plan.source.home.schema)}.{quoted(shape.name)}"


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
