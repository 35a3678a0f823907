"""Answers under the platform's keys are kept whoever goes away, and their failure costs nobody the answer."""

import asyncio
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from controllers.platform_answers import PlatformAnswers
from domain.operations.idempotency import KeyedRequest, StoredResponse
from tenancy.platform import KeyHolder, RegistryUnavailableError, RepeatRecords

REQUEST = KeyedRequest(user_id=uuid4(), key="k", method="POST", path="/", fingerprints=(b"f",))
RESPONSE = StoredResponse(status_code=201, headers={}, body=b"{}")
NOWHERE = "postgresql+asyncpg://nobody@127.0.0.1:1/none"


def answers_in(**repeats: Any) -> PlatformAnswers:
    platform: Any = SimpleNamespace(repeats=SimpleNamespace(**repeats))
    return PlatformAnswers(platform)


async def test_answer_is_kept_though_its_caller_has_gone_away() -> None:
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def keep(_holder: KeyHolder, **_answer: Any) -> None:
        begun.set()
        await may_end.wait()
        ended.set()

    storing = asyncio.create_task(answers_in(keep=keep).store(REQUEST, RESPONSE))
    await begun.wait()
    storing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await storing
    may_end.set()
    async with asyncio.timeout(1):
        await ended.wait()


async def test_answer_that_cannot_be_kept_is_given_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def refuse(_holder: KeyHolder, **_answer: Any) -> None:
        raise RegistryUnavailableError from ConnectionResetError()

    answers = answers_in(keep=refuse, let_go=refuse)
    await answers.store(REQUEST, RESPONSE)
    await answers.release(REQUEST)
    assert "an answer under a key could not be kept: ConnectionResetError" in caplog.text
    assert "a key could not be freed: ConnectionResetError" in caplog.text


async def test_registry_that_is_down_is_told_in_its_own_words() -> None:
    repeats = RepeatRecords(create_async_engine(NOWHERE))
    holder = KeyHolder(caller_id=uuid4(), key="k", attempt=uuid4())
    with pytest.raises(RegistryUnavailableError):
        await repeats.keep(holder, status_code=201, headers={}, body=b"")
    with pytest.raises(RegistryUnavailableError):
        await repeats.let_go(holder)
