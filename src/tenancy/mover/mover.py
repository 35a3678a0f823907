"""Moves as operators ask for them: planned, worked on, given up, taken back, finished."""

import asyncio
import os
import secrets
import socket
from contextlib import suppress
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct, structs
from uuid_utils.compat import uuid7

from tenancy.errors import UnknownTenantError
from tenancy.mover.errors import (
    MoveInProgressError,
    MoveStateError,
    UnknownMoveError,
    WayBackGoneError,
)
from tenancy.mover.parts import MoverParts
from tenancy.mover.phases import Phase, Reached, nothing_happens
from tenancy.mover.plan import GRACE_S_DEFAULT, MovePlan
from tenancy.mover.preflight import Preflight, PreflightReport
from tenancy.mover.progress import ProgressBoard
from tenancy.mover.run import MoveRun
from tenancy.mover.turns import Turn
from tenancy.mover.wishes import refusal
from tenancy.registry.errors import MoveOpenError, UnknownServerError
from tenancy.registry.move_records import MoveRecord, MoveStatus, journal_row
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import Placement, StrategyName, TenantId

SETTLE_S_MAX: Final = 120.0
SETTLE_POLL_S: Final = 0.1
WORK_TOKEN_BYTES: Final = 4


class MoveRequest(Struct, frozen=True, kw_only=True):
    """What somebody asks for; without a server the clinic stays on its own."""

    tenant_id: TenantId
    strategy: StrategyName
    server: str | None = None
    is_offline: bool = False
    grace_s: int = GRACE_S_DEFAULT
    keeps_way_back: bool = False
    """Refuse instead of finishing the grace period of the move before."""
    is_forced: bool = False
    """Accept a pause that is longer than the limit of an offline move."""


class Mover:
    """Moves clinics; any process may have one, and any may go on with what another has left."""

    def __init__(self, parts: MoverParts) -> None:
        self._parts = parts

    async def plan(self, request: MoveRequest) -> MovePlan:
        """Return what a move would do; raise `UnknownTenantError`, `UnknownServerError`, `MoveStateError`."""
        record = await self._parts.store.tenants.by_id(request.tenant_id)
        if record is None or record.placement is None:
            raise UnknownTenantError
        source = record.placement
        server = request.server or source.home.server
        if await self._parts.store.server(server) is None:
            raise UnknownServerError
        home = self._parts.strategies[request.strategy].home_for(request.tenant_id, server)
        if home == source.home:
            raise MoveStateError("the clinic is there already")
        target = Placement(
            tenant_id=request.tenant_id,
            strategy=request.strategy,
            home=home,
            epoch=source.epoch + 1,
        )
        return MovePlan(
            move_id=uuid7(),
            source=source,
            target=target,
            is_offline=request.is_offline,
            grace_s=request.grace_s,
        )

    async def look(self, plan: MovePlan, *, is_forced: bool = False) -> PreflightReport:
        """Return what speaks against the move and what it would take; changes nothing."""
        return await Preflight(self._parts, plan).report(is_forced=is_forced)

    async def start(self, request: MoveRequest, *, actor: PlatformActor) -> MoveRecord:
        """Write the move into the journal, ready to be worked on.

        Finishes the grace period of the move before, unless its way back is to be kept. Raises `MoveRefusedError`
        with every reason, `MoveInProgressError`, and what `plan` raises; then the way back is kept as it was.
        """
        plan = await self.plan(request)
        report = await self.look(plan, is_forced=request.is_forced)
        report.require()
        await self._clear_the_way(plan, actor, keeps_way_back=request.keeps_way_back)
        row = journal_row(
            plan.move_id,
            plan.source,
            plan.target,
            is_offline=plan.is_offline,
            grace_s=plan.grace_s,
        )
        try:
            await self._parts.store.moves.plan(row, actor=actor)
        except MoveOpenError as error:
            raise MoveInProgressError from error
        return await self.move(plan.move_id)

    async def work(
        self,
        move_id: UUID,
        board: ProgressBoard | None = None,
        *,
        stays: bool = True,
        turn: Turn | None = None,
    ) -> MoveRecord:
        """Claim a move and work on it; without `stays` only until the clinic serves at its target, compared.

        With a `turn`, a move that keeps its way back only is let go of when its place is asked for.

        Raises `MoveInProgressError` when somebody works on it, in this process too, and what `MoveRun.run` raises.
        """
        # A name of its own for each piece of work: one process' second look at a move is not the first one's.
        worker = f"{self._parts.worker}:{secrets.token_hex(WORK_TOKEN_BYTES)}"
        record = await self._parts.store.moves.claim(move_id, worker)
        if record is None:
            raise MoveInProgressError
        parts = structs.replace(self._parts, worker=worker)
        board = board or ProgressBoard()
        # Until something is done, the move stands where whoever worked on it before has left it.
        board.phase = Phase(record.phase)
        run = MoveRun(parts, record, board)
        try:
            await run.run(stays=stays, turn=turn)
        finally:
            progress = board.progress()
            await self._parts.store.moves.release(
                move_id, worker, phase=progress.phase.value, progress=msgspec.to_builtins(progress)
            )
        return await self.move(move_id)

    async def want(self, move_id: UUID, wanted: str, *, actor: PlatformActor) -> MoveRecord:
        """Ask for `abort`, `rollback` or `finish`; whoever works on the move does it.

        Raises `UnknownMoveError`, or `MoveStateError` where the move is too far or not far enough for it.
        """
        record = await self.move(move_id)
        if wanted == "rollback" and "way_back" in record.report:
            raise WayBackGoneError(record.report["way_back"])
        # The homes were compared: a way back that cannot be gone any more, its slot being lost, may be given up.
        is_stuck = record.grace_until is not None and record.status is MoveStatus.ROLLING_BACK
        told = refusal(wanted, record.status)
        if told is not None and not (is_stuck and wanted == "finish"):
            raise MoveStateError(told)
        await self._parts.store.moves.want(move_id, wanted, actor=actor)
        return await self.move(move_id)

    async def move(self, move_id: UUID) -> MoveRecord:
        """Return a move; raise `UnknownMoveError`."""
        record = await self._parts.store.moves.by_id(move_id)
        if record is None:
            raise UnknownMoveError
        return record

    async def _clear_the_way(
        self, plan: MovePlan, actor: PlatformActor, *, keeps_way_back: bool
    ) -> None:
        before = await self._parts.store.moves.open_of(plan.tenant_id)
        if before is None:
            return
        # A move that was decided after this one was planned has left the home that this one starts from.
        is_overtaken = before.target != plan.source
        if before.status is not MoveStatus.GRACE or keeps_way_back or is_overtaken:
            raise MoveInProgressError(f"the clinic's move {before.id} is {before.status.value}")
        await self.want(before.id, "finish", actor=actor)
        await self.settle(before.id)

    async def settle(self, move_id: UUID) -> MoveRecord:
        """Do what is wanted of a move, or wait until whoever works on it has; return it ended.

        Raises `MoveStateError` when that takes longer than it may.
        """
        deadline = asyncio.get_running_loop().time() + SETTLE_S_MAX
        while asyncio.get_running_loop().time() < deadline:
            record = await self.move(move_id)
            if record.status.is_ended:
                return record
            with suppress(MoveInProgressError):
                return await self.work(move_id)
            await asyncio.sleep(SETTLE_POLL_S)
        raise MoveStateError("the process that works on the move does not answer")


def make_mover(tenancy: Tenancy, reached: Reached = nothing_happens) -> Mover:
    """Return the mover of one process."""
    return Mover(
        MoverParts(
            pools=tenancy.pools,
            store=tenancy.store,
            installer=tenancy.installer,
            strategies=tenancy.strategies,
            worker=f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}",
            forget=tenancy.directory.forget,
            reached=reached,
        )
    )
