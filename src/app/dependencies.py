"""What every handler may ask for by name: `db_session`, `clinic`, `clinic_id`, `actor`, `client_address`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol
from uuid import UUID

from litestar import Litestar
from litestar.connection import Request
from litestar.di import NamedDependency, Provide
from litestar.exceptions import ImproperlyConfiguredException
from litestar.params import SkipValidation
from litestar.routes import HTTPRoute

from app.request_state import REQUEST_ID, client_address
from app.resolution import Directory
from app.tenant_middleware import resolved_tenant
from auth.principal import Principal
from auth.route_options import NO_TENANT, SESSION_MODE
from domain.actor import Actor, Role
from domain.clinic import ClinicProfile
from tenancy.modes import Login, Mode
from tenancy.session import TenantSession
from tenancy.tenant import TenantId

SESSION: Final = "db_session"
ROLES: Final = frozenset(Role)

AnyRequest = Request[Any, Any, Any]
CallingActor = NamedDependency[SkipValidation[Actor]]
Clinic = NamedDependency[SkipValidation[ClinicProfile]]


class OpensSessions(Protocol):
    """Tenancy, as far as requests need it."""

    def session(
        self, tenant_id: TenantId, mode: Mode, login: Login | None = None
    ) -> AbstractAsyncContextManager[TenantSession]:
        """Open a session of the tenant for one transaction."""


class RequestDependencies:
    """The providers, with what they need to know of the process.

    `clinic` asks for `actor` and `db_session` for `clinic` so that they run one after the other: what does
    not depend on one another is resolved in tasks of its own, which costs more than all three together.
    """

    def __init__(
        self,
        tenancy: OpensSessions,
        directory: Directory,
        base_domains: Sequence[str],
        trusted_proxy_hops: int,
    ) -> None:
        self._tenancy = tenancy
        self._directory = directory
        self._base_domains = tuple(base_domains)
        self._trusted_proxy_hops = trusted_proxy_hops

    def providers(self) -> Mapping[str, Provide]:
        """Return the providers by the names that handlers ask for."""
        return {
            SESSION: Provide(self.db_session),
            "clinic": Provide(self.clinic),
            "clinic_id": Provide(self.clinic_id),
            "actor": Provide(self.actor, sync_to_thread=False),
            "client_address": Provide(self.client_address, sync_to_thread=False),
        }

    async def db_session(self, request: AnyRequest, clinic: Clinic) -> AsyncIterator[TenantSession]:
        """Yield the request's tenant session: the one generator dependency there is.

        Nothing is caught here: two generators, or an exception translated in one, end as an
        ExceptionGroup and a 500.
        """
        resolved = await resolved_tenant(request, self._directory, self._base_domains)
        mode: Mode = request.scope["route_handler"].opt[SESSION_MODE]
        login = _login_of(request.scope.get("user"))
        async with self._tenancy.session(resolved.tenant.id, mode, login) as session:
            yield session

    async def clinic(self, request: AnyRequest, actor: CallingActor) -> ClinicProfile:
        """Return what the rules need to know of the calling clinic."""
        tenant = (await resolved_tenant(request, self._directory, self._base_domains)).tenant
        return ClinicProfile(
            slug=tenant.slug,
            name=tenant.name,
            vertical=tenant.vertical,
            country=tenant.country,
            timezone=tenant.timezone,
            currency=tenant.currency,
            language=tenant.language,
        )

    async def clinic_id(self, request: AnyRequest) -> UUID:
        """Return the calling clinic's id, for tokens alone: queries never need it."""
        return (await resolved_tenant(request, self._directory, self._base_domains)).tenant.id

    def actor(self, request: AnyRequest) -> Actor:
        """Return who acts: the token's user, or nobody on public routes."""
        request_id = request.scope["state"].get(REQUEST_ID)
        address = self.client_address(request)
        principal = request.scope.get("user")
        if not isinstance(principal, Principal):
            return Actor(user_id=None, kind="anonymous", request_id=request_id, ip=address)
        return Actor(
            user_id=principal.subject,
            kind=principal.kind.value,
            roles=frozenset(Role(role) for role in principal.roles & ROLES),
            request_id=request_id,
            ip=address,
        )

    def client_address(self, request: AnyRequest) -> str:
        """Return the caller's address."""
        return client_address(request.scope, self._trusted_proxy_hops)


def _login_of(principal: Any) -> Login | None:
    if not isinstance(principal, Principal) or principal.session_id is None:
        return None
    return Login(principal.session_id, principal.access_version)


def check_session_modes(app: Litestar) -> None:
    """Refuse to start with a handler that uses the session without saying how, or outside any clinic."""
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler, parameters in route.route_handler_map.values():
            keys = {needed.key for batch in parameters.dependency_batches for needed in batch}
            if SESSION not in keys:
                continue
            if not isinstance(handler.opt.get(SESSION_MODE), Mode) or handler.opt.get(NO_TENANT):
                message = f"{handler} uses {SESSION}: declare READ, WRITE or AUDITED_READ in its opt, without NO_TENANT"
                raise ImproperlyConfiguredException(message)
