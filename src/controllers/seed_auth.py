"""The login and user routes that the earlier systems' frontends call, in their shapes; one service behind all."""

from litestar import Controller, Response, get, post
from litestar.di import Provide
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK

from auth.guards import needs, users_only
from controllers.auth import (
    LOGIN_DEPENDENCIES,
    NO_STORE,
    Address,
    Clinic,
    ClinicId,
    ClinicOut,
    Logins,
    OwnSessions,
    Profiles,
    PublicRequest,
    Sessions,
    UserRequest,
    device_of,
    session_of,
)
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
from controllers.seed_auth_shapes import (
    Message,
    SeedLoginIn,
    SeedLoginOut,
    SeedPair,
    SeedProfile,
    SeedRefreshIn,
    SeedTokenIn,
    SeedTokenOut,
    SeedUser,
    Usuario,
    UsuarioListed,
    spanish_type,
    usuario_of,
)
from controllers.users import Users, provide_users
from domain.identity.login import LoginAttempt, LoginService
from domain.identity.login_schemas import Device, LoggedIn, Refused
from domain.identity.schemas import UserFilter
from domain.identity.sessions import SessionService
from domain.paging import Page


async def _log_in(
    logins: LoginService, name: str, password: str, device: Device
) -> LoggedIn | Refused:
    return await logins.log_in(LoginAttempt(name=name, password=password, device=device))


async def _refresh(
    request: PublicRequest, sessions: SessionService, token: str, address: str
) -> Response[SeedPair]:
    outcome = await sessions.refresh(token, device_of(request, address))
    if isinstance(outcome, Refused):
        return refusal(request, outcome)
    pair = SeedPair(access=outcome.access, refresh=outcome.refresh)
    return Response(pair, headers=NO_STORE)


class SeedPersonnelController(Controller):
    """Login as the occupational system's frontend does it."""

    path = "/api/personnel/auth"
    tags = ("seeds",)
    dependencies = LOGIN_DEPENDENCIES

    @post(
        "/login",
        operation_id="seedLogin",
        status_code=HTTP_200_OK,
        opt={**PUBLIC, **WRITE, **TENANT_IN_BODY},
        responses=problems(400, 401, 403, 404, 422, 429),
    )
    async def login(
        self,
        request: PublicRequest,
        data: JSONBody[SeedLoginIn],
        logins: Logins,
        clinic: Clinic,
        clinic_id: ClinicId,
        client_address: Address,
    ) -> Response[SeedLoginOut]:
        """Exchange username or e-mail and password for tokens."""
        device = device_of(request, client_address)
        outcome = await _log_in(logins, data.username, data.password, device)
        if isinstance(outcome, Refused):
            return refusal(request, outcome)
        user = outcome.user
        answer = SeedLoginOut(
            access=outcome.tokens.access,
            refresh=outcome.tokens.refresh,
            user=SeedUser(
                id=user.id,
                username=user.username,
                email=user.email or "",
                user_type=user.user_type,
                must_change_password=user.must_change_password,
            ),
            tenant=ClinicOut(id=clinic_id, name=clinic.name),
        )
        return Response(answer, headers=NO_STORE)

    @post(
        "/refresh",
        operation_id="seedRefresh",
        status_code=HTTP_200_OK,
        opt={**PUBLIC, **WRITE},
        responses=problems(400, 401, 403, 404, 422),
    )
    async def refresh(
        self,
        request: PublicRequest,
        data: JSONBody[SeedRefreshIn],
        sessions: Sessions,
        client_address: Address,
    ) -> Response[SeedPair]:
        """Exchange a refresh token."""
        return await _refresh(request, sessions, data.refresh, client_address)

    @post(
        "/logout",
        operation_id="seedLogout",
        status_code=HTTP_200_OK,
        guards=[users_only],
        opt={**WRITE, **WHILE_SUSPENDED, **BEFORE_PASSWORD_CHANGE},
        responses=problems(401, 403),
    )
    async def logout(self, request: UserRequest, own_sessions: OwnSessions) -> Message:
        """End the session: refresh and access tokens are void at once."""
        await own_sessions.end_current(session_of(request))
        return Message(message="Logout exitoso")

    @get(
        "/me",
        operation_id="seedProfile",
        guards=[users_only],
        opt={**READ, **BEFORE_PASSWORD_CHANGE},
        responses=problems(401, 403),
    )
    async def me(self, profiles: Profiles) -> Response[SeedProfile]:
        """Return who the caller is."""
        profile = await profiles.read()
        answer = SeedProfile(
            id=profile.id,
            username=profile.username,
            email=profile.email or "",
            user_type=profile.user_type,
            settings=profile.settings,
            must_change_password=profile.must_change_password,
            roles=profile.roles,
            branches=profile.branches,
            permissions=profile.permissions,
        )
        return Response(answer, headers=NO_STORE)


class SeedTokenController(Controller):
    """Login as the dental system's frontend does it."""

    path = "/api/token"
    tags = ("seeds",)
    dependencies = LOGIN_DEPENDENCIES

    @post(
        "/",
        operation_id="seedToken",
        status_code=HTTP_200_OK,
        opt={**PUBLIC, **WRITE, **TENANT_IN_BODY},
        responses=problems(400, 401, 403, 404, 422, 429),
    )
    async def token(
        self,
        request: PublicRequest,
        data: JSONBody[SeedTokenIn],
        logins: Logins,
        client_address: Address,
    ) -> Response[SeedTokenOut]:
        """Exchange e-mail and password for tokens."""
        device = device_of(request, client_address)
        outcome = await _log_in(logins, data.email, data.password, device)
        if isinstance(outcome, Refused):
            return refusal(request, outcome)
        user = outcome.user
        answer = SeedTokenOut(
            access=outcome.tokens.access,
            refresh=outcome.tokens.refresh,
            usuario=Usuario(
                id=user.id,
                email=user.email or "",
                nombre=user.first_name,
                apellido=user.last_name,
                tipo_usuario=spanish_type(user.user_type),
            ),
        )
        return Response(answer, headers=NO_STORE)

    @post(
        "/refresh",
        operation_id="seedTokenRefresh",
        status_code=HTTP_200_OK,
        opt={**PUBLIC, **WRITE},
        responses=problems(400, 401, 403, 404, 422),
    )
    async def refresh(
        self,
        request: PublicRequest,
        data: JSONBody[SeedRefreshIn],
        sessions: Sessions,
        client_address: Address,
    ) -> Response[SeedPair]:
        """Exchange a refresh token."""
        return await _refresh(request, sessions, data.refresh, client_address)


class SeedUserController(Controller):
    """Users as the dental system lists them."""

    path = "/api/usuarios"
    tags = ("seeds",)
    dependencies = {"users": Provide(provide_users, sync_to_thread=False)}  # noqa: RUF012  # read once by Litestar

    @get(
        "/",
        operation_id="seedListUsers",
        guards=[needs("users:read")],
        opt=READ,
        responses=problems(400, 401, 403),
    )
    async def list_users(
        self, users: Users, limit: Limit = PAGE_LIMIT_DEFAULT, cursor: Cursor = None
    ) -> Page[UsuarioListed]:
        """Return one page of users."""
        page = await users.list_users(UserFilter(), page_request(limit, cursor))
        return Page(items=[usuario_of(user) for user in page.items], next_cursor=page.next_cursor)
