"""Which faults the matrix runs at which phases of which ways: everything on one way, a spread on the others."""

from collections.abc import Iterator
from itertools import product
from typing import Final

from fault_cases import FAULTS, OF_THE_MOVER, Case, Way
from killable_servers import MAIN, SECOND
from tenancy.mover.phases import Phase
from tenancy.tenant import StrategyName

ROW, SCHEMA, DATABASE = StrategyName
WAYS: Final = {
    "between": Way(ROW, MAIN, SCHEMA, SECOND),
    "inside": Way(SCHEMA, MAIN, ROW, MAIN),
    "from-database": Way(DATABASE, SECOND, SCHEMA, MAIN),
    "to-database": Way(ROW, SECOND, DATABASE, MAIN),
}
SERVERS_AND_CUTS: Final = ("kill_source", "kill_target", "cut_source", "cut_target")
SPREAD: Final = (
    Phase.COPY_CHUNK,
    Phase.APPLY_BEFORE_COMMIT,
    Phase.LOCKED,
    Phase.TARGET_READY,
    Phase.DECIDE_SENT,
    Phase.DECIDED,
    Phase.ROLLBACK_LOCKED,
    Phase.PURGE_BATCH,
)
"""One of each kind: before, in and after the pause, on the way back, at the end."""

WHILE_SLOW: Final = (
    Phase.COPY_CHUNK,
    Phase.LOCKED,
    Phase.DECIDED,
    Phase.REVERSE_STARTED,
    Phase.ROLLBACK_LOCKED,
    Phase.FINALIZE_STARTED,
)
ON_THE_WAY_BACK: Final = (
    Phase.APPLY_BEFORE_COMMIT,
    Phase.MARKER_WRITTEN,
    Phase.DRAINED,
    Phase.VERIFIED,
    Phase.TARGET_READY,
    Phase.BEFORE_DECIDE,
    Phase.DECIDE_SENT,
    Phase.PURGE_BATCH,
    Phase.CLEANED,
)
"""Phases of the first way that the way back passes again."""

BEFORE_AN_ABORT: Final = (
    Phase.ATTEMPT_SRC,
    Phase.ATTEMPT_DST,
    Phase.PUBLISHED,
    Phase.COPY_CHUNK,
    Phase.APPLY_BEFORE_COMMIT,
    Phase.LOCKED,
    Phase.TARGET_READY,
    Phase.DECIDE_SENT,
)
IN_AN_ABORT: Final = (Phase.PURGE_BATCH, Phase.CLEANED)


def every_case() -> Iterator[Case]:
    """Yield the cases of the whole matrix, what matters most first."""
    between = WAYS["between"]
    others = [way for way in WAYS.values() if way is not between]
    yield from _cases([between], Phase, (*OF_THE_MOVER, *SERVERS_AND_CUTS))
    yield from _cases([between], IN_AN_ABORT, (*OF_THE_MOVER, *SERVERS_AND_CUTS), "abort")
    yield from _cases(
        [between], BEFORE_AN_ABORT, ("kill", "stop", "kill_target", "hush_target"), "abort"
    )
    yield from _cases([between], ON_THE_WAY_BACK, OF_THE_MOVER, "rollback")
    yield from _cases(
        [between], (Phase.TARGET_READY, Phase.DECIDE_SENT), SERVERS_AND_CUTS, "rollback"
    )
    yield from _cases([between], SPREAD, ("half_source", "half_target"))
    yield from _cases([between], SPREAD, ("hush_source", "hush_target"))
    yield from _cases([between], WHILE_SLOW, ("slow_source", "slow_target"))
    yield from _cases(others, Phase, OF_THE_MOVER)
    yield from _cases(others, ON_THE_WAY_BACK, ("kill",), "rollback")
    yield from _cases(others, IN_AN_ABORT, OF_THE_MOVER, "abort")
    yield from _cases(others, SPREAD, SERVERS_AND_CUTS)


def _cases(
    ways: list[Way],
    phases: type[Phase] | tuple[Phase, ...],
    faults: tuple[str, ...],
    goal: str = "",
) -> Iterator[Case]:
    assert set(faults) <= set(FAULTS)
    for fault, phase, way in product(faults, phases, ways):
        is_one_server = way.source_server == way.target_server
        # Where both ends are one server, it is the source's.
        if not (is_one_server and fault.endswith("_target")):
            yield Case(phase=phase, fault=fault, way=way, goal=goal)
