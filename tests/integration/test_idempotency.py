"""One key, one effect, one answer: also in parallel, and never across clinics or users."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from msgspec import structs
from sqlalchemy import func, select, update

from app.factory import create_app
from app.settings import Settings
from clinics import Clinic
from domain.operations.models import IdempotencyRecord
from stand_ins import StandIns
from tenancy.modes import Mode
from tenancy.runtime import Tenancy

NUMBERS = "/api/v1/stand-ins/numbers"
TAGGED = "/api/v1/stand-ins/tagged-numbers"


@pytest.fixture(scope="module")
async def frame(settings: Settings, tenancy: Tenancy) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_app(settings, tenancy, [StandIns]))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


class Caller:
    """Posts as one user of one clinic."""

    def __init__(self, frame: httpx.AsyncClient, clinic: Clinic, role: str = "admin") -> None:
        self._frame, self._clinic, self._role = frame, clinic, role

    async def post(
        self, key: str | bytes | None, body: object, path: str = NUMBERS
    ) -> httpx.Response:
        headers: dict[str, str | bytes] = {
            "Host": self._clinic.host,
            "Authorization": f"Bearer {await self._clinic.token(self._role)}",
        }
        if key is not None:
            headers["Idempotency-Key"] = key
        return await self._frame.post(path, json=body, headers=headers)


@pytest.fixture
def caller(frame: httpx.AsyncClient, clinic_a: Clinic) -> Caller:
    return Caller(frame, clinic_a)


def fresh() -> str:
    return uuid4().hex


async def test_a_repeat_gets_the_same_answer_and_no_second_effect(caller: Caller) -> None:
    key, kind = fresh(), fresh()
    first = await caller.post(key, {"kind": kind})
    second = await caller.post(key, {"kind": kind})
    assert first.status_code == second.status_code == 201
    assert first.content == second.content == b'{"number":"000001"}'
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert (await caller.post(fresh(), {"kind": kind})).json()["number"] == "000002"


async def test_headers_of_the_answer_are_replayed(caller: Caller) -> None:
    key, body = fresh(), {"kind": fresh()}
    first, second = [await caller.post(key, body, TAGGED) for _ in range(2)]
    for name in ("etag", "location", "content-type"):
        assert first.headers[name] == second.headers[name]
    assert second.headers["etag"] == '"1"'


async def test_without_a_key_every_post_counts(caller: Caller) -> None:
    body = {"kind": fresh()}
    numbers = [(await caller.post(None, body)).json()["number"] for _ in range(2)]
    assert numbers == ["000001", "000002"]


async def test_twenty_parallel_posts_have_one_effect(caller: Caller) -> None:
    key, kind = fresh(), fresh()
    answers = await asyncio.gather(
        *(caller.post(key, {"kind": kind, "wait_s": 0.1}) for _ in range(20))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert {answer.content for answer in answers} == {b'{"number":"000001"}'}
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 19
    assert (await caller.post(None, {"kind": kind})).json()["number"] == "000002"


@pytest.mark.parametrize(
    ("path", "body"),
    [(NUMBERS, {"kind": "other"}), (TAGGED, {"kind": "same"})],
    ids=["body", "path"],
)
async def test_the_same_key_for_something_else_is_422(
    caller: Caller, path: str, body: object
) -> None:
    key = fresh()
    assert (await caller.post(key, {"kind": "same"})).status_code == 201
    answer = await caller.post(key, body, path)
    assert answer.status_code == 422
    assert answer.json()["code"] == "idempotency_key_reused"


async def test_a_repeat_is_recognised_after_the_secret_changed(
    frame: httpx.AsyncClient, settings: Settings, tenancy: Tenancy, clinic_a: Clinic
) -> None:
    key, body = fresh(), {"kind": fresh()}
    assert (await Caller(frame, clinic_a).post(key, body)).status_code == 201
    rotated = structs.replace(
        settings, secret_key=fresh() * 2, previous_secret_keys=(settings.secret_key,)
    )
    transport = httpx.ASGITransport(app=create_app(rotated, tenancy, [StandIns]))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as later:
        again = await Caller(later, clinic_a).post(key, body)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")


async def test_what_is_kept_of_a_body_is_no_plain_hash(
    caller: Caller, tenancy: Tenancy, clinic_a: Clinic
) -> None:
    key, kind = fresh(), fresh()
    answer = await caller.post(key, {"kind": kind})
    async with tenancy.session(clinic_a.tenant_id, Mode.READ) as session:
        statement = select(IdempotencyRecord.body_sha256).where(IdempotencyRecord.key == key)
        kept = await session.scalar(statement)
    assert kept is not None
    assert kept != hashlib.sha256(answer.request.content).digest()


async def test_a_failed_request_leaves_the_key_free(caller: Caller) -> None:
    key, kind = fresh(), fresh()
    assert (await caller.post(key, {"kind": kind, "fails": True})).status_code == 404
    retried = await caller.post(key, {"kind": kind})
    assert retried.status_code == 201
    assert retried.json()["number"] == "000001"


async def test_an_invalid_body_leaves_the_key_free(caller: Caller) -> None:
    key = fresh()
    assert (await caller.post(key, {"odd": 1})).status_code == 422
    assert (await caller.post(key, {"kind": fresh()})).status_code == 201


async def test_whoever_waits_too_long_is_told_that_it_is_in_progress(caller: Caller) -> None:
    key, body = fresh(), {"kind": fresh(), "wait_s": 5.7}
    slow = asyncio.create_task(caller.post(key, body))
    await asyncio.sleep(0.3)
    waiting = await caller.post(key, body)
    assert waiting.status_code == 409
    assert waiting.json()["code"] == "idempotency_in_progress"
    assert waiting.headers["retry-after"] == "1"
    assert (await slow).status_code == 201


@pytest.mark.parametrize("key", [b"", b" ", b"x" * 256, "ñ".encode(), b"a\tb"])
async def test_an_odd_key_is_400(caller: Caller, key: bytes) -> None:
    answer = await caller.post(key, {"kind": "x"})
    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_request"


async def test_keys_of_another_user_and_another_clinic_are_other_keys(
    frame: httpx.AsyncClient, clinic_a: Clinic, clinic_b: Clinic
) -> None:
    key, kind = fresh(), fresh()
    callers = [
        Caller(frame, clinic_a),
        Caller(frame, clinic_a, "operator"),
        Caller(frame, clinic_b),
    ]
    answers = [await caller.post(key, {"kind": kind}) for caller in callers]
    assert [answer.json()["number"] for answer in answers] == ["000001", "000002", "000001"]


async def test_a_key_is_free_again_after_a_day_and_old_records_go(
    caller: Caller, tenancy: Tenancy, clinic_a: Clinic
) -> None:
    old, other, kind = fresh(), fresh(), fresh()
    await caller.post(old, {"kind": kind})
    await caller.post(other, {"kind": kind})
    async with tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
        expired = update(IdempotencyRecord).values(expires_at=func.now())
        await session.execute(expired.where(IdempotencyRecord.key.in_([old, other])))
    again = await caller.post(old, {"kind": kind})
    assert again.json()["number"] == "000003"
    assert "idempotency-replayed" not in again.headers
    async with tenancy.session(clinic_a.tenant_id, Mode.READ) as session:
        left = (await session.execute(select(IdempotencyRecord.key))).scalars().all()
    assert old in left
    assert other not in left
