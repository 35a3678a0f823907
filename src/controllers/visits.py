"""How appointments go on: each action is one change of status."""

from uuid import UUID

from litestar import Controller, Response, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, SkipValidation
from litestar.status_codes import HTTP_200_OK

from auth.guards import needs
from controllers.etag import IfMatch, required_version, tagged
from controllers.idempotency import idempotent
from controllers.modes import WRITE
from controllers.responses import problems
from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.scheduling.appointment_schemas import ActionIn, AppointmentOut, CancelIn
from domain.scheduling.transitions import AppointmentStatus
from domain.scheduling.visits import VisitService
from tenancy.session import TenantSession

RESPONSES = problems(400, 401, 403, 404, 409, 412, 422, 428)

Visits = NamedDependency[SkipValidation[VisitService]]


def provide_visits(
    db_session: NamedDependency[SkipValidation[TenantSession]],
    actor: NamedDependency[SkipValidation[Actor]],
    clinic: NamedDependency[SkipValidation[ClinicProfile]],
) -> VisitService:
    """Return the service that changes the status of appointments."""
    return VisitService(db_session, actor, clinic)


async def _act(
    visits: VisitService,
    appointment_id: UUID,
    status: AppointmentStatus,
    *,
    if_match: str | None,
    note: str | None,
) -> Response[AppointmentOut]:
    version = required_version(if_match)
    appointment = await visits.change_status(appointment_id, status, version=version, note=note)
    return tagged(appointment, appointment.version)


class VisitController(Controller):
    """Actions on one appointment."""

    path = "/api/v1/appointments/{appointment_id:uuid}"
    tags = ("appointments",)
    dependencies = {"visits": Provide(provide_visits, sync_to_thread=False)}  # noqa: RUF012  # read once by Litestar

    @post(
        "/confirm",
        operation_id="confirmAppointment",
        status_code=HTTP_200_OK,
        guards=[needs("appointments:write")],
        opt=WRITE,
        responses=RESPONSES,
    )
    @idempotent
    async def confirm(
        self,
        visits: Visits,
        appointment_id: FromPath[UUID],
        data: JSONBody[ActionIn | None] = None,
        if_match: IfMatch = None,
    ) -> Response[AppointmentOut]:
        """Confirm a pending appointment, which holds its slot already."""
        note = data.note if data else None
        status = AppointmentStatus.CONFIRMED
        return await _act(visits, appointment_id, status, if_match=if_match, note=note)

    @post(
        "/arrive",
        operation_id="arriveAppointment",
        status_code=HTTP_200_OK,
        guards=[needs("appointments:write")],
        opt=WRITE,
        responses=RESPONSES,
    )
    @idempotent
    async def arrive(
        self,
        visits: Visits,
        appointment_id: FromPath[UUID],
        data: JSONBody[ActionIn | None] = None,
        if_match: IfMatch = None,
    ) -> Response[AppointmentOut]:
        """Note that the patient is here."""
        note = data.note if data else None
        status = AppointmentStatus.ARRIVED
        return await _act(visits, appointment_id, status, if_match=if_match, note=note)

    @post(
        "/start",
        operation_id="startAppointment",
        status_code=HTTP_200_OK,
        guards=[needs("appointments:write")],
        opt=WRITE,
        responses=RESPONSES,
    )
    @idempotent
    async def start(
        self,
        visits: Visits,
        appointment_id: FromPath[UUID],
        data: JSONBody[ActionIn | None] = None,
        if_match: IfMatch = None,
    ) -> Response[AppointmentOut]:
        """Note that the patient is with the practitioner."""
        note = data.note if data else None
        status = AppointmentStatus.IN_PROGRESS
        return await _act(visits, appointment_id, status, if_match=if_match, note=note)

    @post(
        "/complete",
        operation_id="completeAppointment",
        status_code=HTTP_200_OK,
        guards=[needs("appointments:write")],
        opt=WRITE,
        responses=RESPONSES,
    )
    @idempotent
    async def complete(
        self,
        visits: Visits,
        appointment_id: FromPath[UUID],
        data: JSONBody[ActionIn | None] = None,
        if_match: IfMatch = None,
    ) -> Response[AppointmentOut]:
        """Note that the patient was attended."""
        note = data.note if data else None
        status = AppointmentStatus.COMPLETED
        return await _act(visits, appointment_id, status, if_match=if_match, note=note)

    @post(
        "/no-show",
        operation_id="missAppointment",
        status_code=HTTP_200_OK,
        guards=[needs("appointments:write")],
        opt=WRITE,
        responses=RESPONSES,
    )
    @idempotent
    async def no_show(
        self,
        visits: Visits,
        appointment_id: FromPath[UUID],
        data: JSONBody[ActionIn | None] = None,
        if_match: IfMatch = None,
    ) -> Response[AppointmentOut]:
        """Note that the patient did not come; not before the start."""
        note = data.note if data else None
        status = AppointmentStatus.NO_SHOW
        return await _act(visits, appointment_id, status, if_match=if_match, note=note)

    @post(
        "/cancel",
        operation_id="cancelAppointment",
        status_code=HTTP_200_OK,
        guards=[needs("appointments:request")],
        opt=WRITE,
        responses=RESPONSES,
    )
    @idempotent
    async def cancel(
        self,
        visits: Visits,
        appointment_id: FromPath[UUID],
        data: JSONBody[CancelIn | None] = None,
        if_match: IfMatch = None,
    ) -> Response[AppointmentOut]:
        """Give the slot up; portal users cancel their own, in time."""
        note = data.cancel_reason if data else None
        cancelled = AppointmentStatus.CANCELLED
        return await _act(visits, appointment_id, cancelled, if_match=if_match, note=note)
