"""Where writers of a fenced clinic wait: without a connection, without a place in its lane, one of them asking for all."""

import asyncio
from enum import Enum, auto

from msgspec import Struct

from tenancy.errors import ClinicBusyError, TenantMovingError
from tenancy.tenant import TenantId


class FenceWaits(Struct):
    """How many transactions of one clinic waited at its fence and then went on, and the longest wait."""

    requests: int = 0
    longest_ms: float = 0.0


class Turn(Enum):
    """Who is to ask at the gate of a fenced clinic."""

    FIRST = auto()
    """This caller, who was refused just now."""

    NEXT = auto()
    """This caller, as the one who asked before has given up."""

    NOBODYS = auto()
    """Nobody: the gate is open."""


class _Queue:
    """Who asks at one clinic's gate, and how many wait behind."""

    __slots__ = ("is_open", "members", "turn")

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.members = 0
        self.is_open = False


class FenceQueues:
    """For each fenced clinic those who wait; the first asks at the gate, and once it is in, all others may go."""

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

    async def join(self, tenant_id: TenantId, deadline: float) -> Turn:
        """Wait until this caller is to ask, or somebody else has got in.

        `deadline` is in the loop's time. Raises `ClinicBusyError` when too many wait, `TenantMovingError` past it.
        """
        queue = self._queues.get(tenant_id)
        if queue is None:
            queue = self._queues[tenant_id] = _Queue()
        if queue.members > self._queue_max:
            raise ClinicBusyError
        turn = Turn.NEXT if queue.turn.locked() else Turn.FIRST
        queue.members += 1
        try:
            async with asyncio.timeout_at(deadline):
                await queue.turn.acquire()
        except BaseException as error:
            self._drop(tenant_id, queue)
            if isinstance(error, TimeoutError):
                raise TenantMovingError from None
            raise
        if queue.is_open:
            queue.turn.release()
            queue.members -= 1
            return Turn.NOBODYS
        return turn

    def leave(self, tenant_id: TenantId, *, has_entered: bool) -> None:
        """Let everybody go when the one who asked is in; otherwise the next one asks."""
        queue = self._queues[tenant_id]
        if has_entered:
            # Whoever is refused from here on waits at another fence.
            queue.is_open = True
            del self._queues[tenant_id]
        queue.turn.release()
        self._drop(tenant_id, queue)

    def _drop(self, tenant_id: TenantId, queue: _Queue) -> None:
        queue.members -= 1
        if queue.members == 0 and self._queues.get(tenant_id) is queue:
            del self._queues[tenant_id]
