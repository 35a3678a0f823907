"""`POST /api/tenants/signup`: a visitor's clinic can be used at once, by its administrator alone."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from msgspec import structs

from app.factory import create_app
from app.settings import Settings
from controllers.tenants import SIGN_UPS_MAX
from tenancy.platform import PlatformOptions, make_platform
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName

PATH = "/api/tenants/signup"
LOGIN = "/api/personnel/auth/login"


@pytest.fixture
async def visitor(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client with an address of its own, so that no other test uses its limits up."""
    address = f"198.51.{secrets.randbelow(256)}.{secrets.randbelow(256)}"
    transport = httpx.ASGITransport(app=app, client=(address, 1), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        yield client


def body(**changes: Any) -> dict[str, Any]:
    slug = changes.pop("slug", None) or f"clinica-{secrets.token_hex(4)}"
    plain = {
        "name": f"Clínica {slug}",
        "slug": slug,
        "admin_email": f"admin-{secrets.token_hex(4)}@clinica.example",
        "password": "una clave larga",
    }
    return plain | changes


async def log_in(client: httpx.AsyncClient, host: str, email: str, password: str) -> httpx.Response:
    return await client.post(
        LOGIN, headers={"Host": host}, json={"username": email, "password": password}
    )


async def test_new_clinic_is_used_at_once_by_its_administrator(visitor: httpx.AsyncClient) -> None:
    wanted, other = body(), body()
    assert (await visitor.post(PATH, json=other)).status_code == 201
    answer = await visitor.post(PATH, json=wanted)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    domain = f"{wanted['slug']}.localhost"
    assert made["tenant"] | {"id": ""} == {
        "id": "", "name": wanted["name"], "slug": wanted["slug"], "status": "trial",
    }  # fmt: skip
    assert made["domain"] == domain
    assert made["login_url"] == f"http://{domain}:8000/ingreso"

    valid = await visitor.get("/api/tenants/validate", headers={"Host": domain})
    assert valid.json()["tenant"] == {"id": made["tenant"]["id"], "name": wanted["name"]}
    login = await log_in(visitor, domain, wanted["admin_email"], wanted["password"])
    assert login.status_code == 200, login.text
    assert login.json()["user"]["user_type"] == "admin"
    assert login.json()["tenant"]["id"] == made["tenant"]["id"]
    bearer = {"Host": domain, "Authorization": f"Bearer {login.json()['access']}"}
    branches = await visitor.get("/api/v1/branches", headers=bearer)
    assert [branch["name"] for branch in branches.json()["items"]] == ["Sede principal"]
    # Another clinic's administrator is a stranger here.
    stranger = await log_in(visitor, domain, other["admin_email"], other["password"])
    assert stranger.status_code == 401


async def test_country_decides_zone_unless_told(visitor: httpx.AsyncClient) -> None:
    wanted = body(country="CL", vertical="occupational")
    made = (await visitor.post(PATH, json=wanted)).json()
    login = (
        await log_in(visitor, made["domain"], wanted["admin_email"], wanted["password"])
    ).json()
    bearer = {"Host": made["domain"], "Authorization": f"Bearer {login['access']}"}
    branches = await visitor.get("/api/v1/branches", headers=bearer)
    assert branches.json()["items"][0]["timezone"] == "America/Santiago"


async def test_taken_slug_is_409(visitor: httpx.AsyncClient) -> None:
    first = body()
    assert (await visitor.post(PATH, json=first)).status_code == 201
    for again in (body(slug=first["slug"]), body(slug=first["slug"].upper())):
        answer = await visitor.post(PATH, json=again)
        assert answer.status_code == 409
        assert answer.json()["code"] == "slug_taken"
    same_name = await visitor.post(PATH, json=body(name=first["name"].upper()))
    assert (same_name.status_code, same_name.json()["code"]) == (409, "duplicate")


async def test_simultaneous_sign_ups_make_one_clinic(visitor: httpx.AsyncClient) -> None:
    wanted = body()
    answers = await asyncio.gather(*(visitor.post(PATH, json=wanted) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]


@pytest.mark.parametrize("slug", ["www", "api", "admin", "public", "default"])
async def test_reserved_slug_is_refused(visitor: httpx.AsyncClient, slug: str) -> None:
    answer = await visitor.post(PATH, json=body(slug=slug))
    assert (answer.status_code, answer.json()["code"]) == (409, "slug_taken")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"slug": "a"}, "/slug"),
        ({"slug": "x'; DROP DATABASE clinic_pool; --"}, "/slug"),
        ({"slug": "con_guion_bajo"}, "/slug"),
        ({"name": "   "}, "/name"),
        ({"admin_email": "not an address"}, "/admin_email"),
        ({"password": "test123"}, "/password"),
        ({"country": "XX"}, "/country"),
        ({"timezone": "America/Atlantis"}, "/timezone"),
        ({"vertical": "barber"}, "/vertical"),
    ],
)
async def test_bad_value_is_422_and_says_where(
    visitor: httpx.AsyncClient, changes: dict[str, Any], pointer: str
) -> None:
    answer = await visitor.post(PATH, json=body(**changes))
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "validation_error"
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize("plan", ["none-such", "empresa"])
async def test_visitor_chooses_among_the_plans_on_sale(
    visitor: httpx.AsyncClient, plan: str
) -> None:
    answer = await visitor.post(PATH, json=body(plan=plan))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_reference")


async def test_unpaid_plan_starts_on_trial(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.post(PATH, json=body(plan="basico"))
    assert answer.json()["tenant"]["status"] == "trial"


async def test_further_fields_are_ignored_as_before(visitor: httpx.AsyncClient) -> None:
    assert (await visitor.post(PATH, json=body(colour="blue"))).status_code == 201


async def test_too_many_sign_ups_of_one_address_are_refused(visitor: httpx.AsyncClient) -> None:
    answers = [await visitor.post(PATH, json=body(slug="www")) for _ in range(SIGN_UPS_MAX + 1)]
    assert {answer.status_code for answer in answers[:-1]} == {409}
    assert answers[-1].status_code == 429


async def test_closed_platform_takes_nobody(settings: Settings, tenancy: Tenancy) -> None:
    closed = create_app(structs.replace(settings, signup_policy="closed"), tenancy)
    transport = httpx.ASGITransport(app=closed)
    async with (
        closed.lifespan(),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        answer = await client.post(PATH, json=body())
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_password_stands_nowhere_in_the_registry(
    visitor: httpx.AsyncClient, tenancy: Tenancy, administrator: Callable[..., Awaitable[Any]]
) -> None:
    wanted = body(password=f"secret {secrets.token_hex(8)}")
    assert (await visitor.post(PATH, json=wanted)).status_code == 201
    registry = await administrator(tenancy.options.registry_database)
    tables = await registry.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'registry'::regnamespace AND relkind = 'r'"
    )
    for (table,) in tables:
        found = await registry.fetchval(
            f'SELECT count(*) FROM registry."{table}" t WHERE t::text LIKE $1',
            f"%{wanted['password']}%",
        )
        assert found == 0, table
    await registry.close()


async def test_public_address_decides_scheme_and_port_of_the_login_page(
    settings: Settings, tenancy: Tenancy
) -> None:
    options = PlatformOptions(
        base_domains=tuple(settings.base_domains),
        signup_policy="open",
        signup_strategy=StrategyName.ROW,
        public_url="https://clinics.example",
    )
    platform = make_platform(tenancy, options)
    seen = platform.login_url("lima.clinics.example", "http://127.0.0.1:8000/")
    assert seen == "https://lima.clinics.example/ingreso"
