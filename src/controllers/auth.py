"""Login, refresh, logout, and everything that users do about themselves."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, SkipValidation
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT
from msgspec import Struct, structs

from auth.guards import users_only
from auth.passwords import PasswordHasher
from auth.principal import Principal
from auth.rate_limits import RateLimiter
from auth.tokens import AccessClaims, TokenIssuer
from controllers.modes import (
    BEFORE_PASSWORD_CHANGE,
    PUBLIC,
    READ,
    TENANT_IN_BODY,
    WHILE_SUSPENDED,
    WRITE,
)
from controllers.paging import PAGE_LIMIT_DEFAULT, Cursor, Limit, page_request
from controllers.refusals import refusal
from controllers.responses import problems
from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.identity.login import LoginAttempt, LoginService
from domain.identity.login_schemas import (
    Device,
    LoggedIn,
    LoginIn,
    LoginUser,
    RefreshIn,
    Refused,
    TokenPair,
)
from domain.identity.own_password import OwnPasswordService
from domain.identity.own_sessions import OwnSessionService
from domain.identity.profile import ProfileService
from domain.identity.schemas import PasswordChange, Profile, SessionOut
from domain.identity.sessions import SessionService
from domain.paging import Page
from tenancy.session import TenantSession

NO_STORE = {"Cache-Control": "no-store"}

UserRequest = Request[Principal, AccessClaims, State]
PublicRequest = Request[Any, Any, State]

DbSession = NamedDependency[SkipValidation[TenantSession]]
CallingActor = NamedDependency[SkipValidation[Actor]]
Clinic = NamedDependency[SkipValidation[ClinicProfile]]
ClinicId = NamedDependency[SkipValidation[UUID]]
Address = NamedDependency[SkipValidation[str]]
Sessions = NamedDependency[SkipValidation[SessionService]]
Logins = NamedDependency[SkipValidation[LoginService]]
OwnSessions = NamedDependency[SkipValidation[OwnSessionService]]
OwnPassword = NamedDependency[SkipValidation[OwnPasswordService]]
Profiles = NamedDependency[SkipValidation[ProfileService]]
Hasher = NamedDependency[SkipValidation[PasswordHasher]]
Tokens = NamedDependency[SkipValidation[TokenIssuer]]
Limiter = NamedDependency[SkipValidation[RateLimiter]]


class ClinicOut(Struct, frozen=True, kw_only=True):
    """The clinic that was logged in to."""

    id: UUID
    name: str


class LoginOut(TokenPair, frozen=True, kw_only=True):
    """Tokens, and whose they are."""

    user: LoginUser
    tenant: ClinicOut


def provide_sessions(
    db_session: DbSession, actor: CallingActor, tokens: Tokens, clinic_id: ClinicId
) -> SessionService:
    """Return the service that opens and continues sessions."""
    return SessionService(db_session, actor, tokens, clinic_id)


def provide_logins(
    sessions: Sessions, password_hasher: Hasher, rate_limiter: Limiter
) -> LoginService:
    """Return the service that checks passwords."""
    return LoginService(sessions, password_hasher, rate_limiter)


def provide_own_sessions(db_session: DbSession, actor: CallingActor) -> OwnSessionService:
    """Return the service for the caller's own sessions."""
    return OwnSessionService(db_session, actor)


def provide_own_password(
    sessions: Sessions, password_hasher: Hasher, rate_limiter: Limiter
) -> OwnPasswordService:
    """Return the service for the caller's own password."""
    return OwnPasswordService(sessions, password_hasher, rate_limiter)


def provide_profiles(db_session: DbSession, actor: CallingActor) -> ProfileService:
    """Return the service that tells who the caller is."""
    return ProfileService(db_session, actor)


LOGIN_DEPENDENCIES = {
    "sessions": Provide(provide_sessions, sync_to_thread=False),
    "logins": Provide(provide_logins, sync_to_thread=False),
    "own_sessions": Provide(provide_own_sessions, sync_to_thread=False),
    "profiles": Provide(provide_profiles, sync_to_thread=False),
}
"""What the seeds' login routes ask for as well."""


def device_of(request: Request[Any, Any, Any], address: str) -> Device:
    """Return from where the caller logs in."""
    return Device(address=address, user_agent=request.headers.get("user-agent"))


def session_of(request: UserRequest) -> UUID:
    """Return the session that the caller's token belongs to; users always have one."""
    assert request.user.session_id is not None
    return request.user.session_id


class AuthController(Controller):
    """The caller's own way in and out."""

    path = "/api/v1/auth"
    tags = ("auth",)
    dependencies = {  # noqa: RUF012  # read once by Litestar
        **LOGIN_DEPENDENCIES,
        "own_password": Provide(provide_own_password, sync_to_thread=False),
    }

    @post(
        "/login",
        operation_id="login",
        status_code=HTTP_200_OK,
        opt={**PUBLIC, **WRITE, **TENANT_IN_BODY},
        responses=problems(400, 401, 403, 404, 422, 429),
    )
    async def login(
        self,
        request: PublicRequest,
        data: JSONBody[LoginIn],
        logins: Logins,
        clinic: Clinic,
        clinic_id: ClinicId,
        client_address: Address,
    ) -> Response[LoginOut]:
        """Exchange name and password for tokens."""
        attempt = LoginAttempt(
            name=data.name, password=data.password, device=device_of(request, client_address)
        )
        outcome = await logins.log_in(attempt)
        if isinstance(outcome, Refused):
            return refusal(request, outcome)
        return Response(_login_out(outcome, clinic_id, clinic.name), headers=NO_STORE)

    @post(
        "/refresh",
        operation_id="refreshToken",
        status_code=HTTP_200_OK,
        opt={**PUBLIC, **WRITE},
        responses=problems(400, 401, 403, 404, 422),
    )
    async def refresh(
        self,
        request: PublicRequest,
        data: JSONBody[RefreshIn],
        sessions: Sessions,
        client_address: Address,
    ) -> Response[TokenPair]:
        """Exchange a refresh token; it stays valid until the new one is used for the first time."""
        outcome = await sessions.refresh(data.refresh, device_of(request, client_address))
        if isinstance(outcome, Refused):
            return refusal(request, outcome)
        return Response(outcome, headers=NO_STORE)

    @post(
        "/logout",
        operation_id="logout",
        status_code=HTTP_204_NO_CONTENT,
        guards=[users_only],
        opt={**WRITE, **WHILE_SUSPENDED, **BEFORE_PASSWORD_CHANGE},
        responses=problems(401, 403),
    )
    async def logout(self, request: UserRequest, own_sessions: OwnSessions) -> None:
        """End the session: refresh and access tokens are void at once."""
        await own_sessions.end_current(session_of(request))

    @get(
        "/me",
        operation_id="getProfile",
        guards=[users_only],
        opt={**READ, **BEFORE_PASSWORD_CHANGE},
        responses=problems(401, 403),
    )
    async def me(self, profiles: Profiles) -> Response[Profile]:
        """Return who the caller is and what the caller may do."""
        return Response(await profiles.read(), headers=NO_STORE)

    @post(
        "/me/password",
        operation_id="changeOwnPassword",
        status_code=HTTP_200_OK,
        guards=[users_only],
        opt={**WRITE, **WHILE_SUSPENDED, **BEFORE_PASSWORD_CHANGE},
        responses=problems(401, 403, 422, 429),
    )
    async def change_password(
        self,
        request: UserRequest,
        data: JSONBody[PasswordChange],
        own_password: OwnPassword,
        client_address: Address,
    ) -> Response[TokenPair]:
        """Change the caller's password and end the caller's other sessions."""
        pair = await own_password.change(
            data, session_of(request), device_of(request, client_address)
        )
        return Response(pair, headers=NO_STORE)

    @get(
        "/sessions",
        operation_id="listOwnSessions",
        guards=[users_only],
        opt=READ,
        responses=problems(400, 401, 403),
    )
    async def list_sessions(
        self,
        request: UserRequest,
        own_sessions: OwnSessions,
        limit: Limit = PAGE_LIMIT_DEFAULT,
        cursor: Cursor = None,
    ) -> Page[SessionOut]:
        """Return the caller's logins that are alive."""
        return await own_sessions.list_own(session_of(request), page_request(limit, cursor))

    @delete(
        "/sessions/{session_id:uuid}",
        operation_id="endOwnSession",
        guards=[users_only],
        opt={**WRITE, **WHILE_SUSPENDED},
        responses=problems(401, 403, 404),
    )
    async def end_session(self, own_sessions: OwnSessions, session_id: FromPath[UUID]) -> None:
        """End one of the caller's logins."""
        await own_sessions.end_own(session_id)


def _login_out(outcome: LoggedIn, clinic_id: UUID, clinic_name: str) -> LoginOut:
    return LoginOut(
        **structs.asdict(outcome.tokens),
        user=outcome.user,
        tenant=ClinicOut(id=clinic_id, name=clinic_name),
    )
