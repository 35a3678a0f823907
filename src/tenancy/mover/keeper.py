"""Lets every server process look after moves: whoever finds one that nobody works on goes on with it."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from tenancy.errors import TenancyError
from tenancy.fence import FenceWaits
from tenancy.mover.errors import AttemptLostError, MoveError, MoveInProgressError
from tenancy.mover.mover import Mover
from tenancy.registry.store import RegistryStore
from tenancy.tenant import TenantId

LOOK_S: Final = 2.0
TELL_WAITS_S: Final = 0.5
MOVES_AT_ONCE_MAX: Final = 16
"""Two connections each; a server has hardly more slots for them."""

FAILURE_PAUSE_S: Final = 10.0
"""Before the same process tries a move again that it could not go on with."""

CLOSE_S_MAX: Final = 5.0

log = logging.getLogger(__name__)


class MoveKeeper:
    """The background work of one server process on moves."""

    def __init__(
        self,
        mover: Mover,
        store: RegistryStore,
        take_waits: Callable[[], dict[TenantId, FenceWaits]],
    ) -> None:
        self._mover = mover
        self._store = store
        self._take_waits = take_waits
        self._working: dict[UUID, asyncio.Task[None]] = {}
        self._rests_until: dict[UUID, float] = {}
        self._loops: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Begin."""
        self._loops = [
            asyncio.ensure_future(self._repeat(self._look, LOOK_S)),
            asyncio.ensure_future(self._repeat(self._tell_waits, TELL_WAITS_S)),
        ]

    async def close(self) -> None:
        """Stop; what was worked on is let go of, so that another process goes on at once."""
        tasks = [*self._loops, *self._working.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_S_MAX)

    async def _repeat(self, step: Callable[[], Awaitable[None]], pause_s: float) -> None:
        while True:
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311  # jitter
            # A registry that is out of reach is no reason to stop: it comes back.
            with suppress(SQLAlchemyError, OSError, TimeoutError, TenancyError):
                await step()

    async def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        for record in await self._store.moves.abandoned():
            if len(self._working) >= MOVES_AT_ONCE_MAX:
                return
            if record.id in self._working or self._rests_until.get(record.id, 0.0) > now:
                continue
            self._working[record.id] = asyncio.ensure_future(self._work(record.id))

    async def _work(self, move_id: UUID) -> None:
        try:
            record = await self._mover.work(move_id)
            log.info("move %s: %s", move_id, record.status.value)
        except (MoveInProgressError, AttemptLostError):
            pass  # somebody else has it
        except Exception as error:  # noqa: BLE001  # whatever it is, the other moves go on
            self._rests_until[move_id] = asyncio.get_running_loop().time() + FAILURE_PAUSE_S
            # The class alone where it comes from a database: its message may quote a row.
            told = error if isinstance(error, MoveError) else type(error).__name__
            log.warning("move %s cannot go on: %s", move_id, told)
        finally:
            del self._working[move_id]

    async def _tell_waits(self) -> None:
        for tenant_id, waits in self._take_waits().items():
            await self._store.moves.add_waits(
                tenant_id, requests=waits.requests, longest_ms=waits.longest_ms
            )
