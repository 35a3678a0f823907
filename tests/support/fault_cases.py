"""A fault at a phase of a move, and what was seen of it."""

from msgspec import Struct

from tenancy.mover.phases import Phase
from tenancy.registry.moves import MoveStatus
from tenancy.tenant import StrategyName


class Way(Struct, frozen=True):
    """From where to where a clinic is moved."""

    source: StrategyName
    source_server: str
    target: StrategyName
    target_server: str

    def __str__(self) -> str:
        return f"{self.source.value}@{self.source_server}-{self.target.value}@{self.target_server}"


class Case(Struct, frozen=True, kw_only=True):
    """One fault at one phase of one move."""

    phase: Phase
    fault: str
    way: Way
    occurrence: int = 1

    @property
    def goal(self) -> str:
        """How far the move has to go to come by the phase."""
        if self.phase in {Phase.ROLLBACK_LOCKED, Phase.ROLLBACK_DECIDED}:
            return "rollback"
        finishing = {Phase.FINALIZE_STARTED, Phase.PURGE_BATCH, Phase.SLOT_DROPPED, Phase.CLEANED}
        return "finish" if self.phase in finishing else "grace"

    def __str__(self) -> str:
        return f"{self.fault}-{self.phase.value}-{self.way}"


class Seen(Struct, kw_only=True):
    """What became of one case."""

    ended: MoveStatus
    process_said: str | None
    acknowledged: int
    unknown: int
    longest_write_ms: float
    seconds: float
