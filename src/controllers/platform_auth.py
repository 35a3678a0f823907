"""The operators' way in and out of the platform."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import JSONBody, SkipValidation
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT
from msgspec import Meta, Struct

from auth.passwords import PasswordHasher
from auth.permissions import platform_permissions
from auth.rate_limits import RateLimiter
from auth.tokens import TokenIssuer
from controllers.auth import NO_STORE, Address, PublicRequest, device_of
from controllers.modes import NO_TENANT, PUBLIC
from controllers.operator_logins import OperatorLogin, OperatorLogins
from controllers.operators import OPERATOR, Operator, OperatorRequest, PlatformDependency
from controllers.responses import problems
from domain.actor import Actor
from domain.identity.login_schemas import RefreshIn, TokenPair
from tenancy.platform import OperatorRecord, PlatformActor

Logins = NamedDependency[SkipValidation[OperatorLogins]]
CallingActor = NamedDependency[SkipValidation[Actor]]


class OperatorLoginIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who an operator says to be."""

    email: Annotated[str, Meta(min_length=1, max_length=254)]
    password: Annotated[str, Meta(min_length=1, max_length=1024)]


class OperatorOut(Struct, frozen=True, kw_only=True):
    """An operator, without the password."""

    id: UUID
    email: str
    role: str


class OperatorProfile(OperatorOut, frozen=True, kw_only=True):
    """The calling operator and what the role allows."""

    permissions: list[str]


class OperatorLoginOut(TokenPair, frozen=True, kw_only=True):
    """Tokens of the platform's audience, and whose they are."""

    operator: OperatorOut


def provide_operator_logins(
    platform: PlatformDependency,
    password_hasher: NamedDependency[SkipValidation[PasswordHasher]],
    rate_limiter: NamedDependency[SkipValidation[RateLimiter]],
    tokens: NamedDependency[SkipValidation[TokenIssuer]],
) -> OperatorLogins:
    """Return the service that logs operators in."""
    return OperatorLogins(platform.operators, password_hasher, rate_limiter, tokens)


def _shown(operator: OperatorRecord) -> OperatorOut:
    return OperatorOut(id=operator.id, email=operator.email, role=operator.role)


def _answer(login: OperatorLogin) -> Response[OperatorLoginOut]:
    body = OperatorLoginOut(
        access=login.tokens.access,
        refresh=login.tokens.refresh,
        expires_in=login.tokens.expires_in,
        operator=_shown(login.operator),
    )
    return Response(body, headers=NO_STORE)


class PlatformAuthController(Controller):
    """Logins of operators; their tokens open no clinic."""

    path = "/api/v1/platform/auth"
    tags = ("platform",)
    opt = NO_TENANT
    dependencies = {  # noqa: RUF012  # read once by Litestar
        **OPERATOR,
        "operator_logins": Provide(provide_operator_logins, sync_to_thread=False),
    }

    @post(
        "/login",
        operation_id="logInOperator",
        status_code=HTTP_200_OK,
        opt=PUBLIC,
        responses=problems(401, 422, 429),
    )
    async def log_in(
        self,
        request: PublicRequest,
        data: JSONBody[OperatorLoginIn],
        operator_logins: Logins,
        actor: CallingActor,
        client_address: Address,
    ) -> Response[OperatorLoginOut]:
        """Exchange e-mail address and password for tokens."""
        caller = PlatformActor(kind="visitor", request_id=actor.request_id, ip=client_address)
        device = device_of(request, client_address)
        return _answer(await operator_logins.log_in(data.email, data.password, device, caller))

    @post(
        "/refresh",
        operation_id="refreshOperatorToken",
        status_code=HTTP_200_OK,
        opt=PUBLIC,
        responses=problems(401, 422),
    )
    async def refresh(
        self,
        request: PublicRequest,
        data: JSONBody[RefreshIn],
        operator_logins: Logins,
        client_address: Address,
    ) -> Response[OperatorLoginOut]:
        """Exchange a refresh token; it stays valid until the new one is used for the first time."""
        device = device_of(request, client_address)
        return _answer(await operator_logins.refresh(data.refresh, device))

    @post(
        "/logout",
        operation_id="logOutOperator",
        status_code=HTTP_204_NO_CONTENT,
        responses=problems(401),
    )
    async def log_out(
        self, request: OperatorRequest, operator: Operator, operator_logins: Logins
    ) -> None:
        """End the login: refresh and access tokens are void at once."""
        assert request.user.session_id is not None
        await operator_logins.log_out(operator.record, request.user.session_id, operator.actor)

    @get("/me", operation_id="getOperatorProfile", responses=problems(401))
    async def profile(self, operator: Operator) -> OperatorProfile:
        """Return who calls."""
        record = operator.record
        permissions = sorted(platform_permissions(frozenset({record.role})))
        return OperatorProfile(
            id=record.id, email=record.email, role=record.role, permissions=permissions
        )
