"""The public face of the mover: what the platform API and the command line may do to moves."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final
from uuid import UUID

from msgspec import Struct, structs
from sqlalchemy.exc import SQLAlchemyError

from tenancy.errors import UnknownTenantError
from tenancy.mover.errors import MoveStateError, TooManyWatchersError, UnknownMoveError
from tenancy.mover.mover import Mover, MoveRequest, make_mover
from tenancy.mover.plan import GRACE_S_DEFAULT, MovePlan
from tenancy.mover.preflight import PreflightReport
from tenancy.mover.progress import MoveProgress
from tenancy.registry.move_records import MoveRecord, MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.registry.store import RegistryStore
from tenancy.runtime import Tenancy
from tenancy.tenant import TenantId

__all__ = [
    "GRACE_HOURS_DEFAULT",
    "GRACE_HOURS_MAX",
    "MovePlan",
    "MovePreview",
    "MoveProgress",
    "MoveRecord",
    "MoveRequest",
    "MoveStatus",
    "Moves",
    "PreflightReport",
    "grace_seconds",
    "is_settled",
    "make_moves",
    "tenant_of",
]

SECONDS_PER_HOUR: Final = 3600
GRACE_HOURS_DEFAULT: Final = GRACE_S_DEFAULT / SECONDS_PER_HOUR
GRACE_HOURS_MAX: Final = 30 * 24
"""While a way back is kept, the new home's server keeps the log that the old one has not read."""

WATCHERS_MAX: Final = 32
"""Watchers of moves in one process; each asks the registry at every step."""

WATCH_STEP_S: Final = 0.5


class MovePreview(Struct, frozen=True, kw_only=True):
    """What a move would do and take, and what speaks against it."""

    plan: MovePlan
    report: PreflightReport


class Moves:
    """The moves of clinics: foreseen, planned, looked at, watched, ended."""

    def __init__(self, mover: Mover, store: RegistryStore) -> None:
        self._mover = mover
        self._store = store
        self._watchers = 0

    async def foresee(self, request: MoveRequest) -> MovePreview:
        """Return what the move would do, changing nothing; raise what `Mover.plan` raises."""
        plan = await self._mover.plan(request)
        report = await self._mover.look(plan, is_forced=request.is_forced)
        before = await self._store.moves.open_of(request.tenant_id)
        if before is None:
            return MovePreview(plan=plan, report=report)
        told = f"the clinic's move {before.id} is {before.status.value}"
        if before.status is not MoveStatus.GRACE or request.keeps_way_back:
            report = structs.replace(report, refusals=(told, *report.refusals))
        else:
            warning = f"{told}: its way back is given up"
            report = structs.replace(report, warnings=(warning, *report.warnings))
        return MovePreview(plan=plan, report=report)

    async def start(self, request: MoveRequest, *, actor: PlatformActor) -> MoveRecord:
        """Write the move into the journal, for a server process to work on; raise what `Mover.start` raises."""
        return await self._mover.start(request, actor=actor)

    async def page(
        self, *, limit: int, before: UUID | None = None, tenant_id: UUID | None = None
    ) -> Sequence[MoveRecord]:
        """Return at most `limit` moves, newest first, beginning below `before`; of one clinic or of all.

        Raises `UnknownTenantError` for a clinic that never was.
        """
        if tenant_id is None:
            return await self._store.moves.page(limit=limit, before=before)
        wanted = TenantId(tenant_id)
        if await self._store.tenants.by_id(wanted) is None:
            raise UnknownTenantError
        return await self._store.moves.page(limit=limit, before=before, tenant_id=wanted)

    async def move(self, move_id: UUID, *, tenant_id: UUID | None = None) -> MoveRecord:
        """Return a move; raise `UnknownMoveError` for one that is not there or, if named, not this clinic's."""
        record = await self._mover.move(move_id)
        if tenant_id is not None and record.tenant_id != tenant_id:
            raise UnknownMoveError
        return record

    async def move_of(self, tenant_id: TenantId) -> MoveRecord:
        """Return the clinic's move that is not ended, else its last one; raise `UnknownMoveError`."""
        record = await self._store.moves.open_of(tenant_id)
        last = [record] if record else await self._store.moves.page(limit=1, tenant_id=tenant_id)
        if not last:
            raise UnknownMoveError("the clinic was never moved")
        return last[0]

    async def want(self, record: MoveRecord, wanted: str, *, actor: PlatformActor) -> MoveRecord:
        """Ask for `abort`, `rollback` or `finish`; whoever works on the move does it. Raises `MoveStateError`."""
        if record.status.is_ended:
            raise MoveStateError(f"the move is {record.status.value}")
        return await self._mover.want(record.id, wanted, actor=actor)

    async def is_grace_over(self, record: MoveRecord) -> bool:
        """Return whether the way back was kept as long as it was to be, by the registry's clock."""
        return await self._store.moves.is_grace_over(record.id)

    def watch(self, record: MoveRecord, *, seconds_max: float) -> AsyncIterator[MoveRecord | None]:
        """Return what the journal says of the move, beginning with `record`, until it settles or the time is over.

        Yields None at a step that brought nothing new, and while the registry is out of reach. Raises
        `TooManyWatchersError` at once when this process has as many as it may.
        """
        if self._watchers >= WATCHERS_MAX:
            raise TooManyWatchersError
        return self._watched(record, seconds_max)

    async def _watched(
        self, record: MoveRecord, seconds_max: float
    ) -> AsyncIterator[MoveRecord | None]:
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds_max
        self._watchers += 1
        try:
            yield record
            while not is_settled(record) and clock() + WATCH_STEP_S < deadline:
                await asyncio.sleep(WATCH_STEP_S)
                try:
                    seen = await self._mover.move(record.id)
                except (SQLAlchemyError, OSError, TimeoutError):
                    yield None
                    continue
                yield seen if _is_news(record, seen) else None
                record = seen
        finally:
            self._watchers -= 1


def is_settled(record: MoveRecord) -> bool:
    """Return whether nobody has anything to do for the move but to keep its way back."""
    is_kept = record.status is MoveStatus.GRACE and record.wanted not in {"rollback", "finish"}
    return record.status.is_ended or is_kept


def tenant_of(move: MoveRecord | MovePlan) -> UUID:
    """Return whose move it is."""
    return move.tenant_id


def grace_seconds(hours: float) -> int:
    """Return how long a way back is kept, in whole seconds."""
    return round(hours * SECONDS_PER_HOUR)


def make_moves(tenancy: Tenancy) -> Moves:
    """Return the face of one process' mover."""
    return Moves(make_mover(tenancy), tenancy.store)


def _is_news(before: MoveRecord, after: MoveRecord) -> bool:
    return structs.replace(before, heartbeat_at=None) != structs.replace(after, heartbeat_at=None)
