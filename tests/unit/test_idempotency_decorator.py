"""The decorator adds what a key needs and leaves the handler as it is."""

import inspect
from typing import Any
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery, JSONBody, SkipValidation

from app.problem_documents import ErrorAnswers
from controllers.fingerprints import RequestFingerprints
from controllers.idempotency import KEY, idempotent
from domain.actor import Actor

ANONYMOUS = Actor(user_id=None, kind="anonymous")
USER = Actor(user_id=uuid4())


@post("/echo")
@idempotent
async def echo(data: JSONBody[dict[str, int]], times: FromQuery[int] = 1) -> dict[str, int]:
    """Return the body, multiplied."""
    return {name: value * times for name, value in data.items()}


@post("/who")
@idempotent
async def who(actor: NamedDependency[SkipValidation[Actor]]) -> str:
    return actor.kind


def client_of(actor: Actor) -> httpx.AsyncClient:
    def provide_actor() -> Any:
        return actor

    def provide_session() -> Any:
        return None

    def provide_fingerprints() -> Any:
        return RequestFingerprints(("secret",))

    app = Litestar(
        [echo, who],
        dependencies={
            "actor": Provide(provide_actor, sync_to_thread=False),
            "db_session": Provide(provide_session, sync_to_thread=False),
            "fingerprints": Provide(provide_fingerprints, sync_to_thread=False),
        },
        exception_handlers={Exception: ErrorAnswers("es")},
        openapi_config=None,
        logging_config=None,
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://t")


async def test_without_a_key_the_handler_runs_as_ever() -> None:
    answer = await client_of(USER).post("/echo?times=3", json={"a": 2})
    assert (answer.status_code, answer.json()) == (201, {"a": 6})


async def test_nobody_has_no_keys() -> None:
    client = client_of(ANONYMOUS)
    answer = await client.post("/echo", json={"a": 2}, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()) == (201, {"a": 2})


async def test_the_handler_gets_what_it_asks_for_itself() -> None:
    assert (await client_of(USER).post("/who")).text == "user"


def test_the_handlers_own_signature_is_kept() -> None:
    signature = inspect.signature(echo.fn)
    assert list(signature.parameters)[:2] == ["data", "times"]
    assert set(signature.parameters) >= {"request", "db_session", "actor", "idempotency_key"}
    assert echo.fn.__doc__ == "Return the body, multiplied."


@pytest.mark.parametrize("key", ["a", "6f0c-1", '"quoted"', "two words", "x" * 255])
def test_a_key_is_visible_ascii(key: str) -> None:
    assert KEY.fullmatch(key)


@pytest.mark.parametrize("key", ["", " a", "a ", "x" * 256, "ñ", "a\x7f", "a\n"])
def test_anything_else_is_no_key(key: str) -> None:
    assert not KEY.fullmatch(key)
