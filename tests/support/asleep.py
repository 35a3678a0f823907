"""Moves that stop on their way and stay claimed, so that no server process goes on with them meanwhile."""

from uuid import UUID

from moves import mover_of
from tenancy.mover.phases import Phase, Reached, nothing_happens
from tenancy.mover.progress import ProgressBoard
from tenancy.mover.run import MoveRun
from tenancy.registry.move_records import MoveRecord
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy

WORKER = "the tests"


class AsleepError(Exception):
    """Stands for a mover that stops at this point."""


async def work_claimed(
    tenancy: Tenancy, move_id: UUID, reached: Reached = nothing_happens
) -> MoveRecord:
    """Work on a move until the clinic serves at its target, compared."""
    mover = mover_of(tenancy, worker=WORKER, reached=reached)
    # Who slept at the step before is not to be waited for.
    await tenancy.store.moves.release(move_id, WORKER, phase="planned", progress={})
    claimed = await tenancy.store.moves.claim(move_id, WORKER)
    assert claimed is not None, "somebody else works on the move"
    await MoveRun(mover._parts, claimed, ProgressBoard()).run(stays=False)
    return await mover.move(move_id)


async def ended(tenancy: Tenancy, move_id: UUID, wanted: str) -> MoveRecord:
    """Do what is wanted of a move that was left here, without waiting until its heartbeat is missed."""
    mover = mover_of(tenancy)
    await mover.want(move_id, wanted, actor=PlatformActor())
    await tenancy.store.moves.release(move_id, WORKER)
    return await mover.settle(move_id)


async def sleep_at(tenancy: Tenancy, move_id: UUID, phase: Phase) -> None:
    """Work on a move up to the phase and leave it there."""

    def falls_asleep(now: Phase) -> None:
        if now is phase:
            raise AsleepError

    try:
        await work_claimed(tenancy, move_id, falls_asleep)
    except AsleepError:
        return
    raise AssertionError(f"the move did not come to {phase}")
