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
from tenancy.mover.turns import Turn, is_urgent, make_room
from tenancy.registry.move_records import MoveRecord
from tenancy.registry.store import RegistryStore
from tenancy.tenant import TenantId

LOOK_S: Final = 2.0
TELL_WAITS_S: Final = 0.5
MOVES_AT_ONCE_MAX: Final = 16
"""Two connections each; a server has hardly more slots for them."""

PLACES_KEPT: Final = 4
"""Of those: not given to moves that only keep a way back, so that one that begins, ends or goes back finds one."""

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
        *,
        at_once_max: int = MOVES_AT_ONCE_MAX,
        places_kept: int = PLACES_KEPT,
    ) -> None:
        self._mover = mover
        self._store = store
        self._take_waits = take_waits
        self._at_once_max = at_once_max
        self._kept_max = at_once_max - places_kept
        self._working: dict[UUID, asyncio.Task[None]] = {}
        self._turns: dict[UUID, Turn] = {}
        self._last_turns: dict[UUID, float] = {}
        self._rests_until: dict[UUID, float] = {}
        self._failures: dict[UUID, str] = {}
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
        abandoned = await self._store.moves.abandoned()
        self._last_turns = {r.id: self._last_turns.get(r.id, 0.0) for r in abandoned}
        waiting = [
            record
            for record in abandoned
            if record.id not in self._working and self._rests_until.get(record.id, 0.0) <= now
        ]
        # What is to be done comes first; of ways back, the one that was not followed for longest.
        waiting.sort(key=lambda r: (not is_urgent(r), self._last_turns[r.id]))
        left = [record for record in waiting if not self._begin(record)]
        make_room(self._turns.values(), left)

    def _begin(self, record: MoveRecord) -> bool:
        """Work on the move if there is a place for it."""
        kept = sum(turn.is_kept for turn in self._turns.values())
        if len(self._working) >= self._at_once_max or (
            not is_urgent(record) and kept >= self._kept_max
        ):
            return False
        turn = self._turns[record.id] = Turn(is_kept=not is_urgent(record))
        self._working[record.id] = asyncio.ensure_future(self._work(record.id, turn))
        return True

    async def _work(self, move_id: UUID, turn: Turn) -> None:
        try:
            record = await self._mover.work(move_id, turn=turn)
            if record.status.is_ended:
                log.info("move %s: %s", move_id, record.status.value)
            self._failures.pop(move_id, None)
        except (MoveInProgressError, AttemptLostError):
            pass  # somebody else has it
        except Exception as error:  # noqa: BLE001  # whatever it is, the other moves go on
            self._rests_until[move_id] = asyncio.get_running_loop().time() + FAILURE_PAUSE_S
            # The class alone where it comes from a database: its message may quote a row.
            told = error if isinstance(error, MoveError) else type(error).__name__
            if self._failures.get(move_id) != str(told):
                # Once: it is tried again and again while a server is out of reach.
                self._failures[move_id] = str(told)
                log.warning("move %s cannot go on: %s", move_id, told)
        finally:
            del self._working[move_id], self._turns[move_id]
            self._last_turns[move_id] = asyncio.get_running_loop().time()

    async def _tell_waits(self) -> None:
        for tenant_id, waits in self._take_waits().items():
            await self._store.moves.add_waits(
                tenant_id, requests=waits.requests, longest_ms=waits.longest_ms
            )
