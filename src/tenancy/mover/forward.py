"""The way to the decision while the clinic works: publication, slots, copy, stream, cut-over. Reads like the runbook."""

import asyncio
import random
from typing import Final

from tenancy.mover.apply import Applier
from tenancy.mover.attempt import Attempt
from tenancy.mover.copy import Copy
from tenancy.mover.cutover import CutOver
from tenancy.mover.errors import (
    AttemptLostError,
    FenceBusyError,
    MoveError,
    NotDrainedError,
    TablesChangedError,
)
from tenancy.mover.hold import MigrationHold
from tenancy.mover.phases import Phase
from tenancy.mover.plan import StreamNames
from tenancy.mover.slots import Replication
from tenancy.mover.stream import ChangeStream

CUT_OVERS_MAX: Final = 20
CUT_OVER_PAUSE_S: Final = 0.2


class ForwardMove(Attempt):
    """One attempt with a stream; ends with the decision, or with nothing changed for the clinic."""

    async def run(self) -> CutOver:
        """Bring the clinic over; return the cut-over that decided, with the target's snapshot still open.

        Raises `MoveError`; then the clinic is at its old home, and what was made at the new one is still there.
        """
        await self.register()
        homes = (self.plan.source.home, self.plan.target.home)
        async with MigrationHold(self.parts.pools, *homes) as hold:
            self.shapes = await self.checked_shapes()
            await self._publish()
            stream = await self._open_stream(await self._copy())
            try:
                hold.check()
                if await self.checked_shapes() != self.shapes:
                    raise TablesChangedError
                return await self._cut_over(stream)
            finally:
                await stream.close()

    async def _publish(self) -> None:
        """Make the publications of both directions; committed before any slot is made."""
        plan = self.plan
        await self.require()
        forward, reverse = self._replication()
        await forward.publish(StreamNames.forward(plan.move_id), plan.tenant_id, self.shapes)
        await reverse.publish(StreamNames.reverse(plan.move_id), plan.tenant_id, self.shapes)
        self.tell(Phase.PUBLISHED)

    def _replication(self) -> tuple[Replication, Replication]:
        pools, claim = self.parts.pools, self.claim
        return (
            Replication(pools, self.plan.source.home, claim),
            Replication(pools, self.plan.target.home, claim),
        )

    async def _copy(self) -> int:
        """Copy what the slot's snapshot shows; return the position where its stream begins."""
        plan = self.plan
        forward, reverse = self._replication()
        names = StreamNames.forward(plan.move_id)
        indexes = await self.without_indexes()
        await self.require()
        holder = await forward.create_slot(names)
        try:
            await self._keep_or_drop(forward, names)
            self.tell(Phase.SLOT_CREATED)
            start = await forward.position(names)
            self.board.restart()
            copy = Copy(
                self.parts.pools,
                plan,
                attempt=self.attempt,
                board=self.board,
                reached=self.tell,
            )
            await copy.run(self.shapes, holder.snapshot)
        finally:
            await holder.release()
        self.tell(Phase.COPIED)
        await indexes.build()
        self.tell(Phase.INDEXES_BUILT)
        # Not at the cut-over: a slot waits for every write that runs in its cluster. Not before the copy either: what
        # was loaded would be decoded once more when the way back begins.
        await self._make_reverse_slot(reverse)
        self.tell(Phase.REVERSE_SLOT)
        return start

    async def _make_reverse_slot(self, reverse: Replication) -> None:
        names = StreamNames.reverse(self.plan.move_id)
        await self.require()
        await reverse.create_plain_slot(names)
        await self._keep_or_drop(reverse, names)

    async def _keep_or_drop(self, replication: Replication, names: StreamNames) -> None:
        """Drop the slot that was made just now if the attempt was lost meanwhile: who took over may never look again.

        A slot waits as long as any write in its cluster. One that the successor has made since begins elsewhere and
        stays; in the instant between the two looks it could be taken for ours, and its reader finds it gone.
        """
        start = await replication.position(names)
        try:
            await self.require()
        except AttemptLostError:
            await replication.drop_slot(names, if_at=start)
            raise

    async def _open_stream(self, start: int) -> ChangeStream:
        applier = Applier(
            self.parts.pools,
            self.plan.target,
            self.shapes,
            attempt=self.attempt,
            reached=self.tell,
        )
        stream = ChangeStream(
            self.parts.pools,
            self.plan.source.home,
            StreamNames.forward(self.plan.move_id),
            applier,
            board=self.board,
            reached=self.tell,
        )
        try:
            await stream.open()
            await applier.start_at(start)
            # First of all, so that what was loaded in the same cluster is decoded once and not at every look.
            await stream.come_close()
            await stream.catch_up()
            self.tell(Phase.CAUGHT_UP)
        except BaseException:
            await stream.close()
            raise
        return stream

    async def _cut_over(self, stream: ChangeStream) -> CutOver:
        for _ in range(CUT_OVERS_MAX):
            cut_over = CutOver(
                self.parts.pools,
                self.plan,
                attempt=self.attempt,
                shapes=self.shapes,
                stream=stream,
                reached=self.tell,
            )
            try:
                await cut_over.open()
                await cut_over.run()
            except (FenceBusyError, NotDrainedError) as error:
                await cut_over.abandon()
                await self._undecided(error)
                await asyncio.sleep(CUT_OVER_PAUSE_S * random.uniform(0.5, 1.5))  # noqa: S311  # jitter
            except BaseException:
                await cut_over.abandon()
                raise
            else:
                await cut_over.close()
                return cut_over
        raise MoveError("the fence could not be had often enough; the clinic is at its old home")

    async def _undecided(self, error: MoveError) -> None:
        """Make sure that the clinic is at its old home before the target is taken back from `ready`."""
        row = await self.rows.settled(self.plan.source)
        if row is None or row.state != "active" or row.attempt != self.attempt:
            raise error
        await self.rows.unready(self.plan, self.attempt, "loading")
