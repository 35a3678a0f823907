"""What every answer carries, and a body that is not sent twice."""

import io
import json
import logging

import httpx
import pytest
import structlog
from litestar import Litestar, Response, get, post
from litestar.params import FromPath
from sqlalchemy.exc import IntegrityError

from app.envelope import Envelope
from app.metrics import RequestMetrics
from app.problem_documents import ErrorAnswers
from app.telemetry import configure_logging, discreet_traceback, note_unexpected
from controllers.etag import tagged
from tenancy.errors import ServerUnavailableError


@get("/api/v1/things/{number:int}")
async def get_thing(number: FromPath[int]) -> Response[dict[str, int]]:
    return tagged({"number": number}, number)


@post("/things")
async def create_thing() -> None:
    return None


@get("/broken")
async def get_broken() -> None:
    raise RuntimeError


@get("/unavailable")
async def get_unavailable() -> None:
    raise ServerUnavailableError from OSError("no route to Juan")


@pytest.fixture
def metrics() -> RequestMetrics:
    return RequestMetrics()


@pytest.fixture
def client(metrics: RequestMetrics) -> httpx.AsyncClient:
    app = Litestar(
        [get_thing, create_thing, get_broken, get_unavailable],
        exception_handlers={Exception: ErrorAnswers("es")},
        after_exception=[note_unexpected],
        openapi_config=None,
        logging_config=None,
    )
    app.state.unexpected_errors = []
    app.asgi_handler = Envelope(app.asgi_handler, metrics)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://t")


async def test_a_sane_request_id_is_echoed(client: httpx.AsyncClient) -> None:
    answer = await client.get("/nope", headers={"X-Request-ID": "abc-1.2_3"})
    assert answer.headers["x-request-id"] == "abc-1.2_3"
    assert answer.json()["request_id"] == "abc-1.2_3"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "a\tb", '"><script>'])
async def test_an_odd_request_id_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.get("/api/v1/things/1", headers={"X-Request-ID": given})
    assert len(answer.headers["x-request-id"]) == 32


async def test_every_answer_has_the_security_headers(client: httpx.AsyncClient) -> None:
    for path in ("/api/v1/things/1", "/nope", "/broken"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in headers["content-security-policy"]


async def test_the_scheme_is_believed_of_our_own_proxy_alone(metrics: RequestMetrics) -> None:
    told = {"X-Forwarded-Proto": "https"}
    for behind_proxy in (False, True):
        app = Litestar([get_thing], openapi_config=None, logging_config=None)
        app.asgi_handler = Envelope(app.asgi_handler, metrics, behind_proxy=behind_proxy)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
            answer = await client.get("/api/v1/things/1", headers=told)
        assert ("strict-transport-security" in answer.headers) is behind_proxy


async def test_answers_of_the_api_are_not_stored(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/things/1")).headers["cache-control"] == "no-store"
    assert (await client.get("/api/nope")).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("tag", "status"), [('"3"', 304), ('W/"3"', 304), ('"2"', 200), ("*", 304)]
)
async def test_a_known_version_is_not_sent_again(
    client: httpx.AsyncClient, tag: str, status: int
) -> None:
    answer = await client.get("/api/v1/things/3", headers={"If-None-Match": tag})
    assert answer.status_code == status
    assert answer.headers["etag"] == '"3"'
    assert bool(answer.content) is (status == 200)


async def test_if_none_match_does_not_touch_errors(client: httpx.AsyncClient) -> None:
    assert (await client.get("/nope", headers={"If-None-Match": "*"})).status_code == 404


async def test_head_answers_as_get_without_a_body(
    client: httpx.AsyncClient, metrics: RequestMetrics
) -> None:
    for path in ("/api/v1/things/3", "/nope", "/broken"):
        request_id = {"X-Request-ID": "same"}
        got, head = [await client.request(m, path, headers=request_id) for m in ("GET", "HEAD")]
        assert (head.status_code, head.headers) == (got.status_code, got.headers), path
        assert head.headers["content-length"] == str(len(got.content)), path
        assert head.content == b"", path
    assert 'method="HEAD"' in metrics.exposition().decode()


async def test_head_of_a_known_version_is_304(client: httpx.AsyncClient) -> None:
    answer = await client.head("/api/v1/things/3", headers={"If-None-Match": '"3"'})
    assert answer.status_code == 304
    assert "content-length" not in answer.headers


async def test_allowed_methods_name_head_beside_get(client: httpx.AsyncClient) -> None:
    answer = await client.put("/api/v1/things/3")
    assert answer.status_code == 405
    assert {"GET", "HEAD"} <= set(answer.headers["allow"].split(", "))


async def test_head_is_no_way_to_a_route_without_get(client: httpx.AsyncClient) -> None:
    answer = await client.head("/things")
    assert answer.status_code == 405
    assert "HEAD" not in answer.headers["allow"]


async def test_metrics_name_routes_and_no_values(
    client: httpx.AsyncClient, metrics: RequestMetrics
) -> None:
    await client.get("/api/v1/things/77")
    await client.get("/secret-name")
    await client.request("BREW", "/api/v1/things/1")
    text = metrics.exposition().decode()
    assert (
        'route="/api/v1/things/{number:int}"' in text or 'route="/api/v1/things/{number}"' in text
    )
    assert 'route="unmatched"' in text
    assert 'method="other"' in text
    assert "things/77" not in text
    assert "secret-name" not in text
    assert "BREW" not in text


async def test_the_log_has_one_line_a_request_without_names(client: httpx.AsyncClient) -> None:
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    try:
        await client.get("/api/v1/things/5?q=Juan", headers={"Authorization": "Bearer secret"})
        await client.get("/broken")
        await client.get("/unavailable")
    finally:
        structlog.reset_defaults()
    lines = [json.loads(line) for line in stream.getvalue().splitlines() if line.startswith("{")]
    requests = [line for line in lines if line["event"] == "request"]
    assert [line["status"] for line in requests] == [200, 500, 503]
    assert requests[0]["route"].startswith("/api/v1/things/{number")
    assert "Juan" not in stream.getvalue()
    assert "secret" not in stream.getvalue()
    faults = [line for line in lines if line["event"] == "unexpected_error"]
    assert ["RuntimeError" in fault["traceback"] for fault in faults] == [True]
    outages = [line for line in lines if line["event"] == "unavailable"]
    assert [outage["causes"][-1] for outage in outages] == ["builtins.OSError"]


def test_a_traceback_leaves_out_what_the_database_quotes() -> None:
    class DriverError(Exception):
        sqlstate = "23505"

    def refused(name: str) -> None:
        raise IntegrityError("INSERT", {"name": name}, DriverError(f"Key (name)=({name})"))

    with pytest.raises(IntegrityError) as caught:
        refused("Juan")
    text = discreet_traceback(caught.value)
    assert "Key (name)=(Juan)" not in text
    assert "IntegrityError" in text


def test_a_server_tells_of_its_moves_and_of_nothing_else_that_goes_well() -> None:
    stream = io.StringIO()
    try:
        for level, told in (("info", ["decided"]), ("warning", [])):
            stream.truncate(0)
            configure_logging(level, "json", stream)
            logging.getLogger("tenancy.mover.keeper").info("decided")
            logging.getLogger("somebody.else").info("chatter")
            lines = stream.getvalue().replace("\0", "").splitlines()
            assert [json.loads(line)["event"] for line in lines] == told
    finally:
        structlog.reset_defaults()
        logging.getLogger("tenancy.mover").setLevel(logging.NOTSET)
