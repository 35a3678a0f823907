"""Where writers of a fenced clinic wait: without a connection, without a place in its lane, one of them asking."""

import asyncio

from msgspec import Struct

from tenancy.errors import ClinicBusyError, TenantMovingError
from tenancy.tenant import TenantId


class FenceWaits(Struct):
    """How many transactions of one clinic waited at its fence and then went on, and the longest wait."""

    requests: int = 0
    longest_ms: float = 0.0


class _Queue:
    """Who asks at one clinic's gate, and how many wait behind."""

    __slots__ = ("members", "turn")

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.members = 0


class FenceQueues:
    """For each fenced clinic the order of those who wait; the first asks at the gate, and lets the next one ask."""

    def __init__(self, queue_max: int) -> None:
        self._queue_max = queue_max
        self._queues: dict[TenantId, _Queue] = {}
        self._waits: dict[TenantId, FenceWaits] = {}

    def waited(self, tenant_id: TenantId, wait_ms: float) -> None:
        """Count a transaction that went on after a wait."""
        waits = self._waits.setdefault(tenant_id, FenceWaits())
        waits.requests += 1
        waits.longest_ms = max(waits.longest_ms, wait_ms)

    def take_waits(self) -> dict[TenantId, FenceWaits]:
        """Return what was counted since the last call."""
        waits, self._waits = self._waits, {}
        return waits

    async def join(self, tenant_id: TenantId, deadline: float) -> bool:
        """Wait until it is this caller's turn to ask; return whether it had to wait for it.

        `deadline` is in the loop's time. Raises `ClinicBusyError` when too many wait, `TenantMovingError` past it.
        """
        queue = self._queues.get(tenant_id)
        if queue is None:
            queue = self._queues[tenant_id] = _Queue()
        if queue.members > self._queue_max:
            raise ClinicBusyError
        has_waited = queue.turn.locked()
        queue.members += 1
        try:
            async with asyncio.timeout_at(deadline):
                await queue.turn.acquire()
        except BaseException as error:
            self._drop(tenant_id, queue)
            if isinstance(error, TimeoutError):
                raise TenantMovingError from None
            raise
        return has_waited

    def leave(self, tenant_id: TenantId) -> None:
        """Give the turn to the next one."""
        queue = self._queues[tenant_id]
        queue.turn.release()
        self._drop(tenant_id, queue)

    def _drop(self, tenant_id: TenantId, queue: _Queue) -> None:
        queue.members -= 1
        if queue.members == 0:
            del self._queues[tenant_id]
