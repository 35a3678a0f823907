"""After the decision: the registry told, everything compared, the way back kept open, then closed or gone."""

import asyncio
from typing import Any, Final

import asyncpg
import msgspec

from tenancy.mover.announce import Announcer
from tenancy.mover.apply import Applier
from tenancy.mover.cutover import CutOver
from tenancy.mover.ends import HomeRows, Purge
from tenancy.mover.errors import (
    AttemptLostError,
    FenceBusyError,
    MismatchError,
    MoveError,
    NotDrainedError,
    SlotLostError,
)
from tenancy.mover.parts import MoverParts
from tenancy.mover.phases import Phase
from tenancy.mover.plan import MovePlan, StreamNames
from tenancy.mover.progress import ProgressBoard, TableCount
from tenancy.mover.slots import Replication
from tenancy.mover.stream import ChangeStream
from tenancy.mover.tables import Shapes, read_shapes
from tenancy.mover.verify import Snapshot, differing
from tenancy.registry.move_records import MoveStatus

ROLLBACKS_MAX: Final = 20
ROLLBACK_PAUSE_S: Final = 0.2

TAKE_ATTEMPT = """
UPDATE tenancy.tenant_home SET attempt = $4
 WHERE tenant_id = $1 AND schema_name = $2 AND move_id = $3 AND attempt < $4 RETURNING 1
"""
TAKE_STREAM = """
UPDATE tenancy.move_stream SET attempt = $4
 WHERE tenant_id = $1 AND schema_name = $2 AND move_id = $3 AND attempt < $4
"""
REVERSE_START = """
SELECT (reverse_lsn - '0/0')::bigint FROM tenancy.move_stream WHERE tenant_id = $1 AND schema_name = $2
"""


class SettledMove:
    """A move whose clinic serves at its target; the old home is frozen and follows it."""

    def __init__(
        self, parts: MoverParts, plan: MovePlan, board: ProgressBoard, attempt: int
    ) -> None:
        self._parts = parts
        self._plan = plan
        self._board = board
        self.attempt = attempt
        self._announcer = Announcer(parts, plan, board)
        self._rows = HomeRows(parts.pools)
        self._shapes: Shapes = {}
        self._stream: ChangeStream | None = None

    async def take_over(self, known: int) -> None:
        """Take the next attempt at both homes, so that whoever worked on this move before can write nothing more."""
        plan = self._plan
        self.attempt = known + 1
        for placement in (plan.source, plan.target):
            try:
                connection = await self._rows.connect(placement.home)
            except asyncpg.InvalidCatalogNameError:
                continue  # dropped at the end of this move: nobody writes there any more
            try:
                row = (placement.tenant_id, placement.home.schema, plan.move_id, self.attempt)
                if await connection.fetchval(TAKE_ATTEMPT, *row) is None:
                    raise AttemptLostError
                await connection.execute(TAKE_STREAM, *row)
            finally:
                await connection.close()
        await self._parts.store.moves.note(plan.move_id, attempt=self.attempt)

    async def roll_forward(self, report: dict[str, Any]) -> None:
        """Tell everybody where the clinic is. Each step may be repeated; none decides anything."""
        plan = self._plan
        await self._rows.activate(plan, self.attempt)
        await self._announcer.decided(plan.target, Phase.REGISTRY_WRITTEN, report=report)
        self._announcer.tell(Phase.REGISTRY_WRITTEN)
        forward = Replication(self._parts.pools, plan.source.home)
        await forward.withdraw(StreamNames.forward(plan.move_id))

    async def start_reverse(self) -> None:
        """Let the old home follow the new one, from where the clinic's own writes there begin; raise `SlotLostError`."""
        if self._stream is not None:
            return
        plan, pools = self._plan, self._parts.pools
        names = StreamNames.reverse(plan.move_id)
        if not await Replication(pools, plan.target.home).slot_exists(names):
            raise SlotLostError
        connection = await self._rows.connect(plan.target.home)
        try:
            self._shapes = await read_shapes(connection, plan.target.home.schema)
            start = await connection.fetchval(
                REVERSE_START, plan.tenant_id, plan.target.home.schema
            )
        finally:
            await connection.close()
        await self._tie_source()
        applier = Applier(
            pools, plan.source, self._shapes, attempt=self.attempt, reached=self._parts.reached
        )
        stream = ChangeStream(
            pools,
            plan.target.home,
            names,
            applier,
            board=self._board,
            reached=self._parts.reached,
        )
        self._stream = stream
        await stream.open()
        if applier.applied_lsn < start:
            await applier.start_at(start)
            await stream.confirm()
        self._announcer.tell(Phase.REVERSE_STARTED)

    async def _tie_source(self) -> None:
        """Make the old home's stream row this attempt's; it may be that of an earlier move or missing."""
        connection = await self._rows.connect(self._plan.source.home)
        try:
            await connection.execute(
                "INSERT INTO tenancy.move_stream AS s (tenant_id, schema_name, move_id, attempt)"
                " VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, schema_name) DO UPDATE"
                " SET attempt = excluded.attempt, move_id = excluded.move_id,"
                " applied_lsn = CASE WHEN s.move_id = excluded.move_id THEN s.applied_lsn END"
                " WHERE s.attempt <= excluded.attempt",
                self._plan.tenant_id,
                self._plan.source.home.schema,
                self._plan.move_id,
                self.attempt,
            )
        finally:
            await connection.close()

    async def compare(self, target: Snapshot) -> dict[str, TableCount]:
        """Compare the frozen source with the target as it was at the decision; return rows and hash of every table.

        The source must not follow yet. Raises `MismatchError`.
        """
        plan = self._plan
        source = Snapshot(self._parts.pools, plan.source.home)
        try:
            connection = await self._rows.connect(plan.target.home)
            try:
                shapes = await read_shapes(connection, plan.target.home.schema)
            finally:
                await connection.close()
            await source.take()
            mine, theirs = await asyncio.gather(
                source.counts(shapes, plan.tenant_id), target.counts(shapes, plan.tenant_id)
            )
        finally:
            await source.release()
            await target.release()
        self._refuse_difference(differing(mine, theirs))
        self._announcer.tell(Phase.FULL_VERIFY)
        return theirs

    async def compare_now(self) -> dict[str, TableCount]:
        """Compare both homes at one position of the target's log, while the clinic works. Raises `MismatchError`.

        A new slot's snapshot shows what was committed before its position; the old home follows exactly so far.
        """
        plan = self._plan
        assert self._stream is not None
        moment = Replication(self._parts.pools, plan.target.home)
        holder, position = await moment.snapshot_with_position(
            f"move_{plan.move_id.hex}_v{self.attempt}"
        )
        target = Snapshot(self._parts.pools, plan.target.home)
        source = Snapshot(self._parts.pools, plan.source.home)
        try:
            await target.join(holder.snapshot)
            await self._stream.follow_to(position)
            await source.take()
            mine, theirs = await asyncio.gather(
                source.counts(self._shapes, plan.tenant_id),
                target.counts(self._shapes, plan.tenant_id),
            )
        finally:
            await source.release()
            await target.release()
            await holder.release()
        self._refuse_difference(differing(mine, theirs))
        self._announcer.tell(Phase.FULL_VERIFY)
        return theirs

    async def follow(self) -> int:
        """Apply the next batch at the old home; return the number of changes."""
        assert self._stream is not None
        return await self._stream.step()

    async def roll_back(self) -> float:
        """Bring the clinic back to its old home with every write made since; return the pause in milliseconds.

        The same cut-over the other way round, with the copy left out: the old home has followed.
        """
        assert self._stream is not None
        back = self._plan.backwards()
        for _ in range(ROLLBACKS_MAX):
            cut_over = CutOver(
                self._parts.pools,
                back,
                attempt=self.attempt,
                shapes=self._shapes,
                stream=self._stream,
                reached=self._announcer.tell_rollback,
            )
            cut_over.target_state = "moved"
            try:
                await cut_over.open()
                await cut_over.run()
            except (FenceBusyError, NotDrainedError) as error:
                await cut_over.abandon()
                await self._not_rolled_back(error)
                await asyncio.sleep(ROLLBACK_PAUSE_S)
            except BaseException:
                await cut_over.abandon()
                raise
            else:
                await cut_over.abandon()
                return cut_over.pause_ms
        raise MoveError("the fence could not be had often enough; the clinic is at its new home")

    async def _not_rolled_back(self, error: MoveError) -> None:
        row = await self._rows.settled(self._plan.target)
        if row is None or row.state != "active" or row.attempt != self.attempt:
            raise error
        await self._rows.unready(self._plan.backwards(), self.attempt, "moved")

    async def rolled_back(self) -> None:
        """Tell everybody that the clinic is back, and remove what the target still holds."""
        back = self._plan.backwards()
        await self._rows.activate(back, self.attempt)
        status = MoveStatus.ROLLING_BACK.value
        await self._announcer.decided(back.target, Phase.ROLLBACK_DECIDED, status=status)
        await self.close()
        await self._withdraw_all()
        await self._purge().left_home(self._plan.target, self.attempt)
        self._announcer.tell(Phase.CLEANED)

    async def finish(self) -> None:
        """Give up the way back and remove what the old home still holds."""
        self._announcer.tell(Phase.FINALIZE_STARTED)
        await self.close()
        await self._withdraw_all()
        self._announcer.tell(Phase.SLOT_DROPPED)
        await self._purge().left_home(self._plan.source, self.attempt)
        self._announcer.tell(Phase.CLEANED)

    async def give_up_way_back(self) -> None:
        """Follow no more, and let the new home's server forget its log; the old home stays as it is until the end."""
        await self.close()
        reverse = Replication(self._parts.pools, self._plan.target.home)
        await reverse.withdraw(StreamNames.reverse(self._plan.move_id))

    async def close(self) -> None:
        """Close the stream."""
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.close()

    async def _withdraw_all(self) -> None:
        plan, pools = self._plan, self._parts.pools
        await Replication(pools, plan.source.home).withdraw(StreamNames.forward(plan.move_id))
        await Replication(pools, plan.target.home).withdraw(StreamNames.reverse(plan.move_id))

    def _purge(self) -> Purge:
        return Purge(self._parts.pools, self._parts.strategies, self._announcer.tell)

    def _refuse_difference(self, tables: tuple[str, ...]) -> None:
        if tables:
            raise MismatchError(tables)


def report_of(counts: dict[str, TableCount]) -> dict[str, Any]:
    """Return rows and hash per table as the report keeps them."""
    return {
        name: msgspec.to_builtins(count) | {"hash": str(count.hash)}
        for name, count in sorted(counts.items())
    }
