"""The mover, its servers and its connections fail at phases of a move; the clinic works on and the move ends.

A sample that runs in a minute. `tests/fault/matrix.py` holds the whole matrix: `just fault-matrix`.
"""

from collections.abc import AsyncIterator

import pytest

from app.settings import Settings
from fault_cases import Case, Way
from fault_ground import FaultGround, fault_ground
from killable_servers import MAIN, SECOND
from tenancy.mover.phases import Phase
from tenancy.tenant import StrategyName

ROW, SCHEMA, DATABASE = StrategyName
BETWEEN = Way(ROW, MAIN, SCHEMA, SECOND)
INSIDE = Way(SCHEMA, MAIN, ROW, MAIN)
OUT_OF_A_DATABASE = Way(DATABASE, SECOND, SCHEMA, MAIN)
INTO_A_DATABASE = Way(ROW, SECOND, DATABASE, MAIN)


@pytest.fixture(scope="module")
async def ground(settings: Settings) -> AsyncIterator[FaultGround]:
    async with fault_ground(settings) as made:
        yield made


@pytest.mark.parametrize(
    ("fault", "phase", "way", "goal"),
    [
        ("kill", Phase.COPY_CHUNK, BETWEEN, ""),
        ("kill", Phase.LOCKED, INSIDE, ""),
        ("kill", Phase.DECIDE_SENT, BETWEEN, ""),
        # What was purged has no row any more that could be asked.
        ("kill", Phase.PURGE_BATCH, OUT_OF_A_DATABASE, ""),
        ("kill", Phase.ROLLBACK_DECIDED, INTO_A_DATABASE, ""),
        # A stopped process holds the target's row.
        ("stop", Phase.APPLY_BEFORE_COMMIT, BETWEEN, ""),
        # It wakes when the home that it would compare is purged.
        ("stop", Phase.DECIDE_SENT, BETWEEN, ""),
        ("raise", Phase.TARGET_READY, INSIDE, ""),
        ("kill_source", Phase.LOCKED, BETWEEN, ""),
        ("kill_target", Phase.DECIDED, BETWEEN, ""),
        # A process that waits for a server out of reach lives, and holds the target's row.
        ("hush_source", Phase.COPY_CHUNK, BETWEEN, ""),
        ("cut_target", Phase.APPLIED_NOT_CONFIRMED, BETWEEN, ""),
        # It believes in connections that its server has closed.
        ("half_source", Phase.DECIDE_SENT, BETWEEN, ""),
        ("kill", Phase.PURGE_BATCH, BETWEEN, "abort"),
    ],
    ids=str,
)
async def test_the_move_ends_and_nothing_is_lost(
    ground: FaultGround, fault: str, phase: Phase, way: Way, goal: str
) -> None:
    await ground.run(Case(phase=phase, fault=fault, way=way, goal=goal))
