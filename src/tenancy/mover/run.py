"""Works on one move that this process has claimed, from wherever it stands, as the runbook tells it.

What is to be done follows from one question, asked of the old home's row: has it decided?
"""

import asyncio
import logging
from contextlib import suppress
from typing import Any, Final

import asyncpg
import msgspec
from msgspec import structs
from sqlalchemy.exc import SQLAlchemyError

from tenancy.errors import TenancyError
from tenancy.home_failures import SERVER_GONE
from tenancy.mover.claims import register_source
from tenancy.mover.cutover import CutOver
from tenancy.mover.ends import HomeRows, Purge
from tenancy.mover.errors import (
    AttemptLostError,
    MismatchError,
    MoveError,
)
from tenancy.mover.forward import ForwardMove
from tenancy.mover.offline import OfflineMove
from tenancy.mover.parts import MoverParts
from tenancy.mover.phases import Phase
from tenancy.mover.plan import MovePlan, StreamNames
from tenancy.mover.predecessors import connections_name, end_predecessors
from tenancy.mover.progress import ProgressBoard
from tenancy.mover.reach import LEAVE_S_MAX, work_in_reach
from tenancy.mover.settled import SettledMove, report_of
from tenancy.mover.slots import Replication
from tenancy.mover.standing import BothHomes, Standing
from tenancy.registry.move_records import MoveRecord, MoveStatus
from tenancy.strategy import shared_homes

BEAT_S: Final = 1.0
FOLLOW_PAUSE_S_FIRST: Final = 0.1
FOLLOW_PAUSE_S_MAX: Final = 2.0
"""Between two looks at a reverse stream; longer the longer nothing came."""

log = logging.getLogger(__name__)


class MoveRun:
    """One process' work on one move."""

    def __init__(self, parts: MoverParts, record: MoveRecord, board: ProgressBoard) -> None:
        pools = parts.pools.named(connections_name(record.id))
        self._parts = structs.replace(parts, pools=pools)
        self._record = record
        self._board = board
        self._rows = HomeRows(pools)
        self.plan = MovePlan(
            move_id=record.id,
            source=record.source,
            target=record.target,
            is_offline=record.is_offline,
            grace_s=record.grace_s,
        )
        self._homes = BothHomes(self._rows, self.plan)
        self._report: dict[str, Any] = dict(record.report)
        is_going_back = record.status is MoveStatus.ROLLING_BACK
        self._wanted = record.wanted or ("rollback" if is_going_back else None)
        self._is_lost = False
        self._news = asyncio.Event()

    async def run(self, *, stays: bool = True) -> MoveStatus:
        """Work until the move has ended, or, without `stays`, until the clinic serves at its target, compared.

        Raises `MoveError` when the move was given up (then it is aborted and nothing is left of it), and
        `AttemptLostError` when another process has taken it over, `ServerUnavailableError` when a server is silent.
        """
        beating = asyncio.ensure_future(self._beat())
        working = asyncio.ensure_future(self._run(stays=stays))
        try:
            return await self._while_in_reach(working)
        finally:
            for task in (working, beating):
                task.cancel()
            await asyncio.wait({working, beating}, timeout=LEAVE_S_MAX)

    async def _while_in_reach(self, working: asyncio.Future[MoveStatus]) -> MoveStatus:
        """Wait for the work; leave it, and the move to whoever reaches further, when a server has fallen silent."""
        homes = (self.plan.source.home, self.plan.target.home)
        strategies = self._parts.strategies.values()
        shared = [shared_homes(strategies, home.server)[0] for home in homes]
        return await work_in_reach(working, self._parts.pools, shared)

    async def _run(self, *, stays: bool) -> MoveStatus:
        await end_predecessors(self._parts.pools, self.plan)
        standing = await self._homes.standing(self._record)
        if standing is Standing.UNDECIDED:
            if self._record.status is MoveStatus.ABORTING or self._wanted == "abort":
                return await self._abort()
            return await self._decide(stays=stays)
        settled = SettledMove(self._parts, self.plan, self._board, self._record.attempt)
        await settled.take_over(await self._homes.known_attempt(self._record))
        # With the attempt at both homes nobody else can change it any more; before, somebody could.
        standing = await self._homes.standing(self._record)
        if standing is Standing.UNDECIDED_BACK:
            await self._rows.unready(self.plan.backwards(), settled.attempt, "moved")
        if standing is Standing.ROLLED_BACK:
            return await self._clean_after_roll_back(settled)
        if self.plan.is_offline:
            return await self._settle_offline(settled)
        if self._record.status is MoveStatus.FINISHING:
            # The way back was given up for good; of what it needs, anything may be gone.
            return await self._finish(settled)
        return await self._settle(settled, None, stays=stays)

    async def _decide(self, *, stays: bool) -> MoveStatus:
        kind = OfflineMove if self.plan.is_offline else ForwardMove
        attempt = kind(
            self._parts,
            self.plan,
            self._board,
            known=await self._homes.known_attempt(self._record),
            check=self._check,
        )
        try:
            decided = await attempt.run()
        except AttemptLostError:
            raise
        except (
            *SERVER_GONE,
            TenancyError,
            asyncpg.PostgresError,
            OSError,
            SQLAlchemyError,
        ) as error:
            if await self._homes.standing(self._record) is not Standing.UNDECIDED:
                raise
            if not isinstance(error, MoveError) and not self.plan.is_offline:
                # Something is out of reach: it may come back, and somebody goes on then.
                raise
            # An offline move is not tried again by itself: each time the clinic's writes would wait for the copy.
            # What failed may have failed because somebody else goes on with the move: then it is not ours to give up.
            await self._rows.require_attempt(self.plan, attempt.attempt)
            told = str(error) if isinstance(error, MoveError) else type(error).__name__
            await self._parts.store.moves.note(self.plan.move_id, error=told)
            await self._abort()
            raise
        settled = SettledMove(self._parts, self.plan, self._board, attempt.attempt)
        if not isinstance(decided, CutOver):
            self._report |= {"pause_ms": round(decided, 1), "tables": report_of(self._board.tables)}
            return await self._settle_offline(settled)
        self._report |= {"pause_ms": round(decided.pause_ms, 1), "cut_overs": decided.tries}
        return await self._settle(settled, decided, stays=stays)

    def _check(self) -> None:
        """Stop where the move is given up on request or is no longer ours; called where that is safe."""
        if self._is_lost:
            raise AttemptLostError
        if self._wanted == "abort":
            raise MoveError("aborted on request")

    async def _settle(
        self, settled: SettledMove, cut_over: CutOver | None, *, stays: bool
    ) -> MoveStatus:
        """Roll forward, compare, follow until the grace period ends or somebody wants something else."""
        try:
            await settled.roll_forward(self._report)
            is_compared = self._record.grace_until is not None
            try:
                if cut_over is not None:
                    counts = await settled.compare(cut_over.snapshot)
                    self._report["tables"] = report_of(counts)
                    is_compared = True
                await settled.start_reverse()
                if not is_compared:
                    self._report["tables"] = report_of(await settled.compare_now())
            except MismatchError as error:
                log.critical("move %s: %s; going back", self.plan.move_id, error)
                await self._parts.store.moves.note(self.plan.move_id, error=str(error))
                await settled.start_reverse()
                self._wanted = "rollback"
            else:
                await self._begin_grace()
            # An `abort` that came after the decision is too late; the way back is a rollback.
            if not stays and self._wanted in {None, "abort"}:
                await settled.close()
                return MoveStatus.GRACE
            return await self._stay(settled)
        finally:
            await settled.close()
            if cut_over is not None:
                # Released by the comparison, unless it was not come to.
                await cut_over.snapshot.release()

    async def _settle_offline(self, settled: SettledMove) -> MoveStatus:
        """Roll forward and remove what is left: without a stream the old home cannot follow, so there is no way back."""
        await settled.roll_forward(self._report)
        return await self._finish(settled)

    async def _begin_grace(self) -> None:
        if self._record.status is MoveStatus.RUNNING:
            await self._parts.store.moves.begin_grace(self.plan.move_id, report=self._report)

    async def _stay(self, settled: SettledMove) -> MoveStatus:
        pause_s = FOLLOW_PAUSE_S_FIRST
        while True:
            if self._is_lost:
                raise AttemptLostError
            if self._wanted == "rollback":
                return await self._roll_back(settled)
            if self._wanted == "finish" or await self._parts.store.moves.is_grace_over(
                self.plan.move_id
            ):
                return await self._finish(settled)
            pause_s = FOLLOW_PAUSE_S_FIRST if await settled.follow() else pause_s * 2
            await self._changed(min(pause_s, FOLLOW_PAUSE_S_MAX))

    async def _changed(self, wait_s_max: float) -> None:
        """Wait until something is wanted or the move is lost, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s_max):
                await self._news.wait()

    async def _roll_back(self, settled: SettledMove) -> MoveStatus:
        await self._parts.store.moves.note(self.plan.move_id, status=MoveStatus.ROLLING_BACK.value)
        pause_ms = await settled.roll_back()
        self._report["rollback_pause_ms"] = round(pause_ms, 1)
        return await self._clean_after_roll_back(settled)

    async def _clean_after_roll_back(self, settled: SettledMove) -> MoveStatus:
        await settled.rolled_back()
        return await self._end(MoveStatus.ROLLED_BACK)

    async def _finish(self, settled: SettledMove) -> MoveStatus:
        await self._parts.store.moves.note(self.plan.move_id, status=MoveStatus.FINISHING.value)
        await settled.finish()
        return await self._end(MoveStatus.FINISHED)

    async def _abort(self) -> MoveStatus:
        """Remove everything that the move has made; the clinic never left."""
        plan = self.plan
        await self._parts.store.moves.note(plan.move_id, status=MoveStatus.ABORTING.value)
        # Whoever else still works on it cannot decide from here on.
        attempt = await self._take_source()
        await Replication(self._parts.pools, plan.source.home).withdraw(
            StreamNames.forward(plan.move_id)
        )
        purge = Purge(self._parts.pools, self._parts.strategies, self._tell)
        if await purge.database_exists(plan.target):
            await Replication(self._parts.pools, plan.target.home).withdraw(
                StreamNames.reverse(plan.move_id)
            )
            await purge.unused_target(plan, attempt)
        self._tell(Phase.CLEANED)
        return await self._end(MoveStatus.ABORTED)

    async def _take_source(self) -> int:
        connection = await self._rows.connect(self.plan.source.home)
        try:
            # The source knows the newest attempt of all; the target need not be within reach to be left.
            return await register_source(
                connection, self.plan, known=self._record.attempt, state="active"
            )
        finally:
            await connection.close()

    async def _end(self, status: MoveStatus) -> MoveStatus:
        self._report["progress"] = msgspec.to_builtins(self._board.progress())
        await self._parts.store.moves.end(self.plan.move_id, status, report=self._report)
        return status

    async def _beat(self) -> None:
        """Tell the journal that this process lives, and learn what is wanted; without the registry the work goes on."""
        moves, worker = self._parts.store.moves, self._parts.worker
        while True:
            progress = self._board.progress()
            try:
                is_ours, wanted = await moves.beat(
                    self.plan.move_id,
                    worker,
                    phase=progress.phase.value,
                    progress=msgspec.to_builtins(progress),
                )
            except (SQLAlchemyError, OSError, TimeoutError):
                pass
            else:
                self._is_lost = not is_ours
                self._wanted = wanted or self._wanted
                if self._is_lost or self._wanted is not None:
                    self._news.set()
            await asyncio.sleep(BEAT_S)

    def _tell(self, phase: Phase) -> None:
        self._board.phase = phase
        self._parts.reached(phase)
