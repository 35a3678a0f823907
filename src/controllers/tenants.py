"""The public routes about clinics as such: is there one at this host, and signing up a new one."""

from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, SkipValidation
from litestar.status_codes import HTTP_201_CREATED
from msgspec import Meta, Struct

from auth.passwords import PasswordHasher
from auth.rate_limits import RateLimiter
from controllers.auth import Address
from controllers.clinic_set_up import admin_password, set_up_clinic
from controllers.idempotency import idempotent_on_platform, whole
from controllers.modes import NO_TENANT, PUBLIC
from controllers.operators import PlatformDependency
from controllers.platform_tenant_shapes import (
    Code,
    Country,
    Email,
    Language,
    Name,
    Slug,
    Vertical,
    Zone,
)
from controllers.responses import problems
from domain.actor import Actor
from tenancy.platform import VISITOR, NewTenant, Platform, PlatformActor, Validation
from tenancy.tenant import TenantStatus

VALIDATIONS_MAX = 300
VALIDATIONS_WINDOW_S = 60
SIGN_UPS_MAX = 60
SIGN_UPS_WINDOW_S = 3600

VALID_FOR_S = 3600

MESSAGES = {
    "not_found": "La organización {host} no existe",
    "suspended": "La organización {host} está suspendida",
    "provisioning": "La organización {host} se está preparando",
}

Limiter = NamedDependency[SkipValidation[RateLimiter]]


class KnownTenant(Struct, frozen=True, kw_only=True):
    """What anybody may know of a clinic."""

    id: UUID
    name: str


class ValidHost(Struct, frozen=True, kw_only=True):
    """The host is that of a clinic."""

    tenant: KnownTenant
    valid: Literal[True] = True


class InvalidHost(Struct, frozen=True, kw_only=True):
    """No clinic can be used at this host; `suggestions` are hosts of clinics with similar names."""

    reason: Literal["not_found", "suspended", "provisioning"]
    message: str
    suggestions: list[str]
    valid: Literal[False] = False


class SignUpIn(Struct, frozen=True, kw_only=True):
    """A clinic that signs up by itself; further fields are ignored, as they were before."""

    name: Name
    slug: Slug
    admin_email: Email
    password: Annotated[str, Meta(min_length=1, max_length=1024)]
    country: Country = "PE"
    timezone: Zone | None = None
    vertical: Vertical = "dental"
    language: Language = "es"
    plan: Code = "prueba"


class NewTenantOut(Struct, frozen=True, kw_only=True):
    """The clinic that signed up."""

    id: UUID
    name: str
    slug: str
    status: TenantStatus


class SignUpOut(Struct, frozen=True, kw_only=True):
    """A clinic that is ready: where its people log in."""

    tenant: NewTenantOut
    domain: str
    login_url: str


async def _admit(
    *, platform: Platform, rate_limiter: RateLimiter, client_address: str, **_others: Any
) -> None:
    """Refuse a sign-up, also a repeated one, where there is none or the address has had too many."""
    platform.check_sign_up()
    await rate_limiter.hit(
        f"sign-up:{client_address}", limit=SIGN_UPS_MAX, window_s=SIGN_UPS_WINDOW_S
    )


class TenantController(Controller):
    """What frontends ask before anybody has logged in."""

    path = "/api/tenants"
    tags = ("tenants",)
    opt = {**PUBLIC, **NO_TENANT}  # noqa: RUF012  # read once by Litestar

    @get("/validate", operation_id="validateTenant", responses=problems(429))
    async def validate(
        self,
        request: Request[Any, Any, Any],
        platform: PlatformDependency,
        rate_limiter: Limiter,
        client_address: Address,
    ) -> Response[ValidHost | InvalidHost]:
        """Tell whether the Host of this request is that of a clinic; if not, which ones are like it."""
        await rate_limiter.hit(
            f"validate:{client_address}", limit=VALIDATIONS_MAX, window_s=VALIDATIONS_WINDOW_S
        )
        found = await platform.validate(request.headers.get("host", ""))
        is_valid = found.tenant is not None
        kept = f"public, max-age={VALID_FOR_S}" if is_valid else "no-store"
        return Response(_validity(found), headers={"Cache-Control": kept, "Vary": "Host"})

    @post(
        "/signup",
        operation_id="signUp",
        status_code=HTTP_201_CREATED,
        responses=problems(403, 409, 422, 429, 503),
    )
    @idempotent_on_platform(kept=whole, first=_admit)
    async def sign_up(  # noqa: PLR0913, PLR0917  # dependencies
        self,
        request: Request[Any, Any, Any],
        platform: PlatformDependency,
        data: JSONBody[SignUpIn],
        password_hasher: NamedDependency[SkipValidation[PasswordHasher]],
        rate_limiter: Limiter,
        actor: NamedDependency[SkipValidation[Actor]],
        client_address: Address,
    ) -> SignUpOut:
        """Make a clinic with its first administrator and branch; it can be used at once."""
        admin = admin_password(password_hasher, data.admin_email, data.password)
        visitor = PlatformActor(kind=VISITOR, request_id=actor.request_id, ip=client_address)
        wanted = NewTenant(
            name=data.name,
            slug=data.slug,
            admin_email=data.admin_email,
            country=data.country,
            timezone=data.timezone,
            vertical=data.vertical,
            language=data.language,
            plan=data.plan,
            actor=visitor,
        )
        made = await set_up_clinic(wanted, admin, password_hasher, platform.sign_up)
        domain = made.hostnames[0]
        return SignUpOut(
            tenant=NewTenantOut(id=made.id, name=made.name, slug=made.slug, status=made.status),
            domain=domain,
            login_url=platform.login_url(domain, str(request.base_url)),
        )


def _validity(found: Validation) -> ValidHost | InvalidHost:
    if found.tenant is not None:
        return ValidHost(tenant=KnownTenant(id=found.tenant.id, name=found.tenant.name))
    return InvalidHost(
        reason=found.reason,
        message=MESSAGES[found.reason].format(host=found.host),
        suggestions=list(found.suggestions),
    )
