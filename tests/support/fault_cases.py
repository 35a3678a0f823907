"""A fault at a phase of a move, and what was seen of it."""

from typing import Final

from msgspec import Struct
from msgspec.structs import force_setattr

from tenancy.mover.phases import Phase
from tenancy.registry.moves import MoveStatus
from tenancy.tenant import StrategyName

OF_THE_MOVER: Final = ("kill", "stop", "raise")
OF_AN_END: Final = ("kill", "cut", "hush", "half", "slow")
"""Of the source's server or the way to it, and of the target's."""

FAULTS: Final = (
    *OF_THE_MOVER,
    *(f"{what}_{end}" for what in OF_AN_END for end in ("source", "target")),
)
OF_THE_WAY_BACK: Final = (Phase.ROLLBACK_LOCKED, Phase.ROLLBACK_DECIDED)
OF_THE_END: Final = (
    Phase.FINALIZE_STARTED,
    Phase.PURGE_BATCH,
    Phase.SLOT_DROPPED,
    Phase.CLEANED,
)


class Way(Struct, frozen=True):
    """From where to where a clinic is moved."""

    source: StrategyName
    source_server: str
    target: StrategyName
    target_server: str

    def __str__(self) -> str:
        return f"{self.source.value}@{self.source_server}-{self.target.value}@{self.target_server}"


def goal_of(phase: Phase) -> str:
    """How far a move has to go to come by the phase that is named after it."""
    if phase in OF_THE_WAY_BACK:
        return "rollback"
    return "finish" if phase in OF_THE_END else "grace"


class Case(Struct, frozen=True, kw_only=True):
    """One fault at one phase of one move."""

    phase: Phase
    fault: str
    way: Way
    occurrence: int = 1
    goal: str = ""
    """`grace`, `finish`, `rollback` or `abort`; of the phase where nothing is said."""

    def __post_init__(self) -> None:
        """Fill in the goal that the phase is named after."""
        if not self.goal:
            force_setattr(self, "goal", goal_of(self.phase))

    @property
    def is_late(self) -> bool:
        """Whether the phase is that of the goal, and not the same one on the way there."""
        return self.goal in {"finish", "rollback"} or (
            self.goal == "abort" and self.phase in OF_THE_END
        )

    def __str__(self) -> str:
        detour = "" if self.goal == goal_of(self.phase) else f"-{self.goal}"
        return f"{self.fault}-{self.phase.value}{detour}-{self.way}"


class Seen(Struct, kw_only=True):
    """What became of one case."""

    ended: MoveStatus
    process_said: str | None
    acknowledged: int
    unknown: int
    longest_write_ms: float
    seconds: float
