"""When practitioners attend: weekly hours, and the slots that are free."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, get, put
from litestar.di import NamedDependency, Provide
from litestar.exceptions import ValidationException
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter, SkipValidation

from auth.guards import needs
from controllers.bounds import RequiredSince, RequiredUntil
from controllers.etag import IfMatch, required_version, tagged
from controllers.modes import READ, WRITE
from controllers.responses import problems
from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.scheduling.availability import AvailabilityService
from domain.scheduling.availability_schemas import (
    FreeSlots,
    ScheduleIn,
    ScheduleOut,
)
from domain.scheduling.opening import FreeSlotService, SlotSearch
from domain.scheduling.slots import SLOT_MIN_MAX, SLOT_MIN_MIN
from tenancy.session import TenantSession

Hours = NamedDependency[SkipValidation[AvailabilityService]]
Slots = NamedDependency[SkipValidation[FreeSlotService]]

Step = Annotated[
    int | None,
    QueryParameter(
        ge=SLOT_MIN_MIN,
        le=SLOT_MIN_MAX,
        description="Minutes between two starts; as long as the service unless given.",
    ),
]


def provide_hours(
    db_session: NamedDependency[SkipValidation[TenantSession]],
    actor: NamedDependency[SkipValidation[Actor]],
    clinic: NamedDependency[SkipValidation[ClinicProfile]],
) -> AvailabilityService:
    """Return the service of weekly hours."""
    return AvailabilityService(db_session, actor, clinic)


def provide_slots(
    db_session: NamedDependency[SkipValidation[TenantSession]],
    actor: NamedDependency[SkipValidation[Actor]],
    clinic: NamedDependency[SkipValidation[ClinicProfile]],
) -> FreeSlotService:
    """Return the service that finds free slots."""
    return FreeSlotService(db_session, actor, clinic)


def _required(name: str, *values: UUID | None) -> UUID:
    """Return the first id that was given; the framework's own complaint if none was."""
    given = next((value for value in values if value is not None), None)
    if given is None:
        raise ValidationException(detail=f"Missing required query parameter '{name}'")
    return given


class FreeSlotController(Controller):
    """Slots that can be booked."""

    path = "/api/v1/availability"
    tags = ("availability",)
    dependencies = {"slots": Provide(provide_slots, sync_to_thread=False)}  # noqa: RUF012  # read once by Litestar

    @get(
        "/",
        operation_id="findFreeSlots",
        guards=[needs("availability:read")],
        opt=READ,
        responses=problems(400, 401, 403, 404, 422),
    )
    async def find_slots(  # noqa: PLR0913, PLR0917  # one argument a query parameter
        self,
        slots: Slots,
        since: RequiredSince,
        until: RequiredUntil,
        practitioner: FromQuery[UUID | None] = None,
        practitioner_id: FromQuery[UUID | None] = None,
        branch: FromQuery[UUID | None] = None,
        branch_id: FromQuery[UUID | None] = None,
        service: FromQuery[UUID | None] = None,
        service_id: FromQuery[UUID | None] = None,
        step: Step = None,
    ) -> FreeSlots:
        """Return a practitioner's free slots at a branch, within 31 days; a name with and without `_id` is the same."""
        search = SlotSearch(
            practitioner_id=_required("practitioner", practitioner_id, practitioner),
            branch_id=_required("branch", branch_id, branch),
            service_id=service_id or service,
            since=since,
            until=until,
            step_min=step,
        )
        return await slots.find(search)


class PractitionerHoursController(Controller):
    """Weekly hours of one practitioner."""

    path = "/api/v1/practitioners/{practitioner_id:uuid}/availability"
    tags = ("availability",)
    dependencies = {"hours": Provide(provide_hours, sync_to_thread=False)}  # noqa: RUF012  # read once by Litestar

    @get(
        "/",
        operation_id="getAvailability",
        guards=[needs("availability:read")],
        opt=READ,
        responses=problems(400, 401, 403, 404),
    )
    async def get_schedule(
        self,
        hours: Hours,
        practitioner_id: FromPath[UUID],
        branch: FromQuery[UUID | None] = None,
        branch_id: FromQuery[UUID | None] = None,
    ) -> Response[ScheduleOut]:
        """Return the weekly hours, of one branch or of all; the ETag is that of the whole week."""
        schedule = await hours.get_schedule(practitioner_id, branch_id or branch)
        return tagged(schedule, schedule.version)

    @put(
        "/",
        operation_id="putAvailability",
        guards=[needs("availability:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 404, 409, 412, 422, 428),
    )
    async def replace_schedule(
        self,
        hours: Hours,
        practitioner_id: FromPath[UUID],
        data: JSONBody[ScheduleIn],
        if_match: IfMatch = None,
    ) -> Response[ScheduleOut]:
        """Replace the weekly hours at one branch; appointments that are booked already stay."""
        version = required_version(if_match)
        schedule = await hours.replace_schedule(practitioner_id, data, version=version)
        return tagged(schedule, schedule.version)
