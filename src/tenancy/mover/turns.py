"""Turns at following reverse streams: whoever keeps a way back makes room when another move waits for the place."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from tenancy.registry.move_records import MoveRecord, MoveStatus

TURN_S_MIN: Final = 5.0
"""As long as it may follow before it makes room for another way back; for a move under way it does so at once."""


class Turn:
    """One move's place among those that a process works on."""

    def __init__(self, *, is_kept: bool = False) -> None:
        self._began = _now() if is_kept else None
        self._is_asked = False

    @property
    def is_kept(self) -> bool:
        """Whether the move has been decided and only keeps its way back."""
        return self._began is not None

    def is_over(self) -> bool:
        """Return whether somebody asked for the place; asking this says that the move keeps its way back only."""
        if self._began is None:
            self._began = _now()
        return self._is_asked

    def age_s(self) -> float:
        """Return for how many seconds the move has kept its way back here."""
        return 0.0 if self._began is None else _now() - self._began

    def ask(self, *, is_urgent: bool) -> None:
        """Ask for the place, at once or when the turn was long enough."""
        if is_urgent or self.age_s() >= TURN_S_MIN:
            self._is_asked = True


def is_urgent(record: MoveRecord) -> bool:
    """Return whether more is to be done for the move than to let the old home follow."""
    return record.status is not MoveStatus.GRACE or record.wanted in {"rollback", "finish"}


def make_room(turns: Iterable[Turn], waiting: Sequence[MoveRecord]) -> None:
    """Ask as many of those that keep a way back for their places as moves wait, the longest there first."""
    urgent = sum(map(is_urgent, waiting))
    kept = sorted((turn for turn in turns if turn.is_kept), key=Turn.age_s, reverse=True)
    for number, turn in enumerate(kept[: len(waiting)]):
        turn.ask(is_urgent=number < urgent)


def _now() -> float:
    return asyncio.get_running_loop().time()
