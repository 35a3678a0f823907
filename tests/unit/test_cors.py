"""Pages of registered clinics may call; nobody is let in by likeness."""

import httpx
import pytest
from litestar import Litestar, get
from sqlalchemy.exc import OperationalError

from app.cors import CrossOrigin, RegisteredOrigins
from known_clinics import BASES, Directory
from tenancy.tenant import ResolvedTenant

CONFIGURED = ("http://localhost:3000", "https://app.example.org/")


@get("/x", sync_to_thread=False)
def get_x() -> str:
    return "x"


def client_of(directory: Directory) -> httpx.AsyncClient:
    app = Litestar([get_x], openapi_config=None, logging_config=None)
    app.asgi_handler = CrossOrigin(
        app.asgi_handler, RegisteredOrigins(directory, BASES, CONFIGURED)
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://t")


@pytest.mark.parametrize(
    "origin",
    [
        "https://citas.clinica-a.pe",
        "http://citas.clinica-a.pe",
        "https://clinica-a.clinics.example",
        "http://clinica-a.localhost:5173",
        "http://localhost:3000",
        "https://app.example.org",
        "https://clinics.example",
    ],
)
async def test_a_registered_origin_may_read(origin: str) -> None:
    headers = (await client_of(Directory()).get("/x", headers={"Origin": origin})).headers
    assert headers["access-control-allow-origin"] == origin
    assert headers["access-control-allow-credentials"] == "true"
    assert "ETag" in headers["access-control-expose-headers"]
    assert headers["vary"] == "Origin"


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "https://evil.org",
        "https://citas.clinica-a.pe:8443",
        "https://citas.clinica-a.pe.evil.org",
        "https://evilclinics.example",
        "https://nobody.clinics.example",
        "https://a@citas.clinica-a.pe",
        "ftp://citas.clinica-a.pe",
        "https://citas.clinica-a.pe/path",
        "https://[bad",
        "https://" + "a" * 400,
        "*",
    ],
)
async def test_any_other_origin_may_not(origin: str) -> None:
    answer = await client_of(Directory()).get("/x", headers={"Origin": origin})
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["vary"] == "Origin"


async def test_a_preflight_is_answered_with_what_is_allowed() -> None:
    asked = {"Origin": "https://citas.clinica-a.pe", "Access-Control-Request-Method": "PATCH"}
    answer = await client_of(Directory()).options("/x", headers=asked)
    assert answer.status_code == 204
    for name in (
        "Authorization",
        "X-Tenant-ID",
        "X-Organization-ID",
        "If-Match",
        "Idempotency-Key",
    ):
        assert name in answer.headers["access-control-allow-headers"]
    assert "PATCH" in answer.headers["access-control-allow-methods"]


async def test_a_preflight_of_a_stranger_is_refused() -> None:
    asked = {"Origin": "https://evil.org", "Access-Control-Request-Method": "GET"}
    answer = await client_of(Directory()).options("/x", headers=asked)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


async def test_without_the_registry_requests_are_answered_all_the_same() -> None:
    class Broken(Directory):
        async def by_hostname(self, hostname: str) -> ResolvedTenant | None:
            raise OperationalError("SELECT", {}, Exception())

    answer = await client_of(Broken()).get("/x", headers={"Origin": "https://citas.clinica-a.pe"})
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers
