"""Exceptions to the weekly hours: absences, holidays, extra hours."""

from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, SkipValidation
from litestar.status_codes import HTTP_201_CREATED

from auth.guards import needs
from controllers.bounds import Since, Until
from controllers.etag import IfMatch, required_version, tagged
from controllers.idempotency import idempotent
from controllers.modes import READ, WRITE
from controllers.paging import PAGE_LIMIT_DEFAULT, Cursor, Limit, page_request
from controllers.responses import problems
from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.paging import Page
from domain.scheduling.availability_schemas import ExceptionChanges, ExceptionIn, ExceptionOut
from domain.scheduling.exceptions import ExceptionFilter, ExceptionService, Whose
from tenancy.session import TenantSession

PATH = "/api/v1/availability-exceptions"

Exceptions = NamedDependency[SkipValidation[ExceptionService]]


def provide_exceptions(
    db_session: NamedDependency[SkipValidation[TenantSession]],
    actor: NamedDependency[SkipValidation[Actor]],
    clinic: NamedDependency[SkipValidation[ClinicProfile]],
) -> ExceptionService:
    """Return the service of exceptions."""
    return ExceptionService(db_session, actor, clinic)


DEPENDENCIES = {"exceptions": Provide(provide_exceptions, sync_to_thread=False)}


def _created(exception: ExceptionOut) -> Response[ExceptionOut]:
    return tagged(exception, exception.version, HTTP_201_CREATED, f"{PATH}/{exception.id}")


class PractitionerExceptionController(Controller):
    """Absences and extra hours of one practitioner."""

    path = "/api/v1/practitioners/{practitioner_id:uuid}/exceptions"
    tags = ("availability",)
    dependencies = DEPENDENCIES

    @get(
        "/",
        operation_id="listPractitionerExceptions",
        guards=[needs("availability:read")],
        opt=READ,
        responses=problems(400, 401, 403, 404, 422),
    )
    async def list_exceptions(  # one argument a query parameter
        self,
        exceptions: Exceptions,
        practitioner_id: FromPath[UUID],
        since: Since = None,
        until: Until = None,
        limit: Limit = PAGE_LIMIT_DEFAULT,
        cursor: Cursor = None,
    ) -> Page[ExceptionOut]:
        """Return one page of the practitioner's exceptions, by start."""
        whose = Whose(practitioner_id=practitioner_id)
        wanted = ExceptionFilter(whose=whose, since=since, until=until)
        return await exceptions.list_exceptions(wanted, page_request(limit, cursor))

    @post(
        "/",
        operation_id="createPractitionerException",
        guards=[needs("availability:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 404, 409, 422),
    )
    @idempotent
    async def create_exception(
        self, exceptions: Exceptions, practitioner_id: FromPath[UUID], data: JSONBody[ExceptionIn]
    ) -> Response[ExceptionOut]:
        """Close or open a period of the practitioner."""
        whose = Whose(practitioner_id=practitioner_id)
        return _created(await exceptions.create_exception(whose, data))


class BranchExceptionController(Controller):
    """Holidays and extra hours of one branch."""

    path = "/api/v1/branches/{branch_id:uuid}/exceptions"
    tags = ("availability",)
    dependencies = DEPENDENCIES

    @get(
        "/",
        operation_id="listBranchExceptions",
        guards=[needs("availability:read")],
        opt=READ,
        responses=problems(400, 401, 403, 404, 422),
    )
    async def list_exceptions(  # one argument a query parameter
        self,
        exceptions: Exceptions,
        branch_id: FromPath[UUID],
        since: Since = None,
        until: Until = None,
        limit: Limit = PAGE_LIMIT_DEFAULT,
        cursor: Cursor = None,
    ) -> Page[ExceptionOut]:
        """Return one page of the branch's exceptions, by start."""
        wanted = ExceptionFilter(whose=Whose(branch_id=branch_id), since=since, until=until)
        return await exceptions.list_exceptions(wanted, page_request(limit, cursor))

    @post(
        "/",
        operation_id="createBranchException",
        guards=[needs("availability:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 404, 409, 422),
    )
    @idempotent
    async def create_exception(
        self, exceptions: Exceptions, branch_id: FromPath[UUID], data: JSONBody[ExceptionIn]
    ) -> Response[ExceptionOut]:
        """Close or open a period of the whole branch."""
        return _created(await exceptions.create_exception(Whose(branch_id=branch_id), data))


class ExceptionController(Controller):
    """Single exceptions, of practitioners and of branches."""

    path = PATH
    tags = ("availability",)
    dependencies = DEPENDENCIES

    @get(
        "/{exception_id:uuid}",
        operation_id="getAvailabilityException",
        guards=[needs("availability:read")],
        opt=READ,
        responses=problems(401, 403, 404),
    )
    async def get_exception(
        self, exceptions: Exceptions, exception_id: FromPath[UUID]
    ) -> Response[ExceptionOut]:
        """Return one exception."""
        exception = await exceptions.get_exception(exception_id)
        return tagged(exception, exception.version)

    @patch(
        "/{exception_id:uuid}",
        operation_id="updateAvailabilityException",
        guards=[needs("availability:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 404, 412, 422, 428),
    )
    async def change_exception(
        self,
        exceptions: Exceptions,
        exception_id: FromPath[UUID],
        data: JSONBody[ExceptionChanges],
        if_match: IfMatch = None,
    ) -> Response[ExceptionOut]:
        """Change an exception."""
        version = required_version(if_match)
        exception = await exceptions.change_exception(exception_id, data, version=version)
        return tagged(exception, exception.version)

    @delete(
        "/{exception_id:uuid}",
        operation_id="removeAvailabilityException",
        guards=[needs("availability:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 404, 412, 428),
    )
    async def remove_exception(
        self, exceptions: Exceptions, exception_id: FromPath[UUID], if_match: IfMatch = None
    ) -> None:
        """Let the weekly hours hold again."""
        await exceptions.archive_exception(exception_id, version=required_version(if_match))
