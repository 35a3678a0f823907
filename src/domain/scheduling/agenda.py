"""Reading appointments: lists, the day's agenda, one of them. Hot paths: columns into Structs, never entities."""

from datetime import date
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.clock import Clock, utc_now
from domain.errors import NotFoundError
from domain.organisation.branch_scope import reach_of
from domain.organisation.models import Branch
from domain.paging import Page, PageRequest
from domain.scheduling.appointment_lists import (
    ACTOR,
    SINCE,
    STATUSES,
    UNTIL,
    agenda_list,
    appointment_list,
    appointments_in,
    entries_in,
    shown_appointments,
    values_of_day,
    within_reach,
)
from domain.scheduling.appointment_schemas import (
    AgendaEntry,
    AppointmentFilter,
    AppointmentOut,
)
from domain.scheduling.ics import CalendarEntry
from domain.scheduling.models import Appointment
from domain.scheduling.moments import read_bound, require_day, zone_named
from domain.service import ClinicService
from tenancy.session import TenantSession

AGENDA_ENTRIES_MAX: Final = 500
"""Lines of one page of a day's agenda: more than a day of one branch has."""


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
        values = await self._values(wanted)
        form = appointment_list(reach_of(self.actor), frozenset(values), descending=newest_first)
        return await form.fetch(
            self.session, self._bound(values), page, appointments_in(self.clinic.zone)
        )

    async def get_appointment(self, appointment_id: UUID) -> AppointmentOut:
        """Return one appointment; raise `NotFoundError` if there is none that the actor sees."""
        found = await self.session.execute(
            shown_appointments().where(Appointment.id == appointment_id, within_reach(self.actor))
        )
        row = found.one_or_none()
        if row is None:
            raise NotFoundError
        return appointments_in(self.clinic.zone)(row)

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
        wanted = {"branch_id": branch_id, "practitioner_id": practitioner_id}
        values = _given(wanted)
        return await agenda_list(reach_of(self.actor), frozenset(values)).fetch(
            self.session,
            self._bound(values) | values_of_day(day),
            PageRequest(limit=AGENDA_ENTRIES_MAX, cursor=cursor),
            entries_in(self.clinic.zone),
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

    def _bound(self, values: dict[str, Any]) -> dict[str, Any]:
        return {**values, ACTOR: self.actor.user_id}

    async def _values(self, wanted: AppointmentFilter) -> dict[str, Any]:
        """Return the values of the filters that are in use, by the names that `appointment_list` knows."""
        values = _given(
            {
                "practitioner_id": wanted.practitioner_id,
                "patient_id": wanted.patient_id,
                "branch_id": wanted.branch_id,
                "room_id": wanted.room_id,
                STATUSES: wanted.statuses or None,
            }
        )
        if wanted.since is None and wanted.until is None:
            return values
        zone = zone_named(await self.branch_zone(wanted.branch_id), self.clinic.zone)
        if wanted.since is not None:
            values[SINCE] = read_bound("from", wanted.since, zone)
        if wanted.until is not None:
            values[UNTIL] = read_bound("to", wanted.until, zone)
        return values

    async def branch_zone(self, branch_id: UUID | None) -> str | None:
        """Return the name of the zone that naive bounds are in; None stands for the clinic's."""
        if branch_id is None:
            return None
        return await self.session.scalar(select(Branch.timezone).where(Branch.id == branch_id))


def _given(wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if value is not None}
