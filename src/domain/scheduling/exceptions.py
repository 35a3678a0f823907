"""Exceptions to the weekly hours, of a practitioner or of a whole branch: holidays, absences, extra hours."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from msgspec import UNSET, Struct
from sqlalchemy import ColumnElement, Row, Select, or_, select

from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.clock import Clock, utc_now
from domain.errors import NotFoundError
from domain.organisation.branch_scope import in_offered_branches
from domain.organisation.models import Branch, Practitioner
from domain.organisation.workplaces import is_offered
from domain.paging import Page, PageRequest, fetch_page
from domain.scheduling.availability_schemas import (
    ExceptionChanges,
    ExceptionIn,
    ExceptionOut,
)
from domain.scheduling.models import AvailabilityException
from domain.scheduling.moments import read_bound, read_period, zone_named
from domain.service import RowService
from domain.tables import new_id
from tenancy.session import TenantSession

EXCEPTION_MAX: Final = timedelta(days=2 * 366)

_EXCEPTION = AvailabilityException
_COLUMNS: Final = tuple(getattr(_EXCEPTION, name) for name in ExceptionOut.__struct_fields__)


class Whose(Struct, frozen=True):
    """The practitioner or the branch that an exception is about: one of the two."""

    practitioner_id: UUID | None = None
    branch_id: UUID | None = None


class ExceptionFilter(Struct, frozen=True, kw_only=True):
    """Which exceptions are looked for: those that end after `since` and start before `until`."""

    whose: Whose
    since: str | None = None
    until: str | None = None


class ExceptionRepository(SQLAlchemyAsyncRepository[AvailabilityException]):
    """Single exceptions."""

    model_type = AvailabilityException


class ExceptionService(RowService[AvailabilityException]):
    """Exceptions of practitioners and branches; a removed one is archived."""

    repository_type = ExceptionRepository
    entity = "availability_exception"

    def __init__(
        self, session: TenantSession, actor: Actor, clinic: ClinicProfile, clock: Clock = utc_now
    ) -> None:
        super().__init__(session, actor, clock)
        self.clinic = clinic

    async def list_exceptions(
        self, wanted: ExceptionFilter, page: PageRequest
    ) -> Page[ExceptionOut]:
        """Return one page by start; raise `NotFoundError` if practitioner or branch is not there."""
        zone = await self._zone_of(wanted.whose)
        statement = self._shown_rows().where(*_of(wanted.whose))
        if wanted.since is not None:
            statement = statement.where(_EXCEPTION.ends_at > read_bound("from", wanted.since, zone))
        if wanted.until is not None:
            statement = statement.where(_EXCEPTION.starts_at < read_bound("to", wanted.until, zone))
        return await fetch_page(
            self.session,
            statement,
            order=[_EXCEPTION.starts_at.expression, _EXCEPTION.id.expression],
            request=page,
            make=self._out,
        )

    async def get_exception(self, exception_id: UUID) -> ExceptionOut:
        """Return one exception; raise `NotFoundError` if there is none that the caller sees."""
        found = await self.session.execute(self._shown_rows().where(_EXCEPTION.id == exception_id))
        row = found.one_or_none()
        if row is None:
            raise NotFoundError
        return self._out(row)

    async def create_exception(self, whose: Whose, new: ExceptionIn) -> ExceptionOut:
        """Add an exception; appointments that are booked already stay."""
        period = read_period(
            new.starts_at, new.ends_at, await self._zone_of(whose), length_max=EXCEPTION_MAX
        )
        row = await self.add_row(
            AvailabilityException(
                id=new_id(),
                practitioner_id=whose.practitioner_id,
                branch_id=whose.branch_id,
                starts_at=period.starts_at,
                ends_at=period.ends_at,
                kind=new.kind.value,
                reason=new.reason,
            )
        )
        return await self.get_exception(row.id)

    async def change_exception(
        self, exception_id: UUID, changes: ExceptionChanges, *, version: int
    ) -> ExceptionOut:
        """Change the exception if it still has `version`."""
        row = await self._live(exception_id)
        zone = await self._zone_of(Whose(row.practitioner_id, row.branch_id))
        starts_at = row.starts_at if changes.starts_at is UNSET else changes.starts_at
        ends_at = row.ends_at if changes.ends_at is UNSET else changes.ends_at
        period = read_period(starts_at, ends_at, zone, length_max=EXCEPTION_MAX)
        values: dict[str, Any] = {
            "starts_at": period.starts_at,
            "ends_at": period.ends_at,
            "kind": changes.kind,
            "reason": changes.reason,
        }
        await self.change_row(row, values, version=version)
        return await self.get_exception(exception_id)

    async def archive_exception(self, exception_id: UUID, *, version: int) -> None:
        """Make the weekly hours hold again, if the exception still has `version`."""
        await self.archive_row(await self._live(exception_id), version=version)

    async def _live(self, exception_id: UUID) -> AvailabilityException:
        row = await self.get_row(exception_id)
        if row.archived_at is not None:
            raise NotFoundError
        return row

    async def _zone_of(self, whose: Whose) -> ZoneInfo:
        """Return the zone that naive times are in: the branch's, for a practitioner the clinic's."""
        if whose.branch_id is None:
            statement: Select[Any] = select(Practitioner.id).where(
                Practitioner.id == whose.practitioner_id,
                Practitioner.archived_at.is_(None),
                is_offered(self.actor),
            )
        else:
            statement = select(Branch.timezone).where(
                Branch.id == whose.branch_id,
                Branch.archived_at.is_(None),
                in_offered_branches(Branch.id, self.actor),
            )
        found = await self.session.scalar(statement)
        if found is None:
            raise NotFoundError
        return self.clinic.zone if whose.branch_id is None else zone_named(found, self.clinic.zone)

    def _shown_rows(self) -> Select[Any]:
        of_practitioner = _EXCEPTION.branch_id.is_(None)
        return (
            select(*_COLUMNS, Branch.timezone)
            .outerjoin(_EXCEPTION.branch)
            .where(
                _EXCEPTION.archived_at.is_(None),
                or_(of_practitioner, in_offered_branches(_EXCEPTION.branch_id, self.actor)),
            )
        )

    def _out(self, row: Row[Any]) -> ExceptionOut:
        values = {name: getattr(row, name) for name in ExceptionOut.__struct_fields__}
        zone = zone_named(row.timezone, self.clinic.zone)
        for name in ("starts_at", "ends_at"):
            values[name] = values[name].astimezone(zone)
        if self.actor.is_patient_only:
            values["reason"] = None  # why somebody is away is the staff's business
        return ExceptionOut(**values)


def _of(whose: Whose) -> tuple[ColumnElement[bool], ...]:
    if whose.branch_id is None:
        return (_EXCEPTION.practitioner_id == whose.practitioner_id,)
    return (_EXCEPTION.branch_id == whose.branch_id,)
