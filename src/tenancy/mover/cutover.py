"""The cut-over: one held transaction at the old home, whose commit is the only decision there is.

Writes of the clinic wait from `LOCKED` to `DECIDED`; the server itself ends the transaction of a mover that stops in
between, and the clinic goes on at its old home.
"""

import asyncio
import random
import secrets
from contextlib import suppress
from typing import Any, Final

import asyncpg

from tenancy.credentials import DatabaseRole
from tenancy.mover.claims import address
from tenancy.mover.errors import (
    AttemptLostError,
    FenceBusyError,
    MismatchError,
    MoveError,
    NotDrainedError,
    TablesChangedError,
)
from tenancy.mover.held_tables import holds_tables
from tenancy.mover.phases import Phase, Reached
from tenancy.mover.plan import MARK_PREFIX, MovePlan
from tenancy.mover.stream import WRITE_MARK, ChangeStream
from tenancy.mover.tables import Shapes
from tenancy.mover.touched import TouchedRows
from tenancy.mover.verify import Snapshot
from tenancy.pools import Pools

FENCE_MS_MAX: Final = 800
"""The longest time the mover itself holds the fence; the server ends it after `SERVER_FENCE_MS_MAX` idle."""

SERVER_FENCE_MS_MAX: Final = 1000
LOCK_WAIT_MS_FIRST: Final = 50.0
LOCK_WAIT_GROWTH: Final = 1.15
LOCK_WAIT_MS_MAX: Final = 400.0
"""New writes queue behind a waiting fence, so it waits shortly, and in between they run. Longer from try to try, for a
clinic whose own transactions take longer than that, which would otherwise never be moved."""

TRIES_FREE_MAX: Final = 12
"""Looks whether the fence is free, before the mover stands in the queue for it."""

TRIES_QUEUED_MAX: Final = 60
TRY_PAUSE_MS: Final = 4.0
QUEUE_PAUSE_MS: Final = 40.0

OPEN_FENCE = (
    "BEGIN; SET LOCAL lock_timeout = '{lock}ms'; SET LOCAL idle_in_transaction_session_timeout = '{idle}ms';"
    " SET LOCAL statement_timeout = '{idle}ms'; SET LOCAL synchronous_commit = on"
)
TRY_FENCE = "SELECT pg_catalog.pg_try_advisory_xact_lock(7301, tenancy.fence_key($1))"
TAKE_FENCE = "SELECT pg_catalog.pg_advisory_xact_lock(7301, tenancy.fence_key($1))"

# The position is the log's after everything that was applied here; what the clinic writes here comes later.
MAKE_READY = """
WITH ready AS (
  UPDATE tenancy.tenant_home SET state = 'ready', epoch = $3, forward_to = NULL, changed_at = now()
   WHERE tenant_id = $1 AND schema_name = $2 AND attempt = $4 AND state = $5 RETURNING 1)
UPDATE tenancy.move_stream s SET reverse_lsn = pg_catalog.pg_current_wal_insert_lsn() FROM ready
 WHERE s.tenant_id = $1 AND s.schema_name = $2 AND s.attempt = $4 RETURNING 1
"""
DECIDE = """
UPDATE tenancy.tenant_home SET state = 'moved', epoch = $4, forward_to = $5, changed_at = now()
 WHERE tenant_id = $1 AND schema_name = $2 AND epoch = $3 AND attempt = $6 AND state = 'active' RETURNING 1
"""


class CutOver:
    """One try to pass the clinic from the source to the target of a plan."""

    def __init__(
        self,
        pools: Pools,
        plan: MovePlan,
        *,
        attempt: int,
        shapes: Shapes,
        stream: ChangeStream,
        reached: Reached,
    ) -> None:
        self._pools = pools
        self._plan = plan
        self._attempt = attempt
        self._shapes = shapes
        self._stream = stream
        self._reached = reached
        self._touched = TouchedRows(shapes, plan.tenant_id)
        self._fence: Any = None
        self._beside: Any = None
        self.snapshot = Snapshot(pools, plan.target.home)
        """The target at the moment of the decision, for the full comparison."""
        self.pause_ms = 0.0
        self.tries = 0
        self.target_state = "loading"

    async def open(self) -> None:
        """Connect everything beforehand: nothing of it belongs into the pause."""
        home = self._plan.source.home
        self._fence = await self._pools.connect(home.server, home.database, DatabaseRole.MOVER)
        self._beside = await self._pools.connect(home.server, home.database, DatabaseRole.MOVER)
        await self._beside.execute("SET synchronous_commit = on")
        await self.snapshot.prepare()
        await self._warm()

    async def _warm(self) -> None:
        """Prepare the statements of the pause, and let the catalog caches fill."""
        nothing = self._plan.tenant_id
        for connection in (self._fence, self._beside):
            await connection.fetchval("SELECT tenancy.fence_key($1)", nothing)
        await self._touched.prepare(
            (self._beside, self._plan.source.home),
            (self._stream.applier.connection, self._plan.target.home),
        )
        self._stream.applier.touched.clear()
        # The clinic works meanwhile: what differs now is on its way.
        with suppress(MismatchError):
            await self._touched.compare(set())

    async def close(self) -> None:
        """Close the connections; a fence that is still held falls with its connection."""
        for connection in (self._fence, self._beside):
            if connection is not None:
                connection.terminate()

    async def abandon(self) -> None:
        """Close everything, the target's snapshot too."""
        await self.close()
        await self.snapshot.release()

    async def run(self) -> None:
        """Pass the clinic on. When this returns the decision is durable.

        Raises `FenceBusyError`, `NotDrainedError`, `MismatchError`, `TablesChangedError` or `AttemptLostError` with
        the fence let go and the clinic at its old home. Any other error may leave the decision open: only the source's row tells.
        """
        await self._take_fence()
        loop = asyncio.get_running_loop()
        locked = loop.time()
        self._reached(Phase.LOCKED)
        try:
            async with asyncio.timeout_at(locked + FENCE_MS_MAX / 1000):
                await self._drain(locked + FENCE_MS_MAX / 1000)
                await self._make_ready()
        except BaseException as error:
            # First of all, whatever else went wrong: the clinic waits.
            was_held = await self._let_go()
            if isinstance(error, TimeoutError):
                raise NotDrainedError from error
            if isinstance(error, MismatchError) and not was_held:
                # The server has ended the fence meanwhile: the clinic wrote while its rows were compared.
                raise FenceBusyError from error
            raise
        await self._decide()
        self.pause_ms = (loop.time() - locked) * 1000
        self._reached(Phase.DECIDED)

    async def _take_fence(self) -> None:
        self._reached(Phase.LOCK_WAIT)
        for attempt in range(TRIES_FREE_MAX + TRIES_QUEUED_MAX):
            self.tries += 1
            await self._stream.catch_up()
            await self._stream.come_close()
            queued = attempt - TRIES_FREE_MAX
            wait_ms = min(LOCK_WAIT_MS_FIRST * LOCK_WAIT_GROWTH ** max(queued, 0), LOCK_WAIT_MS_MAX)
            await self._fence.execute(
                OPEN_FENCE.format(lock=round(wait_ms), idle=SERVER_FENCE_MS_MAX)
            )
            if await self._holds_tables() and await self._is_granted(is_queued=queued >= 0):
                return
            await self._fence.execute("ROLLBACK")
            # Whoever waited behind it runs now, and at least as long as it stood in their way.
            pause_ms = max(QUEUE_PAUSE_MS, wait_ms) if queued >= 0 else TRY_PAUSE_MS
            await asyncio.sleep(pause_ms * random.uniform(0.5, 1.5) / 1000)  # noqa: S311  # jitter
        raise FenceBusyError

    async def _holds_tables(self) -> bool:
        """Keep the tables as they are until the decision; let go of the fence and raise where they were changed."""
        try:
            return await holds_tables(self._fence, self._plan.source.home.schema, self._shapes)
        except TablesChangedError:
            await self._let_go()
            raise

    async def _is_granted(self, *, is_queued: bool) -> bool:
        if not is_queued:
            return bool(await self._fence.fetchval(TRY_FENCE, self._plan.tenant_id))
        try:
            await self._fence.execute(TAKE_FENCE, self._plan.tenant_id)
        except asyncpg.LockNotAvailableError:
            return False
        return True

    async def _drain(self, deadline: float) -> None:
        """Apply what was committed before the fence, and make sure of it."""
        mark = f"{self._plan.move_id}:{self._attempt}:{secrets.token_hex(8)}"
        await self._beside.execute(WRITE_MARK, MARK_PREFIX, mark)
        self._reached(Phase.MARKER_WRITTEN)
        await self._stream.drain(mark, deadline=deadline)
        self._reached(Phase.DRAINED)
        touched, self._stream.applier.touched = self._stream.applier.touched, set()
        await self._touched.compare(touched)
        self._reached(Phase.VERIFIED)

    async def _make_ready(self) -> None:
        """Let the target take in the next epoch, which nobody has before the decision.

        Flushed before it, or, inside one database, part of the decision: then both rows change in one commit.
        """
        if self._plan.is_inside_one_database:
            try:
                await self._ready(self._fence)
            except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                raise FenceBusyError from error
        else:
            await self._ready(self._stream.applier.connection)
        await self.snapshot.take_prepared()
        self._reached(Phase.TARGET_READY)

    async def _ready(self, connection: Any) -> None:
        target = self._plan.target
        ready = await connection.fetchval(
            MAKE_READY,
            target.tenant_id,
            target.home.schema,
            target.epoch,
            self._attempt,
            self.target_state,
        )
        if ready is None:
            raise AttemptLostError

    async def _decide(self) -> None:
        source, target = self._plan.source, self._plan.target
        self._reached(Phase.BEFORE_DECIDE)
        try:
            decided = await self._fence.fetchval(
                DECIDE,
                source.tenant_id,
                source.home.schema,
                source.epoch,
                target.epoch,
                address(target),
                self._attempt,
            )
            if decided is None:
                raise AttemptLostError  # noqa: TRY301  # the fence is let go like after any other refusal
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            # The server has ended the transaction, and with it perhaps the connection: it was idle for too long.
            await self._let_go()
            raise FenceBusyError from error
        except BaseException:
            await self._let_go()
            raise
        commit = asyncio.ensure_future(self._fence.execute("COMMIT"))
        await asyncio.sleep(0)  # the driver writes in the task's first step
        self._reached(Phase.DECIDE_SENT)
        await commit

    async def _let_go(self) -> bool:
        """End the fence; return whether it was still there to be ended."""
        try:
            await asyncio.shield(self._fence.execute("ROLLBACK", timeout=FENCE_MS_MAX / 1000))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, MoveError):
            self._fence.terminate()
            return False
        return True
