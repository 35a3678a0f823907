"""Appointments: booked, listed, shown, changed, rescheduled. Their status is changed in `visits.py`."""

from datetime import date
from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter, SkipValidation
from litestar.status_codes import HTTP_201_CREATED

from auth.guards import needs
from controllers.bounds import Since, Until
from controllers.errors import IdempotencyKeyRequiredError
from controllers.etag import IfMatch, required_version, tagged
from controllers.idempotency import IdempotencyKey, idempotent
from controllers.modes import READ, WRITE
from controllers.paging import PAGE_LIMIT_DEFAULT, Cursor, Limit, page_request
from controllers.responses import problems
from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.paging import Page
from domain.scheduling.agenda import AgendaService
from domain.scheduling.appointment_schemas import (
    AgendaEntry,
    AppointmentChanges,
    AppointmentFilter,
    AppointmentIn,
    AppointmentOut,
    RescheduleIn,
)
from domain.scheduling.appointments import AppointmentService
from domain.scheduling.ics import calendar
from domain.scheduling.transitions import AppointmentStatus
from tenancy.session import TenantSession

PATH = "/api/v1/appointments"
STATUSES_MAX = 7
CALENDAR = "text/calendar"

CurrentActor = NamedDependency[SkipValidation[Actor]]
Appointments = NamedDependency[SkipValidation[AppointmentService]]
Agenda = NamedDependency[SkipValidation[AgendaService]]
Wanted = NamedDependency[SkipValidation[AppointmentFilter]]
Day = Annotated[
    date, QueryParameter(name="date", description="A day on the wall clock of each branch.")
]
Statuses = Annotated[
    list[AppointmentStatus] | None,
    QueryParameter(
        name="status", max_items=STATUSES_MAX, description="Any of these; may be given repeatedly."
    ),
]


def provide_appointments(
    db_session: NamedDependency[SkipValidation[TenantSession]],
    actor: CurrentActor,
    clinic: NamedDependency[SkipValidation[ClinicProfile]],
) -> AppointmentService:
    """Return the service that writes appointments."""
    return AppointmentService(db_session, actor, clinic)


def provide_agenda(
    db_session: NamedDependency[SkipValidation[TenantSession]],
    actor: CurrentActor,
    clinic: NamedDependency[SkipValidation[ClinicProfile]],
) -> AgendaService:
    """Return the service that reads appointments."""
    return AgendaService(db_session, actor, clinic)


def provide_filter(  # noqa: PLR0913, PLR0917  # one argument a query parameter
    practitioner: FromQuery[UUID | None] = None,
    practitioner_id: FromQuery[UUID | None] = None,
    patient: FromQuery[UUID | None] = None,
    patient_id: FromQuery[UUID | None] = None,
    branch: FromQuery[UUID | None] = None,
    branch_id: FromQuery[UUID | None] = None,
    room: FromQuery[UUID | None] = None,
    room_id: FromQuery[UUID | None] = None,
    status: Statuses = None,
    since: Since = None,
    until: Until = None,
) -> AppointmentFilter:
    """Return what the query asks for; a name with and without `_id` is the same."""
    return AppointmentFilter(
        practitioner_id=practitioner_id or practitioner,
        patient_id=patient_id or patient,
        branch_id=branch_id or branch,
        room_id=room_id or room,
        statuses=tuple(status or ()),
        since=since,
        until=until,
    )


class AppointmentController(Controller):
    """Appointments of the calling clinic."""

    path = PATH
    tags = ("appointments",)
    dependencies = {  # noqa: RUF012  # read once by Litestar
        "appointments": Provide(provide_appointments, sync_to_thread=False),
        "agenda": Provide(provide_agenda, sync_to_thread=False),
    }

    @get(
        "/",
        operation_id="listAppointments",
        guards=[needs("appointments:read")],
        opt=READ,
        dependencies={"wanted": Provide(provide_filter, sync_to_thread=False)},
        responses=problems(400, 401, 403, 422),
    )
    async def list_appointments(
        self,
        agenda: Agenda,
        wanted: Wanted,
        limit: Limit = PAGE_LIMIT_DEFAULT,
        cursor: Cursor = None,
    ) -> Page[AppointmentOut]:
        """Return one page of appointments, by start."""
        return await agenda.list_appointments(wanted, page_request(limit, cursor))

    @post(
        "/",
        operation_id="createAppointment",
        guards=[needs("appointments:request")],
        opt=WRITE,
        responses=problems(400, 401, 403, 409, 422),
    )
    @idempotent
    async def create_appointment(
        self,
        appointments: Appointments,
        actor: CurrentActor,
        data: JSONBody[AppointmentIn],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[AppointmentOut]:
        """Book an appointment; portal users and services must send an `Idempotency-Key`."""
        if actor.is_patient_only and idempotency_key is None:
            raise IdempotencyKeyRequiredError
        appointment = await appointments.book(data)
        location = f"{PATH}/{appointment.id}"
        return tagged(appointment, appointment.version, HTTP_201_CREATED, location)

    @get(
        "/agenda",
        operation_id="getAgenda",
        guards=[needs("appointments:read")],
        opt=READ,
        responses=problems(400, 401, 403, 422),
    )
    async def get_agenda(  # noqa: PLR0913, PLR0917  # one argument a query parameter
        self,
        agenda: Agenda,
        day: Day,
        branch: FromQuery[UUID | None] = None,
        branch_id: FromQuery[UUID | None] = None,
        practitioner: FromQuery[UUID | None] = None,
        practitioner_id: FromQuery[UUID | None] = None,
        cursor: Cursor = None,
    ) -> Page[AgendaEntry]:
        """Return one day's appointments with the names of patient and practitioner."""
        return await agenda.agenda(
            day,
            branch_id=branch_id or branch,
            practitioner_id=practitioner_id or practitioner,
            cursor=cursor or None,
        )

    @get(
        "/{appointment_id:uuid}",
        operation_id="getAppointment",
        guards=[needs("appointments:read")],
        opt=READ,
        responses=problems(401, 403, 404),
    )
    async def get_appointment(
        self, agenda: Agenda, appointment_id: FromPath[UUID]
    ) -> Response[AppointmentOut]:
        """Return one appointment."""
        appointment = await agenda.get_appointment(appointment_id)
        return tagged(appointment, appointment.version)

    @get(
        "/{appointment_id:uuid}/ics",
        operation_id="getAppointmentCalendar",
        guards=[needs("appointments:read")],
        opt=READ,
        media_type=CALENDAR,
        responses=problems(401, 403, 404),
    )
    async def get_calendar(self, agenda: Agenda, appointment_id: FromPath[UUID]) -> Response[bytes]:
        """Return the appointment as an iCalendar file, without the reason for it."""
        entry = await agenda.calendar_entry(appointment_id)
        name = f'attachment; filename="appointment-{appointment_id}.ics"'
        return Response(calendar(entry), media_type=CALENDAR, headers={"Content-Disposition": name})

    @patch(
        "/{appointment_id:uuid}",
        operation_id="updateAppointment",
        guards=[needs("appointments:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 404, 409, 412, 422, 428),
    )
    async def change_appointment(
        self,
        appointments: Appointments,
        appointment_id: FromPath[UUID],
        data: JSONBody[AppointmentChanges],
        if_match: IfMatch = None,
    ) -> Response[AppointmentOut]:
        """Change room, service or reason; another time is another appointment: `/reschedule`."""
        version = required_version(if_match)
        appointment = await appointments.change(appointment_id, data, version=version)
        return tagged(appointment, appointment.version)

    @post(
        "/{appointment_id:uuid}/reschedule",
        operation_id="rescheduleAppointment",
        guards=[needs("appointments:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 404, 409, 412, 422, 428),
    )
    @idempotent
    async def reschedule(
        self,
        appointments: Appointments,
        appointment_id: FromPath[UUID],
        data: JSONBody[RescheduleIn],
        if_match: IfMatch = None,
    ) -> Response[AppointmentOut]:
        """Cancel the appointment and book another one in its place, both or neither."""
        version = required_version(if_match)
        booked = await appointments.reschedule(appointment_id, data, version=version)
        return tagged(booked, booked.version, HTTP_201_CREATED, f"{PATH}/{booked.id}")
