"""Fairness between clinics: how many transactions of one may run at once, how many may wait, and for how long."""

import asyncio
from collections import deque

from msgspec import Struct

from tenancy.errors import ClinicBusyError
from tenancy.tenant import TenantId


class AdmissionLimits(Struct, frozen=True, kw_only=True):
    """Limits for each clinic in one worker process."""

    concurrency_max: int = 4
    queue_max: int = 256
    wait_s_max: float = 5.0


class _Lane:
    """The transactions of one clinic: some run, the others wait in order."""

    __slots__ = ("running", "waiting")

    def __init__(self) -> None:
        self.running = 0
        self.waiting: deque[asyncio.Future[None]] = deque()


class Admission:
    """Lets at most `concurrency_max` transactions of each clinic run at once, first come, first served."""

    def __init__(self, limits: AdmissionLimits) -> None:
        self._limits = limits
        self._lanes: dict[TenantId, _Lane] = {}

    async def acquire(self, tenant_id: TenantId) -> None:
        """Take a place; raise `ClinicBusyError` when the queue is full or the wait too long."""
        lane = self._lanes.get(tenant_id)
        if lane is None:
            lane = self._lanes[tenant_id] = _Lane()
        if lane.running < self._limits.concurrency_max and not lane.waiting:
            lane.running += 1
            return
        if len(lane.waiting) >= self._limits.queue_max:
            raise ClinicBusyError
        place = asyncio.get_running_loop().create_future()
        lane.waiting.append(place)
        try:
            async with asyncio.timeout(self._limits.wait_s_max):
                await place
        except BaseException as error:
            self._give_up(tenant_id, lane, place)
            if isinstance(error, TimeoutError):
                raise ClinicBusyError from None
            raise

    def release(self, tenant_id: TenantId) -> None:
        """Give the place back: the longest waiting transaction gets it."""
        lane = self._lanes[tenant_id]
        while lane.waiting:
            place = lane.waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        lane.running -= 1
        if lane.running == 0:
            del self._lanes[tenant_id]

    def _give_up(self, tenant_id: TenantId, lane: _Lane, place: asyncio.Future[None]) -> None:
        """Leave the queue; a place that was granted in the same moment goes to the next."""
        if place.done() and not place.cancelled():
            self.release(tenant_id)
            return
        place.cancel()
        if place in lane.waiting:
            lane.waiting.remove(place)
