"""The document covers every operation, its problems and its security; the page needs nobody else."""

import re
from typing import Any

import httpx
import pytest

from app.factory import create_app
from app.settings import Settings
from app.texts import TITLES
from tenancy.runtime import Tenancy


async def document(api: httpx.AsyncClient) -> dict[str, Any]:
    answer = await api.get("/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def operations(openapi: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (p, m, o)
        for p, item in openapi["paths"].items()
        for m, o in item.items()
        if "responses" in o
    ]


async def test_every_operation_has_an_id_of_its_own_and_a_summary(api: httpx.AsyncClient) -> None:
    found = operations(await document(api))
    ids = [operation["operationId"] for _, _, operation in found]
    assert len(ids) == len(set(ids)) > 20
    assert [p for p, _, operation in found if not operation.get("summary")] == []


async def test_every_operation_declares_problems_and_security(api: httpx.AsyncClient) -> None:
    openapi = await document(api)
    for path, method, operation in operations(openapi):
        assert operation["responses"]["default"] == {"$ref": "#/components/responses/Problem"}
        for status, response in operation["responses"].items():
            if status != "default" and int(status) >= 400:
                content = response.get("content", {"application/problem+json": {}})
                assert list(content) == ["application/problem+json"], (path, method, status)
        assert operation["security"] in ([], [{"bearer": []}])
    paths = openapi["paths"]
    assert paths["/api/v1/users"]["get"]["security"] == [{"bearer": []}]
    assert paths["/api/v1/auth/login"]["post"]["security"] == []
    assert "bearer" in openapi["components"]["securitySchemes"]


async def test_every_reference_leads_somewhere(api: httpx.AsyncClient) -> None:
    openapi = await document(api)
    for reference in set(
        re.findall(r'"\$ref":\s*"([^"]+)"', (await api.get("/openapi.json")).text)
    ):
        node: Any = openapi
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]
        assert node


async def test_the_page_shows_every_operation_and_fetches_nothing(api: httpx.AsyncClient) -> None:
    page = await api.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    for path, _, operation in operations(await document(api)):
        assert f">{path}</code>" in page.text
        assert f'id="{operation["operationId"]}"' in page.text
    assert "<script" not in page.text
    assert re.findall(r'(?:src|href)="(?!/|#|data:,")[^"]*"', page.text) == []


@pytest.mark.parametrize("path", ["/docs", "/docs/openapi.json", "/openapi.json"])
async def test_any_page_may_be_the_first_one_asked_for(
    settings: Settings, tenancy: Tenancy, path: str
) -> None:
    transport = httpx.ASGITransport(app=create_app(settings, tenancy))
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as fresh:
        assert (await fresh.get(path)).status_code == 200


async def test_both_addresses_serve_one_document(api: httpx.AsyncClient) -> None:
    assert (await api.get("/docs/openapi.json")).json() == await document(api)


async def test_every_problem_code_is_explained(api: httpx.AsyncClient) -> None:
    page = await api.get("/docs/problems")
    assert [code for code in TITLES if f'id="{code}"' not in page.text] == []
