"""Specialties of the clinic's practitioners."""

from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, SkipValidation
from litestar.status_codes import HTTP_201_CREATED

from auth.guards import needs
from controllers.etag import IfMatch, required_version, tagged
from controllers.idempotency import idempotent
from controllers.modes import READ, WRITE
from controllers.paging import PAGE_LIMIT_DEFAULT, Cursor, Limit, page_request
from controllers.responses import problems
from domain.actor import Actor
from domain.organisation.schemas import SpecialtyChanges, SpecialtyIn, SpecialtyOut
from domain.organisation.specialties import SpecialtyService
from domain.paging import Page
from tenancy.session import TenantSession

PATH = "/api/v1/specialties"

Specialties = NamedDependency[SkipValidation[SpecialtyService]]


def provide_specialties(
    db_session: NamedDependency[SkipValidation[TenantSession]],
    actor: NamedDependency[SkipValidation[Actor]],
) -> SpecialtyService:
    """Return the service of specialties."""
    return SpecialtyService(db_session, actor)


class SpecialtyController(Controller):
    """Specialties of the calling clinic."""

    path = PATH
    tags = ("specialties",)
    dependencies = {"specialties": Provide(provide_specialties, sync_to_thread=False)}  # noqa: RUF012  # read once by Litestar

    @get(
        "/",
        operation_id="listSpecialties",
        guards=[needs("specialties:read")],
        opt=READ,
        responses=problems(400, 401, 403),
    )
    async def list_specialties(
        self, specialties: Specialties, limit: Limit = PAGE_LIMIT_DEFAULT, cursor: Cursor = None
    ) -> Page[SpecialtyOut]:
        """Return one page of specialties, by name."""
        return await specialties.list_specialties(page_request(limit, cursor))

    @post(
        "/",
        operation_id="createSpecialty",
        guards=[needs("specialties:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 409, 422),
    )
    @idempotent
    async def create_specialty(
        self, specialties: Specialties, data: JSONBody[SpecialtyIn]
    ) -> Response[SpecialtyOut]:
        """Add a specialty; its name is unique in the clinic."""
        specialty = await specialties.create_specialty(data)
        location = f"{PATH}/{specialty.id}"
        return tagged(specialty, specialty.version, HTTP_201_CREATED, location)

    @get(
        "/{specialty_id:uuid}",
        operation_id="getSpecialty",
        guards=[needs("specialties:read")],
        opt=READ,
        responses=problems(401, 403, 404),
    )
    async def get_specialty(
        self, specialties: Specialties, specialty_id: FromPath[UUID]
    ) -> Response[SpecialtyOut]:
        """Return one specialty."""
        specialty = await specialties.get_specialty(specialty_id)
        return tagged(specialty, specialty.version)

    @patch(
        "/{specialty_id:uuid}",
        operation_id="updateSpecialty",
        guards=[needs("specialties:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 404, 409, 412, 422, 428),
    )
    async def change_specialty(
        self,
        specialties: Specialties,
        specialty_id: FromPath[UUID],
        data: JSONBody[SpecialtyChanges],
        if_match: IfMatch = None,
    ) -> Response[SpecialtyOut]:
        """Change a specialty."""
        version = required_version(if_match)
        specialty = await specialties.change_specialty(specialty_id, data, version)
        return tagged(specialty, specialty.version)

    @delete(
        "/{specialty_id:uuid}",
        operation_id="archiveSpecialty",
        guards=[needs("specialties:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 404, 412, 428),
    )
    async def archive_specialty(
        self, specialties: Specialties, specialty_id: FromPath[UUID], if_match: IfMatch = None
    ) -> None:
        """Take a specialty from the lists; practitioners who have it keep it."""
        await specialties.archive_specialty(specialty_id, required_version(if_match))
