"""How far a move is, for people and machines; and how fast it may go."""

import asyncio
import time
from typing import Final

from msgspec import Struct

from tenancy.mover.phases import Phase

OCTETS_PER_MB: Final = 1_000_000


class TableCount(Struct, frozen=True, kw_only=True):
    """The rows of one table and the sum of their hashes, which does not depend on their order."""

    rows: int = 0
    hash: int = 0

    def plus(self, other: "TableCount") -> "TableCount":
        """Return both together."""
        return TableCount(rows=self.rows + other.rows, hash=self.hash + other.hash)


class MoveProgress(Struct, frozen=True, kw_only=True):
    """What a move tells while it runs."""

    phase: Phase
    rows: int = 0
    rows_expected: int = 0
    megabytes: float = 0.0
    megabytes_a_second: float = 0.0
    changes_applied: int = 0
    lag_bytes: int = 0
    seconds: float = 0.0
    seconds_left: float | None = None


class ProgressBoard:
    """Counts what the parts of one move have done; asked for a `MoveProgress` whenever somebody wants one."""

    def __init__(self, megabytes_a_second_max: float | None = None) -> None:
        self.phase = Phase.PLANNED
        self.tables: dict[str, TableCount] = {}
        self.changes_applied = 0
        self.lag_bytes = 0
        self._expected: dict[str, int] = {}
        self._octets = 0
        self._started = time.monotonic()
        self._copy_started: float | None = None
        self._copy_ended: float | None = None
        self._octets_a_second_max = (
            None if megabytes_a_second_max is None else megabytes_a_second_max * OCTETS_PER_MB
        )

    def restart(self) -> None:
        """Forget what an earlier attempt has copied."""
        self.tables, self._expected, self._octets = {}, {}, 0
        self._copy_started = self._copy_ended = None

    def expect(self, table: str, rows: int) -> None:
        """Note how many rows a table is thought to have."""
        self._expected[table] = rows
        self._copy_started = self._copy_started or time.monotonic()

    def copied(self, table: str, count: TableCount, octets: int) -> None:
        """Note that a chunk is at the target."""
        self.tables[table] = self.tables.get(table, TableCount()).plus(count)
        self._octets += octets

    def end_copy(self) -> None:
        """Note that every row is at the target: what was expected was an estimate, and the copy takes no longer."""
        self._copy_ended = time.monotonic()
        self._expected = {}

    async def throttle(self, octets: int) -> None:
        """Wait as long as the copy is ahead of its limit."""
        if self._octets_a_second_max is None or self._copy_started is None:
            return
        due = self._copy_started + (self._octets + octets) / self._octets_a_second_max
        await asyncio.sleep(max(0.0, due - time.monotonic()))

    def progress(self) -> MoveProgress:
        """Return how far the move is at this moment."""
        now = time.monotonic()
        rows = sum(count.rows for count in self.tables.values())
        expected = max(rows, sum(self._expected.values()))
        copy_now = now if self._copy_ended is None else self._copy_ended
        copying = copy_now - self._copy_started if self._copy_started is not None else 0.0
        megabytes = self._octets / OCTETS_PER_MB
        return MoveProgress(
            phase=self.phase,
            rows=rows,
            rows_expected=expected,
            megabytes=round(megabytes, 3),
            megabytes_a_second=round(megabytes / copying, 2) if copying else 0.0,
            changes_applied=self.changes_applied,
            lag_bytes=self.lag_bytes,
            seconds=round(now - self._started, 2),
            seconds_left=round(copying * (expected - rows) / rows, 1) if rows else None,
        )
