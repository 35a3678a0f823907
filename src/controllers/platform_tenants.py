"""The clinics, as the platform's operators keep them."""

from uuid import UUID

from litestar import Controller, Response, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, SkipValidation
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED
from msgspec import UNSET, structs

from auth.guards import needs
from auth.passwords import PasswordHasher
from controllers.clinic_set_up import admin_password, set_up_clinic
from controllers.etag import IfMatch, required_version, tagged
from controllers.idempotency import idempotent_on_platform, whole
from controllers.modes import NO_TENANT
from controllers.operators import OPERATOR, Operator, PlatformDependency
from controllers.paging import PAGE_LIMIT_DEFAULT, Cursor, Limit
from controllers.platform_tenant_shapes import (
    CreatedTenantOut,
    FirstAdminOut,
    PlacementOut,
    TenantChanges,
    TenantIn,
    TenantOut,
    shown,
    shown_placement,
    without_password,
)
from controllers.responses import problems
from domain.errors import NotFoundError
from domain.paging import Page, decode_cursor, encode_cursor
from tenancy.platform import NewTenant, TenantRecord
from tenancy.tenant import TenantStatus

Hasher = NamedDependency[SkipValidation[PasswordHasher]]


def _tagged(record: TenantRecord) -> Response[TenantOut]:
    return tagged(shown(record), record.version)


class PlatformTenantController(Controller):
    """Every clinic of the platform; nothing clinical is seen here."""

    path = "/api/v1/platform/tenants"
    tags = ("platform",)
    opt = NO_TENANT
    dependencies = OPERATOR

    @get(
        "/",
        operation_id="listTenants",
        guards=[needs("tenants:read")],
        responses=problems(400, 401, 403),
    )
    async def list_tenants(
        self,
        platform: PlatformDependency,
        operator: Operator,
        status: FromQuery[TenantStatus | None] = None,
        limit: Limit = PAGE_LIMIT_DEFAULT,
        cursor: Cursor = None,
    ) -> Page[TenantOut]:
        """Return one page of clinics, oldest first."""
        after = decode_cursor(cursor, [UUID])[0] if cursor else None
        records = await platform.tenants(limit=limit + 1, after=after, status=status)
        items = records[:limit]
        more = len(records) > limit
        return Page(
            items=[shown(record) for record in items],
            next_cursor=encode_cursor([items[-1].id]) if more else None,
        )

    @post(
        "/",
        operation_id="createTenant",
        guards=[needs("tenants:write")],
        responses=problems(401, 403, 409, 422, 503),
    )
    @idempotent_on_platform(kept=without_password)
    async def create_tenant(
        self,
        platform: PlatformDependency,
        operator: Operator,
        data: JSONBody[TenantIn],
        password_hasher: Hasher,
    ) -> Response[CreatedTenantOut]:
        """Make a clinic with its first administrator; a password that was not given is shown this once."""
        admin = admin_password(password_hasher, data.admin_email, data.admin_password)
        values = structs.asdict(data)
        del values["admin_password"]
        request = NewTenant(**values, actor=operator.actor)
        record = await set_up_clinic(request, admin, password_hasher, platform.create)
        body = CreatedTenantOut(
            **structs.asdict(shown(record)),
            admin=FirstAdminOut(email=record.admin_email, temporary_password=admin.to_show),
        )
        response = tagged(
            body, record.version, HTTP_201_CREATED, f"/api/v1/platform/tenants/{record.id}"
        )
        response.headers["Cache-Control"] = "no-store"
        return response

    @get(
        "/{tenant:uuid}",
        operation_id="getTenant",
        guards=[needs("tenants:read")],
        responses=problems(401, 403, 404),
    )
    async def get_tenant(
        self, platform: PlatformDependency, operator: Operator, tenant: FromPath[UUID]
    ) -> Response[TenantOut]:
        """Return one clinic."""
        return _tagged(await platform.tenant(tenant))

    @patch(
        "/{tenant:uuid}",
        operation_id="updateTenant",
        guards=[needs("tenants:write")],
        responses=problems(401, 403, 404, 409, 412, 422, 428),
    )
    async def change_tenant(
        self,
        platform: PlatformDependency,
        operator: Operator,
        tenant: FromPath[UUID],
        data: JSONBody[TenantChanges],
        if_match: IfMatch = None,
    ) -> Response[TenantOut]:
        """Change what is known of a clinic; status and placement have actions of their own."""
        changes = {k: v for k, v in structs.asdict(data).items() if v is not UNSET}
        version = required_version(if_match)
        return _tagged(
            await platform.change(tenant, changes, version=version, actor=operator.actor)
        )

    @post(
        "/{tenant:uuid}/suspend",
        operation_id="suspendTenant",
        status_code=HTTP_200_OK,
        guards=[needs("tenants:write")],
        responses=problems(401, 403, 404, 409, 412, 428),
    )
    @idempotent_on_platform(kept=whole)
    async def suspend(
        self,
        platform: PlatformDependency,
        operator: Operator,
        tenant: FromPath[UUID],
        if_match: IfMatch = None,
    ) -> Response[TenantOut]:
        """Let the clinic be read only, at once."""
        version = required_version(if_match)
        return _tagged(await platform.suspend(tenant, actor=operator.actor, version=version))

    @post(
        "/{tenant:uuid}/resume",
        operation_id="resumeTenant",
        status_code=HTTP_200_OK,
        guards=[needs("tenants:write")],
        responses=problems(401, 403, 404, 409, 412, 428),
    )
    @idempotent_on_platform(kept=whole)
    async def resume(
        self,
        platform: PlatformDependency,
        operator: Operator,
        tenant: FromPath[UUID],
        if_match: IfMatch = None,
    ) -> Response[TenantOut]:
        """Let a suspended clinic work again, at once."""
        version = required_version(if_match)
        return _tagged(await platform.resume(tenant, actor=operator.actor, version=version))

    @post(
        "/{tenant:uuid}/archive",
        operation_id="archiveTenant",
        status_code=HTTP_200_OK,
        guards=[needs("tenants:write")],
        responses=problems(401, 403, 404, 409, 412, 428),
    )
    @idempotent_on_platform(kept=whole)
    async def archive(
        self,
        platform: PlatformDependency,
        operator: Operator,
        tenant: FromPath[UUID],
        if_match: IfMatch = None,
    ) -> Response[TenantOut]:
        """Hide the clinic from everybody but operators; its rows stay."""
        version = required_version(if_match)
        return _tagged(await platform.archive(tenant, actor=operator.actor, version=version))

    @get(
        "/{tenant:uuid}/placement",
        operation_id="getPlacement",
        guards=[needs("tenants:read")],
        responses=problems(401, 403, 404),
    )
    async def get_placement(
        self, platform: PlatformDependency, operator: Operator, tenant: FromPath[UUID]
    ) -> PlacementOut:
        """Return where the registry believes the clinic's home to be."""
        placement = (await platform.tenant(tenant)).placement
        if placement is None:
            raise NotFoundError
        return shown_placement(placement)
