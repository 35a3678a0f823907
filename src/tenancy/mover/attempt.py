"""What every attempt at a move begins with: its number at both homes, an empty target, the same tables at both ends."""

from collections.abc import Callable
from typing import Any, Final

from tenancy.installer import quoted
from tenancy.mover.claims import Claim, hold_loading, register_source, register_target
from tenancy.mover.ends import UNUSED, HomeRows, Purge
from tenancy.mover.errors import AttemptLostError, MoveRefusedError
from tenancy.mover.indexes import DeferredIndexes
from tenancy.mover.parts import MoverParts
from tenancy.mover.phases import Phase
from tenancy.mover.plan import MovePlan, StreamNames
from tenancy.mover.predecessors import end_predecessors
from tenancy.mover.progress import ProgressBoard
from tenancy.mover.slots import Replication
from tenancy.mover.tables import Shapes, fingerprint, odd_identities, read_shapes, uncovered

INSIDE_THE_PAUSE: Final = frozenset(
    {
        Phase.LOCKED,
        Phase.MARKER_WRITTEN,
        Phase.DRAINED,
        Phase.VERIFIED,
        Phase.TARGET_READY,
        Phase.BEFORE_DECIDE,
        Phase.DECIDE_SENT,
        Phase.DECIDED,
    }
)
"""Where nobody asks whether the move is still wanted: it would be too late, or keep the clinic waiting."""


class Attempt:
    """One attempt to bring a clinic to its target."""

    def __init__(
        self,
        parts: MoverParts,
        plan: MovePlan,
        board: ProgressBoard,
        *,
        known: int,
        check: Callable[[], None],
    ) -> None:
        self.parts = parts
        self.plan = plan
        self.board = board
        self.rows = HomeRows(parts.pools)
        self.attempt = 0
        self.shapes: Shapes = {}
        self._known = known
        self._check = check

    async def register(self) -> None:
        """Take the attempt at the source, make the target empty and take it there too."""
        source = await self.rows.connect(self.plan.source.home)
        try:
            self.attempt = await register_source(
                source, self.plan, known=self._known, state="active"
            )
        finally:
            await source.close()
        # What was opened between the claim and now has asked for the attempt too early.
        await end_predecessors(self.parts.pools, self.plan)
        await self.parts.store.moves.note(self.plan.move_id, attempt=self.attempt)
        self.tell(Phase.ATTEMPT_SRC)
        await self._take_target()
        self.tell(Phase.ATTEMPT_DST)

    async def checked_shapes(self) -> Shapes:
        """Return the tables, which must be the same at both ends and safe to publish."""
        found, odd = [], []
        for home in (self.plan.source.home, self.plan.target.home):
            connection = await self.rows.connect(home)
            try:
                found.append(await read_shapes(connection, home.schema))
                odd += await odd_identities(connection, home.schema)
            finally:
                await connection.close()
        if fingerprint(found[0]) != fingerprint(found[1]):
            raise MoveRefusedError(
                ("the two homes have different tables: run clinic migrate first",)
            )
        if broken := uncovered(found[0]):
            raise MoveRefusedError((f"primary keys without the tenant: {', '.join(broken)}",))
        if odd:
            # They may have been changed since the pre-flight; in shared rows, every clinic's updates would fail.
            raise MoveRefusedError((f"replica identity is not the primary key: {', '.join(odd)}",))
        return found[0]

    async def without_indexes(self) -> DeferredIndexes:
        """Take the indexes off a target of its own until it is loaded; a shared one keeps its own."""
        indexes = DeferredIndexes(self.parts.pools, self.plan.target, self.attempt)
        if self._is_private:
            await indexes.drop()
        return indexes

    def tell(self, phase: Phase) -> None:
        """Note how far the attempt is; raise what `check` raises where it may still be given up."""
        self.board.phase = phase
        if phase not in INSIDE_THE_PAUSE:
            self._check()
        self.parts.reached(phase)

    @property
    def claim(self) -> Claim:
        """What this attempt has to show for publications and slots."""
        return Claim(pools=self.parts.pools, source=self.plan.source, attempt=self.attempt)

    @property
    def _is_private(self) -> bool:
        """Whether the target's tables are this tenant's alone."""
        home = self.plan.target.home
        strategy = self.parts.strategies[self.plan.target.strategy]
        return home not in strategy.shared_homes(home.server)

    async def _take_target(self) -> None:
        plan = self.plan
        await self.require()
        purge = Purge(self.parts.pools, self.parts.strategies, self.tell)
        strategy = self.parts.strategies[plan.target.strategy]
        if self._is_private and await purge.database_exists(plan.target):
            # What an earlier attempt has left, perhaps without its indexes. A database with a slot cannot be dropped.
            reverse = Replication(self.parts.pools, plan.target.home, self.claim)
            moves, left = {plan.move_id}, await self.rows.settled(plan.target)
            if left is not None and left.state in UNUSED and left.move_id is not None:
                # An earlier move, given up while this server was out of reach.
                moves.add(left.move_id)
            for move_id in moves:
                await reverse.withdraw(StreamNames.reverse(move_id))
            await purge.unused_target(plan, self.attempt)
        await self.require()
        await strategy.prepare(plan.target.home)
        await strategy.install(plan.target.home)
        target = await self.rows.connect(plan.target.home)
        try:
            await register_target(target, plan, self.attempt)
            if not self._is_private:
                await self._empty(target)
        finally:
            await target.close()
        try:
            await self.require()
        except AttemptLostError:
            # The move may have ended meanwhile: then nobody else would remove what was made just now.
            await purge.made_too_late(plan, self.attempt)
            raise

    async def require(self) -> None:
        """Raise `AttemptLostError` if another mover has taken this move over; asked before anything new is made."""
        await self.claim.check()

    async def _empty(self, target: Any) -> None:
        """Delete the tenant's rows of an earlier attempt, under this one."""
        schema = self.plan.target.home.schema
        shapes = await read_shapes(target, schema)
        await target.execute("SET session_replication_role = replica")
        for shape in shapes.values():
            async with target.transaction():
                await hold_loading(target, self.plan.target, self.attempt)
                await target.execute(
                    f"DELETE FROM {quoted(schema)}.{quoted(shape.name)} WHERE tenant_id = $1",
                    self.plan.tenant_id,
                )
