"""A browser at an unknown sub-domain sees a page; everybody else passes."""

import httpx
import pytest
from litestar import Litestar, get

from app.unknown_clinic_page import UnknownClinicPage, unknown_clinic_page
from known_clinics import BASES, Directory

HTML = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"


@get(["/", "/api/x"], sync_to_thread=False)
def get_x() -> str:
    return "x"


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = Litestar([get_x], openapi_config=None, logging_config=None)
    app.asgi_handler = UnknownClinicPage(app.asgi_handler, Directory(), BASES, "es")
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://t")


@pytest.mark.parametrize("path", ["/", "/ingreso", "/apix"])
async def test_a_browser_at_an_unknown_host_sees_the_page(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path, headers={"Host": "typo.localhost:8000", "Accept": HTML})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "Organización no encontrada" in answer.text
    assert "El subdominio <strong>typo.localhost</strong> no existe." in answer.text
    assert '<a href="//localhost:8000/">← Volver al inicio</a>' in answer.text


@pytest.mark.parametrize(
    ("path", "host", "accept"),
    [
        ("/", "clinica-a.localhost", HTML),
        ("/", "127.0.0.1:8000", HTML),
        ("/", "localhost", HTML),
        ("/", "typo.localhost", "*/*"),
        ("/api/x", "typo.localhost", HTML),
    ],
)
async def test_everybody_else_passes(
    client: httpx.AsyncClient, path: str, host: str, accept: str
) -> None:
    answer = await client.get(path, headers={"Host": host, "Accept": accept})
    assert answer.text == "x"


def test_the_host_is_shown_escaped() -> None:
    page = unknown_clinic_page('"><script>alert(1)</script>', '//"x', "en")
    assert "<script>" not in page
    assert "Organisation not found" in page
