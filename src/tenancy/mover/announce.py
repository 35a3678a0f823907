"""What a decided move says of itself: to the registry, to the board that the journal copies, and to the log."""

import logging
from typing import Any, Final

from tenancy.mover.parts import MoverParts
from tenancy.mover.phases import Phase
from tenancy.mover.plan import MovePlan
from tenancy.mover.progress import ProgressBoard
from tenancy.tenant import Placement

ON_THE_WAY_BACK: Final = {
    Phase.LOCK_WAIT: Phase.LOCK_WAIT,
    Phase.LOCKED: Phase.ROLLBACK_LOCKED,
    Phase.DECIDED: Phase.ROLLBACK_DECIDED,
}
"""The moments of a cut-over back that have a name of their own; what lies between would read as the way there."""

log = logging.getLogger(__name__)


class Announcer:
    """The voice of one decided move."""

    def __init__(self, parts: MoverParts, plan: MovePlan, board: ProgressBoard) -> None:
        self._parts = parts
        self._plan = plan
        self._board = board

    def tell(self, phase: Phase) -> None:
        """Note how far the move is."""
        self._board.phase = phase
        self._parts.reached(phase)

    def tell_rollback(self, phase: Phase) -> None:
        """Note how far the way back is, under its own names."""
        if phase in ON_THE_WAY_BACK:
            self.tell(ON_THE_WAY_BACK[phase])
        else:
            self._parts.reached(phase)

    async def decided(self, placement: Placement, phase: Phase, **values: Any) -> None:
        """Let the registry and this process know where the clinic is. May be repeated."""
        move_id = self._plan.move_id
        is_news = await self._parts.store.moves.decided(
            move_id, placement, values=values | {"phase": phase.value}
        )
        self._parts.forget(placement.tenant_id)
        # Whoever takes the move over here has not come by way of its decision.
        self._board.phase = phase
        if is_news:
            strategy, server = placement.strategy.value, placement.home.server
            log.info("move %s: decided, the clinic is at %s@%s", move_id, strategy, server)
