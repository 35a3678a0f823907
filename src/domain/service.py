"""What every service of the clinic is made with, and how it reads and changes single rows."""

from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from msgspec import UNSET, Struct, structs
from sqlalchemy import select, update

from domain.actor import Actor
from domain.audit import record_audit_event
from domain.clock import Clock, utc_now
from domain.errors import NotFoundError, StaleVersionError
from domain.tables import TenantBase, VersionedRow
from tenancy.session import TenantSession


class ClinicService:
    """A service works for one actor inside one tenant session; it flushes and never commits."""

    def __init__(self, session: TenantSession, actor: Actor, clock: Clock = utc_now) -> None:
        self.session = session
        self.actor = actor
        self.clock = clock

    def now(self) -> datetime:
        """Return the present moment."""
        return self.clock()

    async def audit(
        self, action: str, entity_type: str, entity_id: UUID | None, **details: Any
    ) -> None:
        """Write an audit event in this transaction; `details` hold ids and codes, never clinical text."""
        await record_audit_event(self.session, self.actor, action, entity_type, entity_id, details)


RowT = TypeVar("RowT", bound=TenantBase)


class RowService(ClinicService, Generic[RowT]):
    """Single rows of one table: get, add, change under its version, archive.

    Subclasses set `repository_type` and `entity` (its name in audit events) and add their own rules.
    """

    repository_type: type[SQLAlchemyAsyncRepository[RowT]]
    entity: str

    @property
    def rows(self) -> SQLAlchemyAsyncRepository[RowT]:
        """The repository over this service's table and session."""
        return self.repository_type(session=self.session, auto_refresh=False, wrap_exceptions=False)

    async def get_row(self, row_id: UUID) -> RowT:
        """Return the row; raise `NotFoundError` when this clinic has none with that id."""
        row = await self.rows.get_one_or_none(id=row_id)
        if row is None:
            raise NotFoundError
        return row

    async def add_row(self, row: RowT) -> RowT:
        """Insert the row with its author, flush, and leave an audit event."""
        row.created_by = self.actor.user_id  # type: ignore[attr-defined]
        await self.rows.add(row)
        await self.audit("create", self.entity, row.id)  # type: ignore[attr-defined]
        return row

    async def change_row(
        self, row: RowT, changes: Struct | dict[str, Any], *, version: int, action: str = "update"
    ) -> RowT:
        """Apply the set fields of `changes` if the row still has `version`; else `StaleVersionError`."""
        assert isinstance(row, VersionedRow)
        given = changes if isinstance(changes, dict) else structs.asdict(changes)
        values = {name: value for name, value in given.items() if value is not UNSET}
        values |= {"updated_by": self.actor.user_id, "version": version + 1}
        table = type(row)
        # Compared by the UPDATE alone: unlike a failed flush it leaves a transaction that can tell the present version.
        changed = await self.session.scalar(
            update(table)
            .where(table.id == row.id, table.version == version)
            .values(values)
            .returning(table.id)
            .execution_options(synchronize_session=False)
        )
        if changed is None:
            raise StaleVersionError(
                await self.session.scalar(select(table.version).where(table.id == row.id))
            )
        await self.session.refresh(row)
        await self.audit(action, self.entity, row.id)
        return row

    async def archive_row(self, row: RowT, *, version: int) -> RowT:
        """Mark the row as archived: it stays readable by id and leaves the lists."""
        return await self.change_row(
            row, {"archived_at": self.now()}, version=version, action="archive"
        )
