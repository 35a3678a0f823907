"""Reading appointments: lists, the day's agenda, one of them. Hot paths: columns into Structs, never entities."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import aliased

from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.clock import Clock, utc_now
from domain.errors import NotFoundError
from domain.organisation.branch_scope import in_visible_branches, own_patients
from domain.organisation.models import Branch, Patient, Person, Practitioner
from domain.paging import Page, PageRequest, fetch_page
from domain.scheduling.appointment_schemas import (
    AgendaEntry,
    AppointmentFilter,
    AppointmentOut,
)
from domain.scheduling.calendar import DAY
from domain.scheduling.ics import CalendarEntry
from domain.scheduling.models import Appointment
from domain.scheduling.moments import read_bound, require_day, zone_named
from domain.service import ClinicService
from tenancy.session import TenantSession

AGENDA_ENTRIES_MAX: Final = 500
"""Lines of one page of a day's agenda: more than a day of one branch has."""

OFFSET_MAX: Final = timedelta(hours=14)
"""No zone is further from UTC."""

_PATIENT_PERSON = aliased(Person, name="patient_person")
_PRACTITIONER_PERSON = aliased(Person, name="practitioner_person")

COMPUTED: Final = frozenset({"outside_availability"})
SHOWN: Final = tuple(n for n in AppointmentOut.__struct_fields__ if n not in COMPUTED)
NAMES: Final = frozenset({"patient_name", "practitioner_name"})
LISTED: Final = tuple(n for n in AgendaEntry.__struct_fields__ if n not in NAMES)


def within_reach(actor: Actor) -> ColumnElement[bool]:
    """Return the condition on the appointments that the actor sees: own ones, or those of the actor's branches."""
    own = own_patients(actor)
    if own is not None:
        return Appointment.patient_id.in_(own)
    return in_visible_branches(Appointment.branch_id, actor)


class AgendaService(ClinicService):
    """Appointments, for reading."""

    def __init__(
        self, session: TenantSession, actor: Actor, clinic: ClinicProfile, clock: Clock = utc_now
    ) -> None:
        super().__init__(session, actor, clock)
        self.clinic = clinic

    async def list_appointments(
        self, wanted: AppointmentFilter, page: PageRequest, *, newest_first: bool = False
    ) -> Page[AppointmentOut]:
        """Return one page of the appointments that match, by start; raise `InvalidTimeError` for a bad bound."""
        return await fetch_page(
            self.session,
            self._rows().where(*await self._conditions(wanted)),
            order=[Appointment.starts_at.expression, Appointment.id.expression],
            request=page,
            make=self._out,
            descending=newest_first,
        )

    async def get_appointment(self, appointment_id: UUID) -> AppointmentOut:
        """Return one appointment; raise `NotFoundError` if there is none that the actor sees."""
        found = await self.session.execute(self._rows().where(Appointment.id == appointment_id))
        row = found.one_or_none()
        if row is None:
            raise NotFoundError
        return self._out(row)

    async def agenda(
        self,
        day: date,
        *,
        branch_id: UUID | None,
        practitioner_id: UUID | None,
        cursor: str | None,
    ) -> Page[AgendaEntry]:
        """Return everything that begins on that day on the wall clock of its branch, in one query.

        Raises `InvalidTimeError` for a day on which nothing can happen.
        """
        require_day("date", day)
        statement = (
            select(
                *(getattr(Appointment, name) for name in LISTED),
                Branch.timezone,
                *_named("patient", _PATIENT_PERSON),
                *_named("practitioner", _PRACTITIONER_PERSON),
            )
            .join(Appointment.branch)
            .join(Appointment.patient)
            .join(Patient.person.of_type(_PATIENT_PERSON))
            .join(Appointment.practitioner)
            .join(Practitioner.person.of_type(_PRACTITIONER_PERSON))
            .where(within_reach(self.actor), *_on(day))
        )
        if branch_id is not None:
            statement = statement.where(Appointment.branch_id == branch_id)
        if practitioner_id is not None:
            statement = statement.where(Appointment.practitioner_id == practitioner_id)
        return await fetch_page(
            self.session,
            statement,
            order=[Appointment.starts_at.expression, Appointment.id.expression],
            request=PageRequest(limit=AGENDA_ENTRIES_MAX, cursor=cursor),
            make=self._entry,
        )

    async def calendar_entry(self, appointment_id: UUID) -> CalendarEntry:
        """Return what a calendar may know of the appointment: no reason, no specialty."""
        statement = (
            select(
                Appointment.id,
                Appointment.starts_at,
                Appointment.ends_at,
                Appointment.status,
                Appointment.version,
                Appointment.updated_at,
                Branch.name.label("branch_name"),
            )
            .join(Appointment.branch)
            .where(Appointment.id == appointment_id, within_reach(self.actor))
        )
        row = (await self.session.execute(statement)).one_or_none()
        if row is None:
            raise NotFoundError
        return CalendarEntry(
            id=row.id,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            status=row.status,
            sequence=row.version - 1,
            changed_at=row.updated_at,
            clinic_slug=self.clinic.slug,
            clinic_name=self.clinic.name,
            location=row.branch_name,
            language=self.clinic.language,
        )

    def _rows(self) -> Select[Any]:
        columns: tuple[Any, ...] = tuple(getattr(Appointment, name) for name in SHOWN)
        return (
            select(*columns, Branch.timezone)
            .join(Appointment.branch)
            .where(within_reach(self.actor))
        )

    def _out(self, row: Any) -> AppointmentOut:
        values = {name: getattr(row, name) for name in SHOWN}
        return AppointmentOut(**values | self._local_times(row))

    def _entry(self, row: Any) -> AgendaEntry:
        values = {name: getattr(row, name) for name in LISTED}
        return AgendaEntry(
            **values | self._local_times(row),
            patient_name=_full_name(row, "patient"),
            practitioner_name=_full_name(row, "practitioner"),
        )

    def _local_times(self, row: Any) -> dict[str, datetime]:
        zone = zone_named(row.timezone, self.clinic.zone)
        return {
            "starts_at": row.starts_at.astimezone(zone),
            "ends_at": row.ends_at.astimezone(zone),
        }

    async def _conditions(self, wanted: AppointmentFilter) -> list[ColumnElement[bool]]:
        equal = {
            Appointment.practitioner_id: wanted.practitioner_id,
            Appointment.patient_id: wanted.patient_id,
            Appointment.branch_id: wanted.branch_id,
            Appointment.room_id: wanted.room_id,
        }
        conditions = [column == value for column, value in equal.items() if value is not None]
        if wanted.statuses:
            conditions.append(Appointment.status.in_(wanted.statuses))
        if wanted.since is None and wanted.until is None:
            return conditions
        zone = zone_named(await self.branch_zone(wanted.branch_id), self.clinic.zone)
        if wanted.since is not None:
            conditions.append(Appointment.starts_at >= read_bound("from", wanted.since, zone))
        if wanted.until is not None:
            conditions.append(Appointment.starts_at < read_bound("to", wanted.until, zone))
        return conditions

    async def branch_zone(self, branch_id: UUID | None) -> str | None:
        """Return the name of the zone that naive bounds are in; None stands for the clinic's."""
        if branch_id is None:
            return None
        return await self.session.scalar(select(Branch.timezone).where(Branch.id == branch_id))


def _on(day: date) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for a start on that local day of the branch.

    The bounds in UTC are wider than any zone's day, so that the index is read over two days at most.
    """
    midnight = datetime.combine(day, time(), tzinfo=UTC)
    return (
        Appointment.starts_at >= midnight - OFFSET_MAX,
        Appointment.starts_at < midnight + DAY + OFFSET_MAX,
        func.date(func.timezone(Branch.timezone, Appointment.starts_at)) == day,
    )


def _named(whose: str, person: Any) -> tuple[Any, ...]:
    return (
        person.given_names.label(f"{whose}_given_names"),
        person.family_name.label(f"{whose}_family_name"),
        person.second_family_name.label(f"{whose}_second_family_name"),
    )


def _full_name(row: Any, whose: str) -> str:
    parts = (
        getattr(row, f"{whose}_{part}")
        for part in ("given_names", "family_name", "second_family_name")
    )
    return " ".join(part for part in parts if part)
