"""What is wrong with a body or a parameter is pointed at, with stable codes."""

from typing import Annotated, Any

import httpx
import pytest
from litestar import Litestar, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct

from app.problem_documents import ErrorAnswers
from app.requests import ClinicRequest


class Item(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=2, max_length=5)]
    count: Annotated[int, Meta(ge=1)] = 1


class Order(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    items: list[Item]
    metadata: dict[str, int] = {}
    email: Annotated[str, Meta(pattern="@")] = "a@b"


@post("/orders")
async def post_order(data: JSONBody[Order]) -> None:
    assert data


@get("/orders/{number:int}")
async def get_order(
    number: FromPath[int], limit: Annotated[int, QueryParameter(ge=1, le=9)] = 5
) -> int:
    return number * limit


@get("/required")
async def get_required(at: Annotated[int, QueryParameter()]) -> int:
    return at


@pytest.fixture(scope="module")
def client() -> httpx.AsyncClient:
    app = Litestar(
        [post_order, get_order, get_required],
        exception_handlers={Exception: ErrorAnswers("es")},
        request_class=ClinicRequest,
        openapi_config=None,
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://t")


def complaints(answer: httpx.Response) -> list[tuple[str, str]]:
    return [(item["pointer"], item["code"]) for item in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "/items", "required"),
        ({"items": [], "x": 1}, "/x", "unknown_field"),
        ({"items": {}}, "/items", "invalid_type"),
        ({"items": [{"name": "ab"}, {"name": "a"}]}, "/items/1/name", "too_short"),
        ({"items": [{"name": "abcdef"}]}, "/items/0/name", "too_long"),
        ({"items": [{}]}, "/items/0/name", "required"),
        ({"items": [{"name": "ab", "count": 0}]}, "/items/0/count", "out_of_range"),
        ({"items": [], "metadata": {"data.x": "y"}}, "/metadata", "invalid_type"),
        ({"items": [], "email": "nobody"}, "/email", "invalid_format"),
        ([], "", "invalid_type"),
        ("text", "", "invalid_type"),
    ],
)
async def test_a_wrong_body_is_422_with_pointers(
    client: httpx.AsyncClient, body: Any, pointer: str, code: str
) -> None:
    answer = await client.post("/orders", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "validation_error"
    assert complaints(answer) == [(pointer, code)]
    assert answer.json()["errors"][0]["message"]


async def test_a_missing_body_is_422(client: httpx.AsyncClient) -> None:
    answer = await client.post("/orders")
    assert answer.status_code == 422
    assert complaints(answer) == [("", "required")]


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xff",
        b'{"items": NaN}',
        b'{"items": "\\ud800"}',
        b"[" * 100_000,
        b"[" * 33 + b"]" * 33,
        b'{"a":' * 33 + b"1" + b"}" * 33,
    ],
    ids=["cut off", "not utf-8", "nan", "surrogate", "endless", "deep list", "deep object"],
)
async def test_a_body_that_is_not_json_is_400(client: httpx.AsyncClient, content: bytes) -> None:
    answer = await client.post("/orders", content=content)
    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_request"


@pytest.mark.parametrize(
    ("path", "pointer", "code"),
    [
        ("/orders/1?limit=0", "limit", "out_of_range"),
        ("/orders/1?limit=x", "limit", "invalid_type"),
        ("/required", "at", "required"),
    ],
)
async def test_a_wrong_parameter_is_400(
    client: httpx.AsyncClient, path: str, pointer: str, code: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_request"
    assert complaints(answer) == [(pointer, code)]


async def test_a_wide_body_is_not_a_deep_one(client: httpx.AsyncClient) -> None:
    body = {"items": [{"name": "ab"} for _ in range(100)]}
    assert (await client.post("/orders", json=body)).status_code == 201


async def test_a_path_that_cannot_be_one_is_404(client: httpx.AsyncClient) -> None:
    assert (await client.get("/orders/abc")).json()["code"] == "not_found"
