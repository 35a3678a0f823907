"""A token opens its own clinic alone, whatever else a request says; without one everything not public is closed."""

from collections.abc import Iterator
from itertools import product
from typing import Any
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from clinics import PASSWORD, Clinic
from domain.actor import Role
from operations import Operation, read_operations
from visitors import Visitor

PUBLIC = {
    "GET /",
    "GET /health/live",
    "GET /health/ready",
    "GET /me",
    "GET /api/tenants/validate",
    "POST /api/tenants/signup",
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/refresh",
    "POST /api/personnel/auth/login",
    "POST /api/personnel/auth/refresh",
    "POST /api/token",
    "POST /api/token/refresh",
    "POST /api/v1/platform/auth/login",
    "POST /api/v1/platform/auth/refresh",
}
"""Health, validate, sign-up, login and refresh in all spellings."""

OUTSIDE_THE_DOCUMENT = {
    "/docs",
    "/docs/problems",
    "/docs/openapi.json",
    "/docs/{path}",
    "/openapi.json",
    "/metrics",
}

REFRESHES = ("/api/v1/auth/refresh", "/api/personnel/auth/refresh", "/api/token/refresh/")
API_HOST = "127.0.0.1"
NOBODY = "nobody"


@pytest.fixture(scope="module")
async def operations(api: httpx.AsyncClient) -> list[Operation]:
    return await read_operations(api)


def somewhere(operation: Operation) -> str:
    """A URL of the operation that is well formed and leads to nothing."""
    plain = {"role": "nurse", "namespace": "ai"}
    return operation.url({name: plain.get(name, str(uuid4())) for name in operation.path_names})


async def send(
    api: httpx.AsyncClient, operation: Operation, headers: dict[str, str]
) -> httpx.Response:
    options: dict[str, Any] = {"json": {}} if operation.has_body else {}
    return await api.request(
        operation.method,
        somewhere(operation),
        headers={"If-Match": '"1"', **headers},
        **options,
    )


async def test_these_operations_are_public_and_no_other(operations: list[Operation]) -> None:
    assert {str(one) for one in operations if one.is_public} == PUBLIC


async def test_no_route_hides_from_the_document(app: Litestar, operations: list[Operation]) -> None:
    documented = {one.path for one in operations}
    paths = {route.path_format or "/" for route in app.routes if isinstance(route, HTTPRoute)}
    assert paths - documented <= OUTSIDE_THE_DOCUMENT


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer ", "Basic YTpi", "token"])
async def test_everything_else_is_closed_without_a_token(
    api: httpx.AsyncClient, clinic_a: Clinic, operations: list[Operation], authorization: str | None
) -> None:
    headers = {"Host": clinic_a.host}
    if authorization is not None:
        headers["Authorization"] = authorization
    wrong = []
    for one in operations:
        if one.is_public:
            continue
        answer = await send(api, one, headers)
        challenge = answer.headers.get("www-authenticate", "")
        if (answer.status_code, answer.json()["code"]) != (401, "invalid_token") or (
            not challenge.startswith("Bearer")
        ):
            wrong.append(f"{one}: {answer.status_code} {challenge}")
    assert wrong == []


async def test_other_spellings_of_a_path_open_nothing(
    api: httpx.AsyncClient, clinic_a: Clinic
) -> None:
    for path in (
        "/api/v1/patients/", "//api/v1/patients", "/api//v1/patients", "/API/v1/patients",
        "/api/v1/patients;x=1", "/api/v1/%70atients", "/api/v1/patients%2f", "/api/v1/patients%00",
        "/health/live/%2e%2e/%2e%2e/api/v1/patients", "/docs/%2e%2e/api/v1/patients",
        "/api/v1/auth/login/%2e%2e/%2e%2e/patients", "/openapi.json/../api/v1/patients",
    ):  # fmt: skip
        for method in ("GET", "HEAD", "POST", "TRACE"):
            headers = {"Host": clinic_a.host, "X-HTTP-Method-Override": "GET"}
            answer = await api.request(method, path, headers=headers)
            assert answer.status_code in {401, 404, 405}, f"{method} {path}: {answer.text}"


async def test_token_opens_no_operation_of_another_clinic(
    api: httpx.AsyncClient, clinic_a: Clinic, clinic_b: Clinic, operations: list[Operation]
) -> None:
    token = {"Authorization": f"Bearer {await clinic_a.token()}"}
    ways = [
        {"Host": clinic_b.host},
        {"Host": clinic_a.host, "X-Tenant-ID": clinic_b.slug},
        {"Host": API_HOST, "X-Organization-ID": str(clinic_b.tenant_id)},
    ]
    wrong = []
    for one, way in product(operations, ways):
        if not one.is_for_clinic_users:
            continue
        answer = await send(api, one, {**token, **way})
        if (answer.status_code, answer.json()["code"]) != (403, "tenant_mismatch"):
            wrong.append(f"{one} {way}: {answer.status_code} {answer.text}")
    assert wrong == []
    assert (await clinic_a.get("/api/v1/auth/me")).status_code == 200, "nothing was logged out"


def combinations(a: Clinic, b: Clinic) -> Iterator[tuple[dict[str, str], list[Clinic | None]]]:
    """Host, both headers: what they say, and whom they name (None is a name that nobody has)."""
    hosts = {API_HOST: [], a.host: [a], f"{a.host.upper()}.:8000": [a], b.host: [b]} | {
        "nobody.localhost": [None],
        f"x.{a.host}": [None],
        "elsewhere.example": [],
    }
    names: dict[str, list[Clinic | None]] = {
        "": [],
        a.slug.upper(): [a],
        b.host: [b],
        NOBODY: [None],
    }
    organizations: dict[str, list[Clinic | None]] = {
        " ": [],
        str(a.tenant_id): [a],
        str(b.tenant_id).upper(): [b],
        f"{a.slug}, {b.slug}": [None],
    }
    for (host, at), (name, by), (organization, of) in product(
        hosts.items(), names.items(), organizations.items()
    ):
        headers = {"Host": host, "X-Tenant-ID": name, "X-Organization-ID": organization}
        yield headers, [*at, *by, *of]


def allowed_answers(named: list[Clinic | None], own: Clinic) -> set[tuple[int, str]]:
    """What may be answered to somebody of the clinic `own`, by the rules of docs/frontends.md."""
    mismatch, unknown = (403, "tenant_mismatch"), (404, "tenant_not_found")
    known = {each.slug for each in named if each is not None}
    if not named:
        return {(400, "tenant_not_resolved")}
    if None in named:
        return {unknown, mismatch} if len(known) > 1 else {unknown}
    return {(200, "")} if known == {own.slug} else {mismatch}


async def test_all_that_is_named_must_agree_with_the_token(
    api: httpx.AsyncClient, clinic_a: Clinic, clinic_b: Clinic
) -> None:
    token = {"Authorization": f"Bearer {await clinic_a.token()}"}
    for headers, named in combinations(clinic_a, clinic_b):
        # The clinic is named in a query and a cookie too: neither is asked.
        answer = await api.get(
            "/api/usuarios/",
            headers={**token, **headers, "Cookie": f"tenant={clinic_b.slug}"},
            params={"tenant_id": str(clinic_b.tenant_id)},
        )
        code = "" if answer.is_success else answer.json()["code"]
        assert (answer.status_code, code) in allowed_answers(named, clinic_a), headers
        assert clinic_b.admin_username not in answer.text


@pytest.mark.parametrize("in_body", ["", "a", "b", NOBODY])
async def test_login_must_agree_with_all_that_is_named(
    app: Litestar, clinic_a: Clinic, clinic_b: Clinic, in_body: str
) -> None:
    _, username = await clinic_a.add_user(Role.NURSE)
    http = Visitor(app, clinic_a).http
    bodies = {"": [], "a": [clinic_a], "b": [clinic_b], NOBODY: [None]}
    says = {"a": clinic_a.slug, "b": str(clinic_b.tenant_id), NOBODY: NOBODY, "": ""}[in_body]
    body = {"username": username, "password": PASSWORD, "tenant_id": says}
    for headers, others in combinations(clinic_a, clinic_b):
        if headers["Host"] == clinic_b.host or headers["X-Tenant-ID"] == NOBODY:
            continue  # enough of these above
        named = [*others, *bodies[in_body]]
        allowed = allowed_answers(named, clinic_a)
        if {each and each.slug for each in named} == {clinic_b.slug}:
            allowed = {(401, "invalid_credentials")}
        answer = await http.post("/api/personnel/auth/login", json=body, headers=headers)
        code = "" if answer.is_success else answer.json()["code"]
        assert (answer.status_code, code) in allowed, (headers, in_body)
        if answer.is_success:
            assert answer.json()["tenant"]["id"] == str(clinic_a.tenant_id)


async def test_names_that_only_proxies_and_old_clients_use_are_not_believed(
    api: httpx.AsyncClient, clinic_a: Clinic, clinic_b: Clinic
) -> None:
    token = f"Bearer {await clinic_a.token()}"
    for name in (
        "X-Forwarded-Host",
        "X-Original-Host",
        "Forwarded",
        "X-Tenant",
        "Origin",
        "Referer",
    ):
        value = f"host={clinic_b.host}" if name == "Forwarded" else clinic_b.host
        headers = {"Authorization": token, "Host": clinic_a.host, name: value}
        answer = await api.get("/api/v1/users", headers=headers)
        assert answer.status_code == 200, name
        assert clinic_b.admin_username not in answer.text
    twice = [("Host", clinic_a.host), ("Host", clinic_b.host), ("Authorization", token)]
    answer = await api.get("/api/v1/users", headers=twice)
    assert (answer.status_code, answer.json()["code"]) == (403, "tenant_mismatch")


async def test_refresh_token_is_worth_nothing_in_another_clinic(
    clinic_a: Clinic, clinic_b: Clinic
) -> None:
    tokens = (await clinic_a.login(clinic_a.admin_username)).json()
    for path in REFRESHES:
        body = {"refresh": tokens["refresh"]}
        answer = await clinic_b.post(path, body, role=None)
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token"), path
        torn = await clinic_b.post(path, body, role=None, headers={"X-Tenant-ID": clinic_a.slug})
        assert (torn.status_code, torn.json()["code"]) == (403, "tenant_mismatch"), path
    for path in REFRESHES:
        answer = await clinic_a.post(path, {"refresh": tokens["refresh"]}, role=None)
        assert answer.status_code == 200, "a stranger's attempts do no harm"


async def test_access_token_is_no_refresh_token_and_the_other_way_round(clinic_a: Clinic) -> None:
    tokens = (await clinic_a.login(clinic_a.admin_username)).json()
    for path in REFRESHES:
        answer = await clinic_a.post(path, {"refresh": tokens["access"]}, role=None)
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token"), path
    headers = {"Authorization": f"Bearer {tokens['refresh']}"}
    answer = await clinic_a.get("/api/v1/auth/me", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
