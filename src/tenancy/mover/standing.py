"""Where a move stands, as its two homes say: the only evidence there is."""

from enum import StrEnum

from tenancy.mover.ends import HomeRow, HomeRows
from tenancy.mover.errors import MoveStateError
from tenancy.mover.plan import MovePlan
from tenancy.registry.move_records import MoveRecord


class Standing(StrEnum):
    """Where the clinic's homes say that a move stands."""

    UNDECIDED = "undecided"
    DECIDED = "decided"
    UNDECIDED_BACK = "undecided_back"
    """A way back got as far as `ready` and did not decide; the clinic serves at its target."""
    ROLLED_BACK = "rolled_back"
    PURGED = "purged"
    """Decided, and the old home was dropped with its row already."""
    OUTDATED = "outdated"
    """The homes speak of a later move: this one has ended, and the journal does not know it (any more)."""


class BothHomes:
    """The homes of one move, asked together."""

    def __init__(self, rows: HomeRows, plan: MovePlan) -> None:
        self._rows = rows
        self._plan = plan

    async def standing(self, record: MoveRecord) -> Standing:
        """Return where the move stands; raise `MoveStateError` where the homes contradict each other."""
        source = await self._rows.settled(self._plan.source)
        if source is not None and self._is_anothers(source, record):
            return Standing.OUTDATED
        if _is(source, "active", self._plan.source.epoch):
            return Standing.UNDECIDED
        back = self._plan.backwards()
        if _is(source, "active", back.target.epoch):
            return Standing.ROLLED_BACK
        target = await self._rows.settled(self._plan.target)
        if target is None or target.move_id != self._plan.move_id:
            return Standing.OUTDATED
        if source is None:
            return self._without_source(target)
        return self._decided(source, target)

    def _decided(self, source: HomeRow, target: HomeRow) -> Standing:
        back = self._plan.backwards()
        if source.state == "ready" and _is(target, "moved", back.target.epoch):
            return Standing.ROLLED_BACK
        if target.state not in {"ready", "active"}:
            raise MoveStateError("neither of the two homes takes the clinic in")
        return Standing.UNDECIDED_BACK if source.state == "ready" else Standing.DECIDED

    def _is_anothers(self, source: HomeRow, record: MoveRecord) -> bool:
        """Return whether another move has the source, after this one.

        A move that has no attempt yet finds the row of the one before, which is no later one while its epoch fits.
        """
        if source.move_id == self._plan.move_id:
            return False
        return record.attempt > 0 or not _is(source, "active", self._plan.source.epoch)

    def _without_source(self, target: HomeRow) -> Standing:
        """Return where the move stands when a private home's row went with its database."""
        if _is(target, "active", self._plan.target.epoch):
            # Nobody is active there before the decision, and only what was decided is dropped.
            return Standing.PURGED
        raise MoveStateError("the home that the move starts from has no such clinic")

    async def known_attempt(self, record: MoveRecord) -> int:
        """Return the newest attempt that the journal or either home knows of."""
        rows = [await self._rows.settled(p) for p in (self._plan.source, self._plan.target)]
        return max([record.attempt, *(row.attempt for row in rows if row is not None)])


def _is(row: HomeRow | None, state: str, epoch: int) -> bool:
    return row is not None and row.state == state and row.epoch == epoch
