"""Where a move stands, as its two homes say: the only evidence there is."""

from enum import StrEnum

from tenancy.mover.ends import HomeRow, HomeRows
from tenancy.mover.errors import MoveStateError
from tenancy.mover.plan import MovePlan
from tenancy.registry.move_records import MoveRecord, MoveStatus


class Standing(StrEnum):
    """Where the clinic's homes say that a move stands."""

    UNDECIDED = "undecided"
    DECIDED = "decided"
    UNDECIDED_BACK = "undecided_back"
    """A way back got as far as `ready` and did not decide; the clinic serves at its target."""
    ROLLED_BACK = "rolled_back"


class BothHomes:
    """The homes of one move, asked together."""

    def __init__(self, rows: HomeRows, plan: MovePlan) -> None:
        self._rows = rows
        self._plan = plan

    async def standing(self, record: MoveRecord) -> Standing:
        """Return where the move stands; raise `MoveStateError` where the homes contradict each other."""
        source = await self._rows.settled(self._plan.source)
        if _is(source, "active", self._plan.source.epoch):
            return Standing.UNDECIDED
        back = self._plan.backwards()
        if _is(source, "active", back.target.epoch):
            return Standing.ROLLED_BACK
        target = await self._rows.settled(self._plan.target)
        if source is None:
            is_purged = record.status is MoveStatus.FINISHING
            if is_purged and _is(target, "active", self._plan.target.epoch):
                # A private home's row goes with its database; it was dropped after the decision.
                return Standing.DECIDED
            raise MoveStateError("the home that the move starts from has no such clinic")
        if _is(target, "moved", back.target.epoch):
            return Standing.ROLLED_BACK
        if target is None or target.state not in {"ready", "active"}:
            raise MoveStateError("neither of the two homes takes the clinic in")
        return Standing.UNDECIDED_BACK if source.state == "ready" else Standing.DECIDED

    async def known_attempt(self, record: MoveRecord) -> int:
        """Return the newest attempt that the journal or either home knows of."""
        rows = [await self._rows.settled(p) for p in (self._plan.source, self._plan.target)]
        return max([record.attempt, *(row.attempt for row in rows if row is not None)])


def _is(row: HomeRow | None, state: str, epoch: int) -> bool:
    return row is not None and row.state == state and row.epoch == epoch
