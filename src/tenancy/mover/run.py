"""Works on one move that this process has claimed, from wherever it stands, as the runbook tells it.

What is to be done follows from one question, asked of the old home's row: has it decided?
"""

import asyncio
import logging
from contextlib import suppress
from typing import Any, Final

import asyncpg
from msgspec import structs
from sqlalchemy.exc import SQLAlchemyError

from tenancy.errors import ServerUnavailableError, TenancyError
from tenancy.home_failures import SERVER_GONE
from tenancy.mover.claims import register_source
from tenancy.mover.cutover import CutOver
from tenancy.mover.ends import HomeRows, Purge
from tenancy.mover.errors import AttemptLostError, MoveError
from tenancy.mover.forward import ForwardMove
from tenancy.mover.heartbeat import Heartbeat
from tenancy.mover.kept import KeptMove
from tenancy.mover.offline import OfflineMove
from tenancy.mover.outdated import OutdatedMove
from tenancy.mover.parts import MoverParts
from tenancy.mover.phases import Phase
from tenancy.mover.plan import MovePlan, StreamNames
from tenancy.mover.predecessors import connections_name, end_predecessors
from tenancy.mover.progress import ProgressBoard
from tenancy.mover.reach import LEAVE_S_MAX, work_in_reach
from tenancy.mover.reasons import reason_of
from tenancy.mover.settled import SettledMove, report_of
from tenancy.mover.slots import Replication
from tenancy.mover.standing import BothHomes, Standing
from tenancy.mover.turns import Turn
from tenancy.registry.move_records import MoveRecord, MoveStatus
from tenancy.strategy import shared_homes

FAILURES: Final = (*SERVER_GONE, TenancyError, asyncpg.PostgresError, OSError, SQLAlchemyError)
"""What a try at a move may end with; anything else is a fault of this program."""

OUT_OF_REACH: Final = (ServerUnavailableError, *SERVER_GONE)
TARGET_LOOKS_MAX: Final = 3
TARGET_LOOK_PAUSE_S: Final = 1.0
LEFT_BEHIND: Final = "the new home's server is out of reach: clinic doctor names what is left there"

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
        self._heartbeat = Heartbeat(self._parts, record, board)

    async def run(self, *, stays: bool = True, turn: Turn | None = None) -> MoveStatus:
        """Work until the move has ended, or, without `stays`, until the clinic serves at its target, compared.

        Raises `MoveError` when the move was given up (then it is aborted and nothing is left of it), and
        `AttemptLostError` when another process has taken it over, `ServerUnavailableError` when a server is silent.
        """
        async with self._heartbeat.beating():
            working = asyncio.ensure_future(self._run(stays=stays, turn=turn))
            try:
                return await self._while_in_reach(working)
            except AttemptLostError:
                raise
            except FAILURES as error:
                await self._note_failure(error)
                raise
            finally:
                working.cancel()
                await asyncio.wait({working}, timeout=LEAVE_S_MAX)

    async def _while_in_reach(self, working: asyncio.Future[MoveStatus]) -> MoveStatus:
        """Wait for the work; leave it, and the move to whoever reaches further, when a server has fallen silent."""
        homes = (self.plan.source.home, self.plan.target.home)
        strategies = self._parts.strategies.values()
        shared = [shared_homes(strategies, home.server)[0] for home in homes]
        return await work_in_reach(working, self._parts.pools, shared)

    async def _run(self, *, stays: bool, turn: Turn | None) -> MoveStatus:
        await end_predecessors(self._parts.pools, self.plan)
        standing = await self._homes.standing(self._record)
        if standing is Standing.OUTDATED:
            return await OutdatedMove(self._parts, self.plan).end(self._report)
        if standing is not Standing.UNDECIDED:
            return await self._keep(stays=stays, turn=turn)
        if self._record.status is MoveStatus.ABORTING or self._heartbeat.wanted == "abort":
            return await self._abort()
        return await self._decide(stays=stays, turn=turn)

    async def _keep(self, *, stays: bool, turn: Turn | None) -> MoveStatus:
        """Take over a move that was decided, forth or back."""
        settled = self._settled(self._record.attempt)
        await settled.take_over(await self._homes.known_attempt(self._record))
        # With the attempt at both homes nobody else can change it any more; before, somebody could.
        standing = await self._homes.standing(self._record)
        kept = self._kept(settled)
        if standing is Standing.UNDECIDED_BACK:
            await self._rows.unready(self.plan.backwards(), settled.attempt, "moved")
        if standing is Standing.ROLLED_BACK:
            return await kept.clean_after_roll_back()
        is_given_up = (
            standing is Standing.PURGED
            or self._record.status is MoveStatus.FINISHING
            or self._heartbeat.wanted == "finish"
        )
        if self.plan.is_offline or is_given_up:
            # There never was a way back, or of what it needs anything may be gone.
            return await kept.settle_for_good()
        return await kept.settle(None, stays=stays, turn=turn)

    def _settled(self, attempt: int) -> SettledMove:
        return SettledMove(self._parts, self.plan, self._board, attempt)

    def _kept(self, settled: SettledMove) -> KeptMove:
        return KeptMove(
            self._parts,
            self._record,
            settled,
            self._heartbeat,
            plan=self.plan,
            report=self._report,
        )

    async def _decide(self, *, stays: bool, turn: Turn | None) -> MoveStatus:
        kind = OfflineMove if self.plan.is_offline else ForwardMove
        attempt = kind(
            self._parts,
            self.plan,
            self._board,
            known=await self._homes.known_attempt(self._record),
            check=self._heartbeat.check,
        )
        try:
            decided = await attempt.run()
        except AttemptLostError:
            raise
        except FAILURES as error:
            if await self._homes.standing(self._record) is not Standing.UNDECIDED:
                raise
            if not isinstance(error, MoveError) and not self.plan.is_offline:
                # Something is out of reach: it may come back, and somebody goes on then.
                raise
            # An offline move is not tried again by itself: each time the clinic's writes would wait for the copy.
            # What failed may have failed because somebody else goes on with the move: then it is not ours to give up.
            await self._rows.require_attempt(self.plan, attempt.attempt)
            await self._note(error=reason_of(error))
            await self._abort()
            raise
        kept = self._kept(self._settled(attempt.attempt))
        if not isinstance(decided, CutOver):
            self._report |= {"pause_ms": round(decided, 1), "tables": report_of(self._board.tables)}
            return await kept.settle_for_good()
        self._report |= {"pause_ms": round(decided.pause_ms, 1), "cut_overs": decided.tries}
        return await kept.settle(decided, stays=stays, turn=turn)

    async def _abort(self) -> MoveStatus:
        """Remove everything that the move has made; the clinic never left.

        The old home decides who has the move, so a new home that is out of reach does not keep it from its end.
        """
        plan = self.plan
        await self._note(status=MoveStatus.ABORTING.value)
        # Whoever else still works on it cannot decide from here on.
        attempt = await self._take_source()
        await Replication(self._parts.pools, plan.source.home).withdraw(
            StreamNames.forward(plan.move_id)
        )
        await self._leave_target(attempt)
        self._tell(Phase.CLEANED)
        self._report["progress"] = self._heartbeat.progress()
        await self._parts.store.moves.end(plan.move_id, MoveStatus.ABORTED, report=self._report)
        return MoveStatus.ABORTED

    async def _leave_target(self, attempt: int) -> None:
        """Remove the target, or say that it is out of reach: nobody has its epoch, what is left there only takes room."""
        plan = self.plan
        purge = Purge(self._parts.pools, self._parts.strategies, self._tell)
        try:
            is_there = await self._target_exists(purge)
        except OUT_OF_REACH:
            if self._heartbeat.wanted != "abort":
                # Nobody has said that it is gone for good: whoever goes on finds it again and leaves nothing there.
                raise
            log.warning("move %s: %s", plan.move_id, LEFT_BEHIND)
            await self._note(error=LEFT_BEHIND)
            return
        if is_there:
            await Replication(self._parts.pools, plan.target.home).withdraw(
                StreamNames.reverse(plan.move_id)
            )
            await purge.unused_target(plan, attempt)

    async def _target_exists(self, purge: Purge) -> bool:
        """Ask the target's server, which may just be starting, more than once."""
        for _ in range(TARGET_LOOKS_MAX - 1):
            with suppress(*OUT_OF_REACH):
                return await purge.database_exists(self.plan.target)
            await asyncio.sleep(TARGET_LOOK_PAUSE_S)
        return await purge.database_exists(self.plan.target)

    async def _take_source(self) -> int:
        connection = await self._rows.connect(self.plan.source.home)
        try:
            # The source knows the newest attempt of all; the target need not be within reach to be left.
            return await register_source(
                connection, self.plan, known=self._record.attempt, state="active"
            )
        finally:
            await connection.close()

    async def _note(self, **values: Any) -> None:
        """Write into the journal; raise `AttemptLostError` for who does not have the move any more."""
        moves, worker = self._parts.store.moves, self._parts.worker
        if not await moves.note(self.plan.move_id, only_by=worker, **values):
            raise AttemptLostError

    async def _note_failure(self, error: BaseException) -> None:
        """Say in the journal why it does not go on; a registry that is out of reach is told the next time."""
        with suppress(SQLAlchemyError, OSError, TimeoutError):
            await self._parts.store.moves.failed(
                self.plan.move_id, self._parts.worker, reason_of(error)
            )

    def _tell(self, phase: Phase) -> None:
        self._board.phase = phase
        self._parts.reached(phase)
