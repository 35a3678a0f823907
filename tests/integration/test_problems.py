"""What the database refuses and what breaks is answered with a stable code and without its words."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar

from app.factory import create_app
from app.settings import Settings
from clinics import Clinic
from stand_ins import StandIns
from tenancy.runtime import Tenancy

BASE = "/api/v1/stand-ins"


@pytest.fixture(scope="module")
def framed(settings: Settings, tenancy: Tenancy) -> Litestar:
    return create_app(settings, tenancy, [StandIns])


@pytest.fixture(scope="module")
async def frame(framed: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=framed, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


async def send(
    frame: httpx.AsyncClient, clinic: Clinic, method: str, path: str, **options: Any
) -> httpx.Response:
    headers = {
        "Host": clinic.host,
        "Authorization": f"Bearer {await clinic.token()}",
        **options.pop("headers", {}),
    }
    return await frame.request(method, BASE + path, headers=headers, **options)


async def test_a_duplicate_is_409_and_names_the_field(
    frame: httpx.AsyncClient, clinic_a: Clinic
) -> None:
    body = {"kind": uuid4().hex}
    assert (await send(frame, clinic_a, "POST", "/counters", json=body)).status_code == 201
    answer = await send(frame, clinic_a, "POST", "/counters", json=body)
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "duplicate"
    assert "/kind" in [item["pointer"] for item in problem["errors"]]
    assert "uq_" not in answer.text
    assert body["kind"] not in answer.text


async def test_the_same_value_in_another_clinic_is_no_duplicate(
    frame: httpx.AsyncClient, clinic_a: Clinic, clinic_b: Clinic
) -> None:
    body = {"kind": uuid4().hex}
    for clinic in (clinic_a, clinic_b):
        assert (await send(frame, clinic, "POST", "/counters", json=body)).status_code == 201


async def test_a_reference_to_nothing_is_422(frame: httpx.AsyncClient, clinic_a: Clinic) -> None:
    answer = await send(frame, clinic_a, "POST", "/counters-of-nowhere")
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_reference"
    assert [item["pointer"] for item in answer.json()["errors"]] == ["/branch_id"]


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "x", "value": 0},
        {"kind": "nul \x00 in it"},
        {"kind": "x", "value": 2**31},
        {"kind": "x", "value": 2**63 - 1},
    ],
    ids=["check", "nul", "int32", "int64"],
)
async def test_a_value_that_the_database_refuses_is_422(
    frame: httpx.AsyncClient, clinic_a: Clinic, body: dict[str, Any]
) -> None:
    answer = await send(frame, clinic_a, "POST", "/counters", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "validation_error"


async def test_a_value_in_the_query_that_the_database_refuses_is_422(
    frame: httpx.AsyncClient, clinic_a: Clinic
) -> None:
    answer = await send(frame, clinic_a, "GET", "/numbers?kind=a%00b")
    assert answer.status_code == 422


@pytest.mark.parametrize(("path", "told"), [("/bugs", "secret"), ("/faults", "division")])
async def test_a_bug_is_500_without_its_words_and_kept_for_us(
    frame: httpx.AsyncClient, framed: Litestar, clinic_a: Clinic, path: str, told: str
) -> None:
    framed.state.unexpected_errors = []
    answer = await send(frame, clinic_a, "GET", path, headers={"Accept-Language": "en"})
    assert answer.status_code == 500
    problem = answer.json()
    assert problem["code"] == "internal_error"
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert told not in answer.text
    assert answer.headers["content-language"] == "en"
    assert [told in str(error) for error in framed.state.unexpected_errors] == [True]


async def test_texts_follow_the_reader(clinic_a: Clinic) -> None:
    spanish = await clinic_a.get("/api/v1/users", role=None)
    english = await clinic_a.get("/api/v1/users", role=None, headers={"Accept-Language": "en-GB"})
    assert (spanish.json()["title"], english.json()["title"]) == ("Token inválido", "Invalid token")
    assert spanish.json()["code"] == english.json()["code"] == "invalid_token"
    assert english.headers["www-authenticate"].startswith("Bearer")


async def test_an_unknown_query_parameter_is_400_on_canonical_routes(clinic_a: Clinic) -> None:
    answer = await clinic_a.get("/api/v1/users?limt=3")
    assert answer.status_code == 400
    assert [item["pointer"] for item in answer.json()["errors"]] == ["limt"]
    assert (await clinic_a.get("/api/usuarios/?_=123")).status_code == 200


async def test_a_body_beyond_the_limit_is_413(clinic_a: Clinic) -> None:
    answer = await clinic_a.post("/api/v1/auth/login", role=None, json={"x": "y" * 1_100_000})
    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"


async def test_a_method_that_a_route_lacks_is_405(api: httpx.AsyncClient) -> None:
    answer = await api.delete("/health/live")
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
    assert answer.json()["code"] == "method_not_allowed"
