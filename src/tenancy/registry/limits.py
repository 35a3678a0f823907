"""Counts of events in fixed windows of time, shared by all worker processes through the registry.

When the registry cannot be reached, each process counts for itself: nobody is locked out, nobody is let loose.
"""

import hashlib
import math
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import (
    DateTime,
    Float,
    Interval,
    bindparam,
    cast,
    delete,
    extract,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from tenancy.registry.models import RateLimitRow

KEPT_S: Final = 86_400
"""A window that began longer ago than this is forgotten."""

CLEAN_EVERY: Final = 1000
"""How many counted events of this process lie between two clean-ups."""

LOCAL_BUCKETS_MAX: Final = 10_000

Refuse = Callable[[int], Exception]
"""Makes the error for an event too many from the seconds after which to try again."""

_NOW_S = cast(extract("epoch", func.clock_timestamp()), Float)
_WINDOW_S = cast(bindparam("window_s"), Float)
_WINDOW_START = func.to_timestamp(
    func.floor(_NOW_S / _WINDOW_S) * _WINDOW_S, type_=DateTime(timezone=True)
)
_LEFT_S = _WINDOW_S - (_NOW_S - func.floor(_NOW_S / _WINDOW_S) * _WINDOW_S)

_HIT = (
    insert(RateLimitRow)
    .values(bucket=bindparam("key"), window_start=_WINDOW_START, count=1)
    .on_conflict_do_update(
        index_elements=["bucket", "window_start"], set_={"count": RateLimitRow.count + 1}
    )
    .returning(RateLimitRow.count, _LEFT_S)
)
_CHECK = select(RateLimitRow.count, _LEFT_S).where(
    RateLimitRow.bucket == bindparam("key"), RateLimitRow.window_start == _WINDOW_START
)
_CLEAN = delete(RateLimitRow).where(
    RateLimitRow.window_start < func.now() - cast(literal(f"{KEPT_S} seconds"), Interval)
)


class SharedRateLimiter:
    """Counts in the registry; buckets are kept as hashes, so that no address and no account stands there."""

    def __init__(
        self, engine: AsyncEngine, refuse: Refuse, clock: Callable[[], float] = time.time
    ) -> None:
        # One statement, one round trip: no transaction round it.
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._refuse = refuse
        self._local = LocalCounter(clock)
        self._hits = 0

    async def check(self, bucket: str, *, limit: int, window_s: int) -> None:
        """Raise the refusal when `bucket` already holds `limit` events in this window; counts nothing."""
        key = _key(bucket, window_s)
        try:
            async with self._engine.connect() as connection:
                row = (
                    await connection.execute(_CHECK, {"key": key, "window_s": window_s})
                ).one_or_none()
            count, left_s = (0, 0.0) if row is None else (row[0], row[1])
        except (SQLAlchemyError, OSError, TimeoutError):
            count, left_s = self._local.read(key, window_s)
        if count >= limit:
            raise self._refuse(max(1, math.ceil(left_s)))

    async def hit(self, bucket: str, *, limit: int, window_s: int) -> None:
        """Count one event; raise the refusal when it is one too many."""
        key = _key(bucket, window_s)
        try:
            async with self._engine.connect() as connection:
                row = (await connection.execute(_HIT, {"key": key, "window_s": window_s})).one()
                count, left_s = row[0], row[1]
                self._hits += 1
                if self._hits % CLEAN_EVERY == 0:
                    await connection.execute(_CLEAN)
        except (SQLAlchemyError, OSError, TimeoutError):
            count, left_s = self._local.add(key, window_s)
        if count > limit:
            raise self._refuse(max(1, math.ceil(left_s)))


class LocalCounter:
    """The same counts in this process alone."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counts: dict[tuple[bytes, int], int] = {}

    def read(self, key: bytes, window_s: int) -> tuple[int, float]:
        """Return the count of the present window and the seconds left of it."""
        window, left_s = self._window(window_s)
        return self._counts.get((key, window), 0), left_s

    def add(self, key: bytes, window_s: int) -> tuple[int, float]:
        """Count one event and return the same."""
        window, left_s = self._window(window_s)
        if len(self._counts) >= LOCAL_BUCKETS_MAX:
            self._counts.clear()
        self._counts[key, window] = count = self._counts.get((key, window), 0) + 1
        return count, left_s

    def _window(self, window_s: int) -> tuple[int, float]:
        now = self._clock()
        return int(now // window_s), window_s - now % window_s


def _key(bucket: str, window_s: int) -> bytes:
    return hashlib.sha256(f"{window_s}:{bucket}".encode()).digest()
