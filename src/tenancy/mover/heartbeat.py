"""The journal's word with whoever works on a move: that it lives, whether the move still is its own, what is wanted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from tenancy.mover.errors import AttemptLostError, MoveError
from tenancy.mover.parts import MoverParts
from tenancy.mover.progress import ProgressBoard
from tenancy.registry.move_records import MoveRecord, MoveStatus

BEAT_S: Final = 1.0


class Heartbeat:
    """What one piece of work tells the journal, and learns from it, while it runs."""

    def __init__(self, parts: MoverParts, record: MoveRecord, board: ProgressBoard) -> None:
        self._parts = parts
        self._move_id = record.id
        self._board = board
        self._news = asyncio.Event()
        self.is_lost = False
        is_going_back = record.status is MoveStatus.ROLLING_BACK
        self.wanted = record.wanted or ("rollback" if is_going_back else None)

    @asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Tell the journal every second until the block ends."""
        beating = asyncio.ensure_future(self._beat())
        try:
            yield
        finally:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating

    @property
    def phase(self) -> str:
        """How far the work is, in one word."""
        return self._board.phase.value

    def progress(self) -> Any:
        """Return how far the work is, as the journal keeps it."""
        return msgspec.to_builtins(self._board.progress())

    def check(self) -> None:
        """Raise where the move is given up on request or is no longer ours; called where that is safe."""
        self.require_own()
        if self.wanted == "abort":
            raise MoveError("aborted on request")

    def require_own(self) -> None:
        """Raise `AttemptLostError` when somebody else has claimed the move."""
        if self.is_lost:
            raise AttemptLostError

    async def news(self, wait_s_max: float) -> None:
        """Wait until something is wanted or the move is lost, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s_max):
                await self._news.wait()

    def forget_wish(self) -> None:
        """Go on without what was wanted: it cannot be had."""
        self.wanted = None
        self._news.clear()

    async def _beat(self) -> None:
        """Tell that this process lives, and learn what is wanted; without the registry the work goes on."""
        moves, worker = self._parts.store.moves, self._parts.worker
        while True:
            progress = self._board.progress()
            try:
                is_ours, wanted = await moves.beat(
                    self._move_id,
                    worker,
                    phase=progress.phase.value,
                    progress=msgspec.to_builtins(progress),
                )
            except (SQLAlchemyError, OSError, TimeoutError):
                pass
            else:
                self.is_lost = not is_ours
                self.wanted = wanted or self.wanted
                if self.is_lost or self.wanted is not None:
                    self._news.set()
            await asyncio.sleep(BEAT_S)
