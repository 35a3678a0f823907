"""The permission matrix, the guard over it, and the middleware that finds the principal."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from litestar import Litestar, Request, Response, get

from auth.errors import AuthError, InvalidTokenError
from auth.guards import needs, users_only
from auth.middleware import Authenticate
from auth.permissions import (
    CLINIC_MATRIX,
    CLINIC_ROLES,
    PLATFORM_MATRIX,
    clinic_permissions,
    permissions_of,
)
from auth.principal import Principal, PrincipalKind
from auth.tokens import Audience, Grant, SigningKey, TokenIssuer
from controllers.modes import BEFORE_PASSWORD_CHANGE, NO_TENANT, PUBLIC
from domain.actor import Role

TOKENS = TokenIssuer((SigningKey("k1", "k" * 32),), issuer="test")
SERVICE_TOKEN = "ai_" + "s" * 43


@pytest.mark.parametrize(
    ("role", "can", "cannot"),
    [
        ("admin", {"users:write", "settings:write", "audit:read", "appointments:overbook"}, set()),
        ("dentist", {"patients:write", "appointments:write"}, {"users:read", "audit:read"}),
        ("doctor", {"patients:write", "appointments:write"}, {"appointments:overbook"}),
        ("nurse", {"patients:write", "appointments:write"}, {"branches:write"}),
        ("operator", {"appointments:overbook", "patients:write"}, {"users:read", "rooms:write"}),
        ("digitizer", {"patients:write", "appointments:read"}, {"appointments:write"}),
        ("auditor", {"audit:read", "users:read", "patients:read"}, {"patients:write"}),
        (
            "patient",
            {"availability:read", "appointments:request"},
            {"branches:read", "patients:write"},
        ),
    ],
)
def test_role_has_what_the_matrix_says(role: str, can: set[str], cannot: set[str]) -> None:
    held = clinic_permissions(frozenset({role}))
    assert can <= held
    assert not cannot & held


def test_auditor_and_patient_write_nothing_of_the_clinic() -> None:
    for role in ("auditor", "patient"):
        assert not {p for p in CLINIC_ROLES[role] if p.endswith((":write", ":overbook"))}


def test_matrix_speaks_of_the_roles_that_exist() -> None:
    assert set(CLINIC_ROLES) == {role.value for role in Role}
    assert {role for granted in CLINIC_MATRIX.values() for role in granted} <= set(Role)
    platform = {role for granted in PLATFORM_MATRIX.values() for role in granted}
    assert platform == {"superadmin", "operator", "support", "auditor"}


def test_permissions_of_several_roles_add_up() -> None:
    both = clinic_permissions(frozenset({"digitizer", "auditor"}))
    assert both == CLINIC_ROLES["digitizer"] | CLINIC_ROLES["auditor"]
    assert clinic_permissions(frozenset({"emperor"})) == frozenset()


def test_same_role_name_means_different_things_in_clinic_and_platform() -> None:
    def held(kind: PrincipalKind) -> frozenset[str]:
        return permissions_of(Principal(kind=kind, subject=uuid4(), roles=frozenset({"operator"})))

    assert "patients:read" in held(PrincipalKind.USER)
    assert "patients:read" not in held(PrincipalKind.OPERATOR)
    assert "tenants:write" in held(PrincipalKind.OPERATOR)
    assert "tenants:write" not in held(PrincipalKind.USER)


def test_service_gets_no_more_than_its_scopes_and_never_more_than_services_may() -> None:
    service = Principal(
        kind=PrincipalKind.SERVICE,
        subject=uuid4(),
        roles=frozenset({"admin"}),
        scopes=frozenset({"availability:read", "users:write"}),
    )
    assert permissions_of(service) == {"availability:read"}


def test_unknown_permission_fails_when_the_route_is_declared() -> None:
    with pytest.raises(ValueError, match="patients:reed"):
        needs("patients:reed")


class OneServiceToken:
    def recognises(self, token: str) -> bool:
        return token.startswith("ai_")

    async def verify(self, token: str) -> Principal:
        if token != SERVICE_TOKEN:
            raise InvalidTokenError
        return Principal(
            kind=PrincipalKind.SERVICE,
            subject=uuid4(),
            tenant_id=uuid4(),
            scopes=frozenset({"patients:read"}),
        )


AnyRequest = Request[Any, Any, Any]


@get("/closed", guards=[needs("patients:read")], sync_to_thread=False)
def closed(request: AnyRequest) -> UUID:
    return request.user.subject


@get("/open", opt=PUBLIC, sync_to_thread=False)
def opened(request: AnyRequest) -> bool:
    return "user" in request.scope


@get("/platform", opt=NO_TENANT, guards=[needs("tenants:read")], sync_to_thread=False)
def platform(request: AnyRequest) -> UUID:
    return request.user.subject


@get("/mine", guards=[users_only], opt=BEFORE_PASSWORD_CHANGE, sync_to_thread=False)
def mine(request: AnyRequest) -> UUID:
    return request.user.subject


def answer(_: AnyRequest, error: AuthError) -> Response[str]:
    challenge = getattr(error, "challenge", None)
    headers = {"WWW-Authenticate": challenge} if challenge else {}
    return Response(type(error).__name__, status_code=401 if challenge else 403, headers=headers)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = Litestar(
        [closed, opened, platform, mine],
        middleware=[Authenticate(TOKENS, OneServiceToken())],
        exception_handlers={AuthError: answer},
        openapi_config=None,
    )
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://t.local") as made:
        yield made


def bearer(audience: Audience = Audience.CLINIC, **fields: Any) -> dict[str, str]:
    grant: dict[str, Any] = {
        "subject": uuid4(),
        "session_id": uuid4(),
        "roles": frozenset({"nurse"}),
    }
    if audience is Audience.CLINIC:
        grant["clinic_id"] = uuid4()
    token = TOKENS.issue(Grant(**(grant | fields)), audience)
    return {"Authorization": f"Bearer {token}"}


async def test_routes_are_closed_without_a_token(client: httpx.AsyncClient) -> None:
    response = await client.get("/closed")
    assert (response.status_code, response.text) == (401, "MissingTokenError")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="clinic"'


async def test_right_token_opens_the_route(client: httpx.AsyncClient) -> None:
    subject = uuid4()
    response = await client.get("/closed", headers=bearer(subject=subject))
    assert response.json() == str(subject)
    lower = {"authorization": bearer()["Authorization"].replace("Bearer", "bearer")}
    assert (await client.get("/closed", headers=lower)).status_code == 200


async def test_missing_permission_is_403(client: httpx.AsyncClient) -> None:
    response = await client.get("/closed", headers=bearer(roles=frozenset()))
    assert (response.status_code, response.text) == (403, "PermissionDeniedError")


@pytest.mark.parametrize(
    "value", ["Bearer x", "Bearer a.b.c", "Basic YTpi", "Bearer", "Bearer  ", "token"]
)
async def test_odd_authorization_is_401(client: httpx.AsyncClient, value: str) -> None:
    response = await client.get("/closed", headers={"Authorization": value})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


async def test_two_authorization_headers_are_refused(client: httpx.AsyncClient) -> None:
    twice = [*bearer().items(), *bearer().items()]
    assert (await client.get("/closed", headers=twice)).text == "InvalidTokenError"


async def test_public_route_ignores_any_token(client: httpx.AsyncClient) -> None:
    for headers in ({}, bearer(), {"Authorization": "Bearer nonsense"}):
        response = await client.get("/open", headers=headers)
        assert (response.status_code, response.json()) == (200, False)


async def test_audiences_do_not_mix(client: httpx.AsyncClient) -> None:
    operator = bearer(Audience.PLATFORM, roles=frozenset({"superadmin"}))
    assert (await client.get("/platform", headers=operator)).status_code == 200
    assert (await client.get("/closed", headers=operator)).text == "InvalidTokenError"
    assert (await client.get("/platform", headers=bearer())).text == "InvalidTokenError"


async def test_service_token_opens_clinic_routes_only(client: httpx.AsyncClient) -> None:
    headers = {"Authorization": f"Bearer {SERVICE_TOKEN}"}
    assert (await client.get("/closed", headers=headers)).status_code == 200
    assert (await client.get("/platform", headers=headers)).status_code == 401
    assert (await client.get("/mine", headers=headers)).status_code == 403
    wrong = {"Authorization": "Bearer ai_other"}
    assert (await client.get("/closed", headers=wrong)).status_code == 401


async def test_password_must_be_changed_before_anything_else(client: httpx.AsyncClient) -> None:
    headers = bearer(must_change_password=True)
    response = await client.get("/closed", headers=headers)
    assert (response.status_code, response.text) == (403, "PasswordChangeRequiredError")
    assert (await client.get("/mine", headers=headers)).status_code == 200
