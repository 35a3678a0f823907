"""Practitioners of the clinic."""

from typing import Annotated, Final
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter, SkipValidation
from litestar.status_codes import HTTP_201_CREATED

from auth.guards import needs
from controllers.etag import IfMatch, required_version, tagged
from controllers.idempotency import idempotent
from controllers.modes import READ, WRITE
from controllers.paging import PAGE_LIMIT_DEFAULT, Cursor, Limit, page_request
from controllers.responses import problems
from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.organisation.person_schemas import (
    PractitionerChanges,
    PractitionerFilter,
    PractitionerIn,
    PractitionerListed,
    PractitionerOut,
)
from domain.organisation.practitioners import PractitionerService
from domain.paging import Page
from tenancy.session import TenantSession

PATH = "/api/v1/practitioners"
SEARCH_LENGTH_MAX: Final = 100

Practitioners = NamedDependency[SkipValidation[PractitionerService]]
Search = Annotated[
    str | None,
    QueryParameter(
        max_length=SEARCH_LENGTH_MAX,
        description="Beginnings of names, a document or a phone; all words must fit.",
    ),
]


def provide_practitioners(
    db_session: NamedDependency[SkipValidation[TenantSession]],
    actor: NamedDependency[SkipValidation[Actor]],
    clinic: NamedDependency[SkipValidation[ClinicProfile]],
) -> PractitionerService:
    """Return the service of practitioners."""
    return PractitionerService(db_session, actor, clinic)


class PractitionerController(Controller):
    """Practitioners of the calling clinic."""

    path = PATH
    tags = ("practitioners",)
    dependencies = {"practitioners": Provide(provide_practitioners, sync_to_thread=False)}  # noqa: RUF012  # read once by Litestar

    @get(
        "/",
        operation_id="listPractitioners",
        guards=[needs("practitioners:read")],
        opt=READ,
        responses=problems(400, 401, 403),
    )
    async def list_practitioners(  # noqa: PLR0913, PLR0917  # one argument a query parameter
        self,
        practitioners: Practitioners,
        branch: FromQuery[UUID | None] = None,
        branch_id: FromQuery[UUID | None] = None,
        specialty: FromQuery[UUID | None] = None,
        specialty_id: FromQuery[UUID | None] = None,
        is_active: FromQuery[bool | None] = None,
        q: Search = None,
        limit: Limit = PAGE_LIMIT_DEFAULT,
        cursor: Cursor = None,
    ) -> Page[PractitionerListed]:
        """Return one page of practitioners, by family name; `branch` and `specialty` are ids too."""
        wanted = PractitionerFilter(
            branch_id=branch_id or branch,
            specialty_id=specialty_id or specialty,
            is_active=is_active,
            q=q,
        )
        return await practitioners.list_practitioners(wanted, page_request(limit, cursor))

    @post(
        "/",
        operation_id="createPractitioner",
        guards=[needs("practitioners:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 409, 422),
    )
    @idempotent
    async def create_practitioner(
        self, practitioners: Practitioners, data: JSONBody[PractitionerIn]
    ) -> Response[PractitionerOut]:
        """Add a practitioner with a new `person`, or for a known one by `person_id`."""
        practitioner = await practitioners.create_practitioner(data)
        location = f"{PATH}/{practitioner.id}"
        return tagged(practitioner, practitioner.version, HTTP_201_CREATED, location)

    @get(
        "/{practitioner_id:uuid}",
        operation_id="getPractitioner",
        guards=[needs("practitioners:read")],
        opt=READ,
        responses=problems(401, 403, 404),
    )
    async def get_practitioner(
        self, practitioners: Practitioners, practitioner_id: FromPath[UUID]
    ) -> Response[PractitionerOut]:
        """Return one practitioner; portal users get no more of the person than the names."""
        practitioner = await practitioners.get_practitioner(practitioner_id)
        return tagged(practitioner, practitioner.version)

    @patch(
        "/{practitioner_id:uuid}",
        operation_id="updatePractitioner",
        guards=[needs("practitioners:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 404, 409, 412, 422, 428),
    )
    async def change_practitioner(
        self,
        practitioners: Practitioners,
        practitioner_id: FromPath[UUID],
        data: JSONBody[PractitionerChanges],
        if_match: IfMatch = None,
    ) -> Response[PractitionerOut]:
        """Change a practitioner and, under `person`, their person."""
        version = required_version(if_match)
        practitioner = await practitioners.change_practitioner(practitioner_id, data, version)
        return tagged(practitioner, practitioner.version)

    @delete(
        "/{practitioner_id:uuid}",
        operation_id="archivePractitioner",
        guards=[needs("practitioners:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 404, 412, 428),
    )
    async def archive_practitioner(
        self,
        practitioners: Practitioners,
        practitioner_id: FromPath[UUID],
        if_match: IfMatch = None,
    ) -> None:
        """Let a practitioner leave the clinic."""
        await practitioners.archive_practitioner(practitioner_id, required_version(if_match))
