"""A decided move for as long as its way back is kept: compared, followed, then finished, or taken back."""

import asyncio
import logging
from typing import Any, Final

import asyncpg

from tenancy.mover.claims import Claim
from tenancy.mover.cutover import CutOver
from tenancy.mover.errors import (
    AttemptLostError,
    MismatchError,
    SlotLostError,
    StreamError,
    TablesChangedError,
    WayBackGoneError,
)
from tenancy.mover.heartbeat import Heartbeat
from tenancy.mover.hold import MigrationHold
from tenancy.mover.parts import MoverParts
from tenancy.mover.plan import MovePlan
from tenancy.mover.settled import SettledMove, report_of
from tenancy.mover.turns import Turn
from tenancy.mover.way_back import WayBack
from tenancy.registry.move_records import MoveRecord, MoveStatus

FOLLOW_PAUSE_S_FIRST: Final = 0.1
FOLLOW_PAUSE_S_MAX: Final = 2.0
"""Between two looks at a reverse stream; longer the longer nothing came."""

WAY_BACK_LOOK_S: Final = 30.0
"""Between two looks whether the clinic could still go back; looked at before it does in any case."""

MISMATCH: Final = "mismatch"
"""In the report of a move whose homes were found to differ: its old home is not removed unless somebody says so."""

log = logging.getLogger(__name__)


class KeptMove:
    """The work on one move from its decision to its end; `report` is what the journal keeps of it."""

    def __init__(
        self,
        parts: MoverParts,
        record: MoveRecord,
        settled: SettledMove,
        heartbeat: Heartbeat,
        *,
        plan: MovePlan,
        report: dict[str, Any],
    ) -> None:
        self._parts = parts
        self._record = record
        self._settled = settled
        self._heartbeat = heartbeat
        self._plan = plan
        self._report = report
        self._way_back = WayBack(parts.pools, plan)
        self._is_compared = self._is_in_grace = record.grace_until is not None
        self._looks_again_at = 0.0

    async def settle(
        self, cut_over: CutOver | None, *, stays: bool, turn: Turn | None
    ) -> MoveStatus:
        """Roll forward, compare, follow until the grace period ends or somebody wants something else."""
        try:
            await self._settled.roll_forward(self._report)
            await self._open_way_back(cut_over)
            # An `abort` that came after the decision is too late; the way back is a rollback.
            if not stays and self._heartbeat.wanted in {None, "abort"}:
                return MoveStatus.GRACE
            return await self._stay(turn)
        finally:
            await self._settled.close()
            if cut_over is not None:
                # Released by the comparison, unless it was not come to.
                await cut_over.snapshot.release()

    async def settle_for_good(self) -> MoveStatus:
        """Roll forward and remove what is left, without a way back: an offline move has no stream that the old home follows."""
        await self._settled.roll_forward(self._report)
        return await self.finish()

    async def finish(self) -> MoveStatus:
        """Give up the way back and remove the old home."""
        await self._note(status=MoveStatus.FINISHING.value)
        await self._settled.finish()
        return await self._end(MoveStatus.FINISHED)

    async def clean_after_roll_back(self) -> MoveStatus:
        """Remove the new home: the clinic is back."""
        await self._settled.rolled_back()
        return await self._end(MoveStatus.ROLLED_BACK)

    async def _open_way_back(self, cut_over: CutOver | None) -> None:
        homes = (self._plan.source.home, self._plan.target.home)
        if MISMATCH in self._report and not self._is_lost():
            # Found by who had the move before: compared is not taken for equal.
            await self._go_back()
            return
        try:
            if self._is_lost():
                # Once more, in case that whoever noted it came no further.
                await self._settled.give_up_way_back()
            elif self._record.status is MoveStatus.RUNNING:
                # Nobody changes the tables between the decision and the comparison.
                async with MigrationHold(self._parts.pools, *homes):
                    await self._compare(cut_over)
            else:
                await self._compare(cut_over)
        except MismatchError as error:
            log.critical("move %s: %s; going back", self._plan.move_id, error)
            self._report[MISMATCH] = str(error)
            await self._note(report=self._report, error=str(error))
            await self._go_back()
            return
        except (WayBackGoneError, SlotLostError) as error:
            await self._lose_way_back(str(error))
        await self._begin_grace()

    async def _go_back(self) -> None:
        """Take the clinic back by ourselves, as its homes differ; where that cannot be, keep both for somebody to look."""
        try:
            await self._settled.start_reverse()
        except SlotLostError as error:
            await self._lose_way_back(str(error))
            await self._begin_grace()
        else:
            self._heartbeat.wanted = "rollback"

    async def _begin_grace(self) -> None:
        if self._heartbeat.wanted == "abort":
            self._heartbeat.forget_wish()
        if self._record.status is MoveStatus.RUNNING:
            await self._parts.store.moves.begin_grace(
                self._plan.move_id,
                phase=self._heartbeat.phase,
                report=self._report,
                is_endless=MISMATCH in self._report,
            )
            self._is_in_grace = True

    async def _compare(self, cut_over: CutOver | None) -> None:
        """Compare both homes, if that was not done, and let the old one follow."""
        await self._require_way_back()
        self._report.setdefault("tables_when_moved", await self._way_back.tables())
        if cut_over is not None:
            self._report["tables"] = report_of(await self._settled.compare(cut_over.snapshot))
            self._is_compared = True
        await self._settled.start_reverse()
        if not self._is_compared:
            self._report["tables"] = report_of(await self._settled.compare_now())
            self._is_compared = True

    async def _stay(self, turn: Turn | None) -> MoveStatus:
        pause_s = FOLLOW_PAUSE_S_FIRST
        while True:
            self._heartbeat.require_own()
            if self._heartbeat.wanted == "rollback":
                return await self._roll_back()
            if self._heartbeat.wanted == "finish" or await self._parts.store.moves.is_grace_over(
                self._plan.move_id
            ):
                return await self.finish()
            if turn is not None and turn.is_over():
                return MoveStatus.GRACE
            pause_s = FOLLOW_PAUSE_S_FIRST if await self._follow() else pause_s * 2
            await self._heartbeat.news(min(pause_s, FOLLOW_PAUSE_S_MAX))

    async def _follow(self) -> int:
        """Let the old home follow; return the number of changes. Without a way back there is nothing to follow."""
        if self._is_lost():
            return 0
        now = asyncio.get_running_loop().time()
        try:
            if now >= self._looks_again_at:
                self._looks_again_at = now + WAY_BACK_LOOK_S
                await self._require_way_back()
            return await self._settled.follow()
        except (WayBackGoneError, SlotLostError) as error:
            await self._lose_way_back(str(error))
        except (asyncpg.PostgresError, StreamError, TablesChangedError):
            # Rows of a table or column that the old home does not have cannot be applied there.
            reason = await self._obstacle()
            if reason is None:
                raise
            await self._lose_way_back(reason)
        return 0

    async def _roll_back(self) -> MoveStatus:
        homes = (self._plan.source.home, self._plan.target.home)
        if self._is_lost():
            await self._refuse_way_back(self._report["way_back"])
        try:
            # Nobody changes the tables between this look and the decision.
            async with MigrationHold(self._parts.pools, *homes) as hold:
                await self._require_way_back()
                await self._note(status=MoveStatus.ROLLING_BACK.value)
                hold.check()
                pause_ms = await self._settled.roll_back()
                self._report["rollback_pause_ms"] = round(pause_ms, 1)
        except (WayBackGoneError, SlotLostError) as error:
            await self._lose_way_back(str(error))
            await self._refuse_way_back(str(error))
        return await self.clean_after_roll_back()

    async def _refuse_way_back(self, reason: str) -> None:
        """Leave the clinic at its new home, where it stays in grace; raise `WayBackGoneError`."""
        self._heartbeat.forget_wish()
        status = MoveStatus.GRACE if self._is_in_grace else MoveStatus.RUNNING
        await self._note(status=status.value, wanted=None)
        if MISMATCH in self._report:
            await self._begin_grace()
        raise WayBackGoneError(reason)

    async def _require_way_back(self) -> None:
        reason = await self._obstacle()
        if reason is not None:
            raise WayBackGoneError(reason)

    async def _obstacle(self) -> str | None:
        return await self._way_back.obstacle(self._report.get("tables_when_moved"))

    async def _lose_way_back(self, reason: str) -> None:
        """Note that and why the clinic cannot go back any more, and let the new home's server forget its log.

        Raises `AttemptLostError` for who was overtaken: what he misses, somebody else has removed in good order.
        """
        attempt = self._settled.attempt
        await Claim(pools=self._parts.pools, source=self._plan.source, attempt=attempt).check()
        log.warning("move %s: no way back: %s", self._plan.move_id, reason)
        self._report["way_back"] = reason
        found = [self._report[MISMATCH]] if MISMATCH in self._report else []
        told = "; ".join([*found, f"no way back: {reason}"])
        await self._note(report=self._report, error=told)
        await self._settled.give_up_way_back()

    def _is_lost(self) -> bool:
        return "way_back" in self._report

    async def _note(self, **values: Any) -> None:
        worker = self._parts.worker
        if not await self._parts.store.moves.note(self._plan.move_id, only_by=worker, **values):
            raise AttemptLostError

    async def _end(self, status: MoveStatus) -> MoveStatus:
        self._report["progress"] = self._heartbeat.progress()
        await self._parts.store.moves.end(self._plan.move_id, status, report=self._report)
        return status
