"""The journal of moves: planned, claimed by a process, reported on, ended."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import case, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from tenancy.registry.audit import record_platform_event
from tenancy.registry.errors import MoveOpenError
from tenancy.registry.models import DatabaseServerRow, PlacementRow
from tenancy.registry.move_models import MoveRow
from tenancy.registry.move_records import MoveRecord, MoveStatus, move_record
from tenancy.registry.records import PlatformActor, PlatformEvent
from tenancy.tenant import Placement, TenantId

ENDLESS_YEARS: Final = 100
HEARTBEAT_S_MAX: Final = 10
"""A worker that was not heard of for so long is taken for dead. Nothing is lost if it is not: the homes refuse it."""

OPEN_MOVES_MAX: Final = 1000
PHASE_AT_END: Final = "cleaned"

_COLUMNS = MoveRow.__table__.c
_MOVES = select(MoveRow.__table__)
_IS_ABANDONED = or_(
    MoveRow.worker.is_(None),
    MoveRow.heartbeat_at.is_(None),
    MoveRow.heartbeat_at
    < func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, HEARTBEAT_S_MAX),
)


class MoveRecords:
    """Reads and changes of the journal."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def plan(self, record: dict[str, Any], *, actor: PlatformActor) -> None:
        """Write down a new move; raise `MoveOpenError` when the clinic has one that is not ended.

        So it does when the clinic has moved since this one was planned: its placement is held while that is looked at.
        """
        held = select(PlacementRow.epoch).where(PlacementRow.tenant_id == record["tenant_id"])
        async with self._engine.begin() as connection:
            if await connection.scalar(held.with_for_update()) != record["source_epoch"]:
                raise MoveOpenError
            try:
                await connection.execute(insert(MoveRow), record)
            except IntegrityError as error:
                raise MoveOpenError from error
            await record_platform_event(
                connection, actor, _event("move", record["tenant_id"], record["id"], {})
            )

    async def by_id(self, move_id: UUID) -> MoveRecord | None:
        """Return one move."""
        return await self._one(_MOVES.where(MoveRow.id == move_id))

    async def open_of(self, tenant_id: TenantId) -> MoveRecord | None:
        """Return the clinic's move that is not ended."""
        return await self._one(
            _MOVES.where(MoveRow.tenant_id == tenant_id, MoveRow.ended_at.is_(None))
        )

    async def page(
        self, *, limit: int, before: UUID | None = None, tenant_id: TenantId | None = None
    ) -> Sequence[MoveRecord]:
        """Return at most `limit` moves, newest first, beginning below `before`."""
        statement = _MOVES.order_by(MoveRow.id.desc()).limit(limit)
        if before is not None:
            statement = statement.where(MoveRow.id < before)
        if tenant_id is not None:
            statement = statement.where(MoveRow.tenant_id == tenant_id)
        return await self._many(statement)

    async def abandoned(self) -> Sequence[MoveRecord]:
        """Return the moves that nobody works on, oldest first."""
        statement = (
            _MOVES.where(MoveRow.ended_at.is_(None), _IS_ABANDONED)
            .order_by(MoveRow.id)
            .limit(OPEN_MOVES_MAX)
        )
        return await self._many(statement)

    async def in_grace(self) -> Sequence[MoveRecord]:
        """Return the moves whose way back is kept, oldest first."""
        statement = (
            _MOVES.where(MoveRow.ended_at.is_(None), MoveRow.status == MoveStatus.GRACE.value)
            .order_by(MoveRow.id)
            .limit(OPEN_MOVES_MAX)
        )
        return await self._many(statement)

    async def open_ids(self) -> set[UUID]:
        """Return the moves that are not ended."""
        statement = select(MoveRow.id).where(MoveRow.ended_at.is_(None))
        async with self._engine.connect() as connection:
            return set(await connection.scalars(statement))

    async def claim(self, move_id: UUID, worker: str) -> MoveRecord | None:
        """Take over an abandoned move; None when somebody works on it or it is ended."""
        statement = (
            update(MoveRow)
            .where(MoveRow.id == move_id, MoveRow.ended_at.is_(None), _IS_ABANDONED)
            .values(worker=worker, heartbeat_at=func.clock_timestamp())
            .returning(*_COLUMNS)
        )
        async with self._engine.begin() as connection:
            row = (await connection.execute(statement)).mappings().one_or_none()
        return None if row is None else move_record(dict(row))

    async def beat(
        self, move_id: UUID, worker: str, *, phase: str, progress: dict[str, Any]
    ) -> tuple[bool, str | None]:
        """Tell that `worker` lives; return whether the move still is its own, and what is wanted of it."""
        statement = (
            update(MoveRow)
            .where(MoveRow.id == move_id, MoveRow.worker == worker)
            .values(heartbeat_at=func.clock_timestamp(), phase=phase, progress=progress)
            .returning(MoveRow.wanted)
        )
        async with self._engine.begin() as connection:
            row = (await connection.execute(statement)).one_or_none()
        return (row is not None), (row[0] if row is not None else None)

    async def release(self, move_id: UUID, worker: str, **left: Any) -> None:
        """Let the next process have the move at once, and leave word how far it is."""
        held = (MoveRow.id == move_id, MoveRow.worker == worker)
        async with self._engine.begin() as connection:
            await connection.execute(update(MoveRow).where(*held).values(worker=None, **left))

    async def want(self, move_id: UUID, wanted: str, *, actor: PlatformActor) -> None:
        """Write down what somebody wants of the move; whoever works on it acts on it."""
        async with self._engine.begin() as connection:
            row = (
                await connection.execute(
                    update(MoveRow)
                    .where(MoveRow.id == move_id, MoveRow.ended_at.is_(None))
                    .values(wanted=wanted)
                    .returning(MoveRow.tenant_id)
                )
            ).one_or_none()
            if row is not None:
                event = _event(f"move_{wanted}", TenantId(row[0]), move_id, {})
                await record_platform_event(connection, actor, event)

    async def note(self, move_id: UUID, *, only_by: str | None = None, **values: Any) -> bool:
        """Write down attempt, status, report or error; return whether it was written.

        With `only_by` only while that worker has the move: who was overtaken writes nothing over what its successor did.
        """
        statement = update(MoveRow).where(MoveRow.id == move_id).values(**values)
        if only_by is not None:
            statement = statement.where(MoveRow.worker == only_by, MoveRow.ended_at.is_(None))
        async with self._engine.begin() as connection:
            return bool((await connection.execute(statement)).rowcount)

    async def failed(self, move_id: UUID, worker: str, reason: str) -> None:
        """Write down why a try has failed, while the move still is this worker's and not known to be decided."""
        held = (MoveRow.id == move_id, MoveRow.worker == worker, MoveRow.decided_at.is_(None))
        async with self._engine.begin() as connection:
            await connection.execute(update(MoveRow).where(*held).values(error=reason))

    async def decided(self, move_id: UUID, placement: Placement, *, values: dict[str, Any]) -> bool:
        """Write where the clinic lives now, with what else is new of the move, in one transaction.

        Returns whether nobody has told it before. The registry follows the homes: a placement that knows of a later
        epoch stays as it is. Audited once, by who is the first to tell, who also clears why earlier tries had failed.
        """
        server_id = (
            select(DatabaseServerRow.id)
            .where(DatabaseServerRow.name == placement.home.server)
            .scalar_subquery()
        )
        async with self._engine.begin() as connection:
            told = await connection.execute(
                update(PlacementRow)
                .where(
                    PlacementRow.tenant_id == placement.tenant_id,
                    PlacementRow.epoch < placement.epoch,
                )
                .values(
                    server_id=server_id,
                    database_name=placement.home.database,
                    schema_name=placement.home.schema,
                    strategy=placement.strategy.value,
                    epoch=placement.epoch,
                    since=func.now(),
                )
            )
            held = select(MoveRow.decided_at).where(MoveRow.id == move_id)
            was_decided = await connection.scalar(held.with_for_update()) is not None
            await connection.execute(
                update(MoveRow)
                .where(MoveRow.id == move_id)
                .values(
                    decided_at=func.coalesce(MoveRow.decided_at, func.now()),
                    error=case((MoveRow.decided_at.is_(None), None), else_=MoveRow.error),
                    **values,
                )
            )
            if not told.rowcount and was_decided:
                return False
            event = _event(
                "move_decided",
                placement.tenant_id,
                move_id,
                {"strategy": placement.strategy.value, "server": placement.home.server},
            )
            await record_platform_event(connection, PlatformActor(), event)
            return True

    async def add_waits(self, tenant_id: TenantId, *, requests: int, longest_ms: float) -> None:
        """Count requests that waited at a clinic's fence to its move that is not ended."""
        async with self._engine.begin() as connection:
            await connection.execute(
                update(MoveRow)
                .where(MoveRow.tenant_id == tenant_id, MoveRow.ended_at.is_(None))
                .values(
                    waited_requests=MoveRow.waited_requests + requests,
                    longest_wait_ms=func.greatest(MoveRow.longest_wait_ms, longest_ms),
                )
            )

    async def begin_grace(
        self, move_id: UUID, *, phase: str, report: dict[str, Any], is_endless: bool = False
    ) -> None:
        """Note that the clinic serves at its new home, compared, and how long the way back is kept.

        An `abort` that came too late is forgotten. With `is_endless` the old home stays until somebody finishes the move.
        """
        interval = (ENDLESS_YEARS,) if is_endless else (0, 0, 0, 0, 0, 0, MoveRow.grace_s)
        async with self._engine.begin() as connection:
            await connection.execute(
                update(MoveRow)
                .where(MoveRow.id == move_id, MoveRow.status == MoveStatus.RUNNING.value)
                .values(
                    status=MoveStatus.GRACE.value,
                    phase=phase,
                    report=report,
                    grace_until=func.clock_timestamp() + func.make_interval(*interval),
                    wanted=func.nullif(MoveRow.wanted, "abort"),
                )
            )

    async def is_grace_over(self, move_id: UUID) -> bool:
        """Return whether the way back has been kept as long as it was to be."""
        statement = select(MoveRow.id).where(
            MoveRow.id == move_id, MoveRow.grace_until <= func.clock_timestamp()
        )
        async with self._engine.connect() as connection:
            return await connection.scalar(statement) is not None

    async def end(self, move_id: UUID, status: MoveStatus, *, report: dict[str, Any]) -> None:
        """Close the move, of which nothing is left to be done; its report goes to the audit trail too."""
        progress = report.get("progress", {}) | {"phase": PHASE_AT_END}
        async with self._engine.begin() as connection:
            row = (
                await connection.execute(
                    update(MoveRow)
                    .where(MoveRow.id == move_id, MoveRow.ended_at.is_(None))
                    .values(
                        status=status.value,
                        phase=PHASE_AT_END,
                        progress=progress,
                        ended_at=func.now(),
                        worker=None,
                        report=report,
                    )
                    .returning(MoveRow.tenant_id)
                )
            ).one_or_none()
            if row is not None:
                event = _event(
                    f"move_{status.value}", TenantId(row[0]), move_id, {"report": report}
                )
                await record_platform_event(connection, PlatformActor(), event)

    async def _many(self, statement: Any) -> Sequence[MoveRecord]:
        async with self._engine.connect() as connection:
            return [
                move_record(dict(row)) for row in (await connection.execute(statement)).mappings()
            ]

    async def _one(self, statement: Any) -> MoveRecord | None:
        async with self._engine.connect() as connection:
            row = (await connection.execute(statement)).mappings().one_or_none()
        return None if row is None else move_record(dict(row))


def _event(
    action: str, tenant_id: TenantId, move_id: UUID, details: dict[str, Any]
) -> PlatformEvent:
    return PlatformEvent(
        action=action, entity_type="move", entity_id=move_id, tenant_id=tenant_id, details=details
    )
