"""The catalogue: categories and services."""

from typing import Annotated
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
from domain.paging import Page
from domain.scheduling.catalogue import CatalogueService, CategoryService
from domain.scheduling.catalogue_schemas import (
    CategoryChanges,
    CategoryIn,
    CategoryOut,
    ServiceChanges,
    ServiceFilter,
    ServiceIn,
    ServiceKind,
    ServiceOut,
)
from tenancy.session import TenantSession

CATEGORIES_PATH = "/api/v1/service-categories"
SERVICES_PATH = "/api/v1/services"
SEARCH_LENGTH_MAX = 100

Categories = NamedDependency[SkipValidation[CategoryService]]
Catalogue = NamedDependency[SkipValidation[CatalogueService]]
Search = Annotated[
    str | None,
    QueryParameter(max_length=SEARCH_LENGTH_MAX, description="Part of the name or the code."),
]


def provide_categories(
    db_session: NamedDependency[SkipValidation[TenantSession]],
    actor: NamedDependency[SkipValidation[Actor]],
) -> CategoryService:
    """Return the service of categories."""
    return CategoryService(db_session, actor)


def provide_catalogue(
    db_session: NamedDependency[SkipValidation[TenantSession]],
    actor: NamedDependency[SkipValidation[Actor]],
    clinic: NamedDependency[SkipValidation[ClinicProfile]],
) -> CatalogueService:
    """Return the service of services."""
    return CatalogueService(db_session, actor, clinic)


class ServiceCategoryController(Controller):
    """Categories of the calling clinic's services."""

    path = CATEGORIES_PATH
    tags = ("services",)
    dependencies = {"categories": Provide(provide_categories, sync_to_thread=False)}  # noqa: RUF012  # read once by Litestar

    @get(
        "/",
        operation_id="listServiceCategories",
        guards=[needs("services:read")],
        opt=READ,
        responses=problems(400, 401, 403),
    )
    async def list_categories(
        self, categories: Categories, limit: Limit = PAGE_LIMIT_DEFAULT, cursor: Cursor = None
    ) -> Page[CategoryOut]:
        """Return one page of categories, by name."""
        return await categories.list_categories(page_request(limit, cursor))

    @post(
        "/",
        operation_id="createServiceCategory",
        guards=[needs("services:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 409, 422),
    )
    @idempotent
    async def create_category(
        self, categories: Categories, data: JSONBody[CategoryIn]
    ) -> Response[CategoryOut]:
        """Add a category."""
        category = await categories.create_category(data)
        location = f"{CATEGORIES_PATH}/{category.id}"
        return tagged(category, category.version, HTTP_201_CREATED, location)

    @get(
        "/{category_id:uuid}",
        operation_id="getServiceCategory",
        guards=[needs("services:read")],
        opt=READ,
        responses=problems(401, 403, 404),
    )
    async def get_category(
        self, categories: Categories, category_id: FromPath[UUID]
    ) -> Response[CategoryOut]:
        """Return one category."""
        category = await categories.get_category(category_id)
        return tagged(category, category.version)

    @patch(
        "/{category_id:uuid}",
        operation_id="updateServiceCategory",
        guards=[needs("services:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 404, 409, 412, 422, 428),
    )
    async def change_category(
        self,
        categories: Categories,
        category_id: FromPath[UUID],
        data: JSONBody[CategoryChanges],
        if_match: IfMatch = None,
    ) -> Response[CategoryOut]:
        """Change a category."""
        version = required_version(if_match)
        category = await categories.change_category(category_id, data, version=version)
        return tagged(category, category.version)

    @delete(
        "/{category_id:uuid}",
        operation_id="archiveServiceCategory",
        guards=[needs("services:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 404, 412, 428),
    )
    async def archive_category(
        self, categories: Categories, category_id: FromPath[UUID], if_match: IfMatch = None
    ) -> None:
        """Take a category out of the list; its services stay."""
        await categories.archive_category(category_id, version=required_version(if_match))


class ServiceController(Controller):
    """Services of the calling clinic."""

    path = SERVICES_PATH
    tags = ("services",)
    dependencies = {"catalogue": Provide(provide_catalogue, sync_to_thread=False)}  # noqa: RUF012  # read once by Litestar

    @get(
        "/",
        operation_id="listServices",
        guards=[needs("services:read")],
        opt=READ,
        responses=problems(400, 401, 403),
    )
    async def list_services(  # noqa: PLR0913, PLR0917  # one argument a query parameter
        self,
        catalogue: Catalogue,
        q: Search = None,
        category: FromQuery[UUID | None] = None,
        category_id: FromQuery[UUID | None] = None,
        kind: FromQuery[ServiceKind | None] = None,
        is_active: FromQuery[bool | None] = None,
        limit: Limit = PAGE_LIMIT_DEFAULT,
        cursor: Cursor = None,
    ) -> Page[ServiceOut]:
        """Return one page of services, by name; `category` is another name of `category_id`."""
        wanted = ServiceFilter(
            q=q, category_id=category_id or category, kind=kind, is_active=is_active
        )
        return await catalogue.list_services(wanted, page_request(limit, cursor))

    @post(
        "/",
        operation_id="createService",
        guards=[needs("services:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 409, 422),
    )
    @idempotent
    async def create_service(
        self, catalogue: Catalogue, data: JSONBody[ServiceIn]
    ) -> Response[ServiceOut]:
        """Add a service."""
        service = await catalogue.create_service(data)
        location = f"{SERVICES_PATH}/{service.id}"
        return tagged(service, service.version, HTTP_201_CREATED, location)

    @get(
        "/{service_id:uuid}",
        operation_id="getService",
        guards=[needs("services:read")],
        opt=READ,
        responses=problems(401, 403, 404),
    )
    async def get_service(
        self, catalogue: Catalogue, service_id: FromPath[UUID]
    ) -> Response[ServiceOut]:
        """Return one service."""
        service = await catalogue.get_service(service_id)
        return tagged(service, service.version)

    @patch(
        "/{service_id:uuid}",
        operation_id="updateService",
        guards=[needs("services:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 404, 409, 412, 422, 428),
    )
    async def change_service(
        self,
        catalogue: Catalogue,
        service_id: FromPath[UUID],
        data: JSONBody[ServiceChanges],
        if_match: IfMatch = None,
    ) -> Response[ServiceOut]:
        """Change a service; appointments that are booked already keep their length."""
        version = required_version(if_match)
        service = await catalogue.change_service(service_id, data, version=version)
        return tagged(service, service.version)

    @delete(
        "/{service_id:uuid}",
        operation_id="archiveService",
        guards=[needs("services:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 404, 412, 428),
    )
    async def archive_service(
        self, catalogue: Catalogue, service_id: FromPath[UUID], if_match: IfMatch = None
    ) -> None:
        """Take a service out of the catalogue; its code is free again."""
        await catalogue.archive_service(service_id, version=required_version(if_match))
