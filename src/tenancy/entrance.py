"""The way of one session to its tenant's home: found, followed when it moves, waited for when it is fenced."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

from tenancy.admission import Admission
from tenancy.connection import Scope
from tenancy.errors import (
    HomeMovedSignal,
    HomeRetrySignal,
    HomeSignal,
    ServerUnavailableError,
    StaleConnectionSignal,
    TenantMovingError,
)
from tenancy.fence import FenceQueues, Turn
from tenancy.modes import Login, Mode
from tenancy.pools import Lease, Pools
from tenancy.tenant import Home, Placement, StrategyName, TenantId

RETRY_MS_FIRST: Final = 2.0
RETRY_MS_MAX: Final = 20.0
RETRIES_BEFORE_ASKING: Final = 10
"""A home that goes on asking for patience may not be the clinic's any more: then the registry is asked."""

STALE_CONNECTIONS_MAX: Final = 50


class PlacementHints:
    """Where the registry believes tenants are; a port, filled by the composition root."""

    def __init__(
        self,
        current: Callable[[TenantId], Awaitable[Placement]],
        refreshed: Callable[[TenantId], Awaitable[Placement]],
        learned: Callable[[Placement], None],
    ) -> None:
        self.current = current
        """Return the cached placement."""
        self.refreshed = refreshed
        """Return the placement, asked of the registry anew."""
        self.learned = learned
        """Take note of a newer placement that a home has told."""


class Entrance:
    """One session's way to its tenant's home: finds it, follows it, gives everything back."""

    def __init__(  # noqa: PLR0913  # the parts of one way in
        self,
        tenant_id: TenantId,
        *,
        mode: Mode,
        login: Login | None,
        hints: PlacementHints,
        pools: Pools,
        admission: Admission,
        fences: FenceQueues,
        wait_s_max: float,
    ) -> None:
        self.tenant_id = tenant_id
        self._mode = mode
        self._login = login
        self._hints = hints
        self._pools = pools
        self._admission = admission
        self._fences = fences
        self._wait_s_max = wait_s_max
        self._admitted = False
        self._is_asking = False
        self._waits_since: float | None = None
        self._lease: Lease | None = None
        self._placement: Placement | None = None
        self._deadline: float | None = None
        self._retry_ms = RETRY_MS_FIRST
        self._retries = 0
        self._stale_seen = 0

    async def approach(self) -> Lease:
        """Return a lease on the pool of the home as it is known at this moment."""
        if not self._admitted:
            await self._admission.acquire(self.tenant_id)
            self._admitted = True
        if self._placement is None:
            self._placement = await self._hints.current(self.tenant_id)
        self._lease = await self._pools.lease(self._placement)
        return self._lease

    @property
    def schema(self) -> str:
        """The schema of the approached home."""
        assert self._placement is not None
        return self._placement.home.schema

    def scope(self) -> Scope:
        """Return what to say at the gate of the approached home."""
        assert self._placement is not None
        return Scope(self.tenant_id, self._placement.epoch, self._mode, self._login)

    async def follow(self, signal: HomeSignal) -> None:
        """Draw the consequence of a home's refusal, without holding a connection; raise past the deadline."""
        self._let_go()
        if isinstance(signal, StaleConnectionSignal) and self._stale_seen < STALE_CONNECTIONS_MAX:
            self._stale_seen += 1
            return
        now = asyncio.get_running_loop().time()
        if self._deadline is None:
            self._deadline = now + self._wait_s_max
        elif now >= self._deadline:
            raise TenantMovingError
        before = self._placement
        assert before is not None
        if isinstance(signal, HomeMovedSignal) and signal.epoch != before.epoch:
            self._placement = _moved_placement(before, signal)
            self._hints.learned(self._placement)
            return
        self._retries += 1
        if not isinstance(signal, HomeRetrySignal) or not self._retries % RETRIES_BEFORE_ASKING:
            self._placement = await self._hints.refreshed(self.tenant_id)
            if self._placement != before:
                return
            if not isinstance(signal, HomeMovedSignal | HomeRetrySignal):
                raise ServerUnavailableError from signal
        await self._wait_at_fence(self._deadline)

    def entered(self) -> None:
        """Let everybody go who waits at the same fence."""
        if self._waits_since is not None:
            waited_s = asyncio.get_running_loop().time() - self._waits_since
            self._waits_since = None
            self._fences.waited(self.tenant_id, waited_s * 1000)
        self._stop_asking(has_entered=True)

    def _stop_asking(self, *, has_entered: bool = False) -> None:
        if self._is_asking:
            self._is_asking = False
            self._fences.leave(self.tenant_id, has_entered=has_entered)

    async def _wait_at_fence(self, deadline: float) -> None:
        """Wait in order, outside the clinic's lane, so that its reads go on; only the first one asks again."""
        self._leave_lane()
        if self._waits_since is None:
            self._waits_since = asyncio.get_running_loop().time()
        if not self._is_asking:
            turn = await self._fences.join(self.tenant_id, deadline)
            self._is_asking = turn is not Turn.NOBODYS
            if turn is not Turn.FIRST:
                await self._look_where_it_is()
                return
        # The fence is taken for milliseconds; jitter keeps several processes from asking in step.
        await asyncio.sleep(self._retry_ms * random.uniform(0.5, 1.0) / 1000)  # noqa: S311  # jitter
        self._retry_ms = min(self._retry_ms * 2, RETRY_MS_MAX)

    async def _look_where_it_is(self) -> None:
        """Go where the one who asked has found the clinic, not first where it was."""
        known = await self._hints.current(self.tenant_id)
        if self._placement is not None and known.epoch > self._placement.epoch:
            self._placement = known

    def leave(self) -> None:
        """Give back the pool and the place in the clinic's lane."""
        self._let_go()
        self._stop_asking()
        self._leave_lane()

    def _leave_lane(self) -> None:
        if self._admitted:
            self._admitted = False
            self._admission.release(self.tenant_id)

    def _let_go(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.release()


def _moved_placement(before: Placement, signal: HomeMovedSignal) -> Placement:
    """Return the placement a home told of; without a home in it, the tenant is in the same database."""
    home = signal.home or Home(before.home.server, before.home.database, signal.schema)
    strategy = StrategyName(signal.strategy) if signal.strategy else before.strategy
    return Placement(tenant_id=before.tenant_id, strategy=strategy, home=home, epoch=signal.epoch)
