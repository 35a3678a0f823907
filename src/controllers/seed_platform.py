"""The route by which an earlier system made companies; now for operators only, and behind it the same set-up."""

from typing import Annotated

from litestar import Controller, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter, SkipValidation
from litestar.status_codes import HTTP_200_OK
from msgspec import Struct

from auth.guards import needs
from auth.passwords import PasswordHasher
from controllers.clinic_set_up import admin_password, set_up_clinic
from controllers.idempotency import idempotent_on_platform
from controllers.modes import NO_TENANT
from controllers.operators import OPERATOR, Operator, PlatformDependency
from controllers.platform_tenant_shapes import FirstAdminOut, without_password
from controllers.responses import problems
from tenancy.platform import NewTenant, SlugTakenError, SubdomainExistsError
from tenancy.tenant import StrategyName

PLAN = "empresa"


class CreatedCompany(Struct, frozen=True, kw_only=True):
    """The database of the new company; `admin` was not told of before."""

    db_name: str
    admin: FirstAdminOut
    ok: bool = True


class SeedPlatformController(Controller):
    """A database for each company, as it was."""

    path = "/admin"
    tags = ("compatibility",)
    opt = NO_TENANT
    dependencies = OPERATOR

    @post(
        "/create-tenant",
        operation_id="seedCreateTenant",
        status_code=HTTP_200_OK,
        guards=[needs("tenants:write")],
        responses=problems(400, 401, 403, 409, 422, 503),
    )
    @idempotent_on_platform(kept=without_password)
    async def create_company(
        self,
        platform: PlatformDependency,
        operator: Operator,
        password_hasher: NamedDependency[SkipValidation[PasswordHasher]],
        name: Annotated[str, QueryParameter(min_length=1, max_length=200)],
        subdomain: Annotated[str, QueryParameter(min_length=1, max_length=40)],
    ) -> CreatedCompany:
        """Make a company in a database of its own; its first administrator has the operator's e-mail address."""
        wanted = NewTenant(
            name=name,
            slug=subdomain,
            admin_email=operator.record.email,
            plan=PLAN,
            strategy=StrategyName.DATABASE,
            actor=operator.actor,
        )
        admin = admin_password(password_hasher, wanted.admin_email, None)
        try:
            made = await set_up_clinic(wanted, admin, password_hasher, platform.create)
        except SlugTakenError as error:
            raise SubdomainExistsError from error
        assert made.placement is not None
        return CreatedCompany(
            db_name=made.placement.home.database,
            admin=FirstAdminOut(email=made.admin_email, temporary_password=admin.to_show),
        )
