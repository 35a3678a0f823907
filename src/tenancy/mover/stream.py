"""Follows the changes of a tenant at one home and applies them at the other."""

import asyncio
import math
from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from tenancy.credentials import DatabaseRole
from tenancy.mover.apply import CONNECTION_SETTINGS, Applier, lsn_text
from tenancy.mover.errors import NotDrainedError, SlotLostError
from tenancy.mover.pgoutput import Decoder, Transaction
from tenancy.mover.phases import Phase, Reached
from tenancy.mover.plan import MARK_PREFIX, StreamNames
from tenancy.mover.progress import ProgressBoard
from tenancy.pools import Pools
from tenancy.tenant import Home

CHANGES_A_BATCH_MAX: Final = 20_000
CAUGHT_UP_CHANGES_MAX: Final = 50
"""Fewer changes than this in a batch are what comes in while one is applied."""

RESTART_LAG_BYTES_MAX: Final = 2_000_000
"""Decoded in a few milliseconds."""

COME_CLOSE_MAX: Final = 4
NOTE_S_MAX: Final = 2.0
"""A slot waits for every write that runs in its cluster, also one that is made to be dropped."""

SHRINKING_BATCHES: Final = 0.8
"""A stream that catches up leaves itself less from batch to batch."""

WRITE_MARK = "SELECT pg_catalog.pg_logical_emit_message(true, $1, $2)"
# Where the slot begins is read after its changes.
PEEK = """
SELECT data, (SELECT (confirmed_flush_lsn - '0/0')::bigint FROM pg_catalog.pg_replication_slots WHERE slot_name = $1::name)
  FROM pg_catalog.pg_logical_slot_peek_binary_changes(
  $1::name, NULL, $2, 'proto_version', '1', 'publication_names', $3, 'messages', 'true')
"""
ADVANCE = "SELECT pg_catalog.pg_replication_slot_advance($1, $2::text::pg_lsn)"
RESTART_LAG = """
SELECT (pg_catalog.pg_current_wal_lsn() - restart_lsn)::bigint FROM pg_catalog.pg_replication_slots WHERE slot_name = $1
"""
# Making a slot is the one thing that lets any server, from any role that may have slots, write down which transactions
# run; a slot begins to decode at such a note.
NOTE_RUNNING = """
SELECT pg_catalog.pg_drop_replication_slot(slot_name)
  FROM pg_catalog.pg_create_logical_replication_slot($1, 'pgoutput', true)
"""
LAG = """
SELECT (pg_catalog.pg_current_wal_lsn() - confirmed_flush_lsn)::bigint FROM pg_catalog.pg_replication_slots
 WHERE slot_name = $1
"""


class ChangeStream:
    """The slot of one direction and the applier it feeds. One reader at a time."""

    def __init__(
        self,
        pools: Pools,
        home: Home,
        names: StreamNames,
        applier: Applier,
        *,
        board: ProgressBoard,
        reached: Reached,
    ) -> None:
        self._pools = pools
        self._home = home
        self._names = names
        self.applier = applier
        self._board = board
        self._reached = reached
        self._source: Any = None

    async def open(self) -> None:
        """Connect to the source of the changes; the applier connects by itself."""
        self._source = await self._pools.connect(
            self._home.server, self._home.database, DatabaseRole.MOVER
        )
        await self._source.execute(CONNECTION_SETTINGS)
        await self.applier.open()

    async def close(self) -> None:
        """Close both connections."""
        if self._source is not None:
            await self._source.close()
        await self.applier.close()

    async def step(self) -> int:
        """Apply the next batch and let the source forget it; return the number of its changes."""
        transactions = await self._peek(CHANGES_A_BATCH_MAX)
        changes = await self.applier.apply(transactions)
        self._reached(Phase.APPLIED_NOT_CONFIRMED)
        await self.confirm()
        self._board.changes_applied += changes
        self._board.lag_bytes = await self.lag_bytes()
        return changes

    async def confirm(self) -> None:
        """Let the source forget what was applied; only after that was flushed at the target."""
        if not self.applier.applied_lsn:
            return
        try:
            await self._source.execute(
                ADVANCE, self._names.name, lsn_text(self.applier.applied_lsn)
            )
        except asyncpg.ObjectNotInPrerequisiteStateError as error:
            # It begins later than what was applied: made anew, or its changes were dropped.
            raise SlotLostError from error

    async def lag_bytes(self) -> int:
        """Return how far behind the source's log the stream is."""
        return int(await self._source.fetchval(LAG, self._names.name) or 0)

    async def catch_up(self) -> None:
        """Apply until a batch is small, or no smaller than the one before: what then comes in is a batch's worth."""
        before: float = math.inf
        while (changes := await self.step()) > CAUGHT_UP_CHANGES_MAX:
            if changes > before * SHRINKING_BATCHES:
                return
            before = changes

    async def come_close(self) -> None:
        """Bring the place where the server begins to decode near the end of its log.

        Every look begins there, the one in the pause too: after a copy within one server it would read all of that
        again. A long transaction anywhere in the cluster keeps it back; then the pause is longer.
        """
        for number in range(COME_CLOSE_MAX):
            if (
                int(await self._source.fetchval(RESTART_LAG, self._names.name) or 0)
                <= RESTART_LAG_BYTES_MAX
            ):
                return
            try:
                await self._source.execute(
                    NOTE_RUNNING, f"{self._names.name}_{number}", timeout=NOTE_S_MAX
                )
            except TimeoutError:
                return  # some write in the cluster takes long; the pause will
            # A transaction that is certainly behind the note: confirming it lets go of what is before.
            await self._source.execute(WRITE_MARK, MARK_PREFIX, "come close")
            await self.step()

    async def drain(self, mark: str, *, deadline: float) -> None:
        """Apply up to the mark, without letting the source forget; raise `NotDrainedError` past the deadline.

        `deadline` is in the loop's time.
        """
        while True:
            transactions = await self._peek(None)
            end = _position_of(mark, transactions)
            relevant = transactions if end is None else transactions[: end + 1]
            self._board.changes_applied += await self.applier.apply(relevant, is_flushed=False)
            if end is not None:
                return
            if asyncio.get_running_loop().time() >= deadline:
                raise NotDrainedError

    async def follow_to(self, position: int) -> None:
        """Apply exactly what was committed before `position`, a place in the source's log."""
        transactions = await self._peek(None)
        await self.applier.apply([t for t in transactions if t.commit_lsn < position])
        await self.confirm()

    async def _peek(self, changes_max: int | None) -> Sequence[Transaction]:
        try:
            rows = await self._source.fetch(PEEK, self._names.name, changes_max, self._names.name)
        except asyncpg.ObjectNotInPrerequisiteStateError as error:
            raise SlotLostError from error
        if rows and rows[0][1] > self.applier.applied_lsn:
            # Somebody has made the slot anew: what lies between is in neither.
            raise SlotLostError
        decoder = Decoder(MARK_PREFIX)
        fed = (decoder.feed(row[0]) for row in rows)
        return [transaction for transaction in fed if transaction is not None]


def _position_of(mark: str, transactions: Sequence[Transaction]) -> int | None:
    for position, transaction in enumerate(transactions):
        if mark in transaction.marks:
            return position
    return None
