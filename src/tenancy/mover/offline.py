"""Moves a clinic whose server keeps no logical log: writes wait at the fence while rows are copied; reads go on."""

import asyncio
from contextlib import suppress
from typing import Any, Final

import asyncpg

from tenancy.mover.attempt import Attempt
from tenancy.mover.claims import address
from tenancy.mover.copy import Copy
from tenancy.mover.cutover import (
    DECIDE,
    MAKE_READY,
    OPEN_FENCE,
    SERVER_FENCE_MS_MAX,
    TAKE_FENCE,
    TRIES_QUEUED_MAX,
)
from tenancy.mover.errors import AttemptLostError, FenceBusyError
from tenancy.mover.held_tables import holds_tables
from tenancy.mover.hold import MigrationHold
from tenancy.mover.phases import Phase

STAY_ALIVE_S: Final = 0.3
"""Well below the time after which the server ends an idle fence: that of a mover that has stopped."""

LOCK_WAIT_MS_MAX: Final = 500
"""The clinic is told beforehand that its writes will wait; they may as well wait for the fence."""


class OfflineMove(Attempt):
    """One attempt without a stream: fence, copy, decide."""

    async def run(self) -> float:
        """Bring the clinic over; return for how many milliseconds its writes waited. Raises `MoveError`."""
        await self.register()
        homes = (self.plan.source.home, self.plan.target.home)
        async with MigrationHold(self.parts.pools, *homes) as hold:
            self.shapes = await self.checked_shapes()
            return await self._pass_on(hold)

    async def _pass_on(self, hold: MigrationHold) -> float:
        fence = await self.rows.connect(self.plan.source.home)
        loop = asyncio.get_running_loop()
        try:
            await self._take_fence(fence)
            locked = loop.time()
            self.tell(Phase.LOCKED)
            await self._while_held(fence, self._copy())
            hold.check()
            # A lock keeps the tables that there are; one that was made since would be left behind.
            await self._holds_tables(fence)
            await self._make_ready()
            await self._decide(fence)
        finally:
            # Let go of at once, whatever happened: the server rolls back what was not decided.
            fence.terminate()
        self.tell(Phase.DECIDED)
        return (loop.time() - locked) * 1000

    async def _take_fence(self, fence: Any) -> None:
        self.tell(Phase.LOCK_WAIT)
        for _ in range(TRIES_QUEUED_MAX):
            await fence.execute(OPEN_FENCE.format(lock=LOCK_WAIT_MS_MAX, idle=SERVER_FENCE_MS_MAX))
            if await self._holds_tables(fence) and await self._is_granted(fence):
                return
            await fence.execute("ROLLBACK")
            await asyncio.sleep(LOCK_WAIT_MS_MAX / 1000)
        raise FenceBusyError

    async def _holds_tables(self, fence: Any) -> bool:
        return await holds_tables(fence, self.plan.source.home.schema, self.shapes)

    async def _is_granted(self, fence: Any) -> bool:
        try:
            await fence.execute(TAKE_FENCE, self.plan.tenant_id)
        except asyncpg.LockNotAvailableError:
            return False
        return True

    async def _while_held(self, fence: Any, work: Any) -> None:
        """Do the work and show the server meanwhile that the mover is alive; stop when the fence is gone.

        What the work itself fails with is told as it is.
        """
        working = asyncio.ensure_future(work)
        try:
            while not working.done():
                await asyncio.wait({working}, timeout=STAY_ALIVE_S)
                await _stay_alive(fence)
            working.result()
        finally:
            if not working.done():
                working.cancel()
                with suppress(BaseException):
                    await working

    async def _copy(self) -> None:
        """Copy what every snapshot shows now: nobody writes."""
        indexes = await self.without_indexes()
        copy = Copy(
            self.parts.pools,
            self.plan,
            attempt=self.attempt,
            board=self.board,
            reached=self.tell,
        )
        await copy.run(self.shapes, None)
        self.tell(Phase.COPIED)
        await indexes.build()
        self.tell(Phase.INDEXES_BUILT)

    async def _make_ready(self) -> None:
        target = self.plan.target
        connection = await self.rows.connect(target.home)
        try:
            await connection.execute("SET synchronous_commit = on")
            ready = await connection.fetchval(
                MAKE_READY,
                target.tenant_id,
                target.home.schema,
                target.epoch,
                self.attempt,
                "loading",
            )
        finally:
            await connection.close()
        if ready is None:
            raise AttemptLostError
        self.tell(Phase.TARGET_READY)

    async def _decide(self, fence: Any) -> None:
        self.tell(Phase.BEFORE_DECIDE)
        source, target = self.plan.source, self.plan.target
        decided = await fence.fetchval(
            DECIDE,
            source.tenant_id,
            source.home.schema,
            source.epoch,
            target.epoch,
            address(target),
            self.attempt,
        )
        if decided is None:
            raise AttemptLostError
        await fence.execute("COMMIT")


async def _stay_alive(fence: Any) -> None:
    """Show the server that the mover is alive; raise `FenceBusyError` when it has ended the fence."""
    try:
        await fence.execute("SELECT 1")
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise FenceBusyError from error
