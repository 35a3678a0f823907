"""`Idempotency-Key` on sign-up and on the platform's routes: one key, one clinic, one answer."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from clinics import Clinic
from platform_operators import OperatorClient, operator_of
from tenancy.platform import KeyHolder
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName

SIGN_UP = "/api/tenants/signup"
TENANTS = "/api/v1/platform/tenants"
COMPANIES = "/admin/create-tenant"
VISITORS = UUID(int=0)


@pytest.fixture(scope="module")
async def operator(tenancy: Tenancy, api: httpx.AsyncClient) -> OperatorClient:
    return await operator_of(tenancy, api, "operator")


@pytest.fixture
async def visitor(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client with an address of its own, so that no other test uses its limits up."""
    address = f"198.51.{secrets.randbelow(256)}.{secrets.randbelow(256)}"
    transport = httpx.ASGITransport(app=app, client=(address, 1), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest.fixture
async def registry(
    tenancy: Tenancy, administrator: Callable[..., Awaitable[Any]]
) -> AsyncIterator[Any]:
    connection = await administrator(tenancy.options.registry_database)
    yield connection
    await connection.close()


def keyed(key: str | None = None) -> dict[str, str]:
    return {"Idempotency-Key": key or uuid4().hex}


def new_clinic(**changes: Any) -> dict[str, Any]:
    slug = f"c{secrets.token_hex(5)}"
    return {"name": slug, "slug": slug, "admin_email": f"admin@{slug}.example", **changes}


def sign_up(**changes: Any) -> dict[str, Any]:
    return new_clinic(password=f"secret {secrets.token_hex(8)}", **changes)


def assert_replayed(first: httpx.Response, again: httpx.Response) -> None:
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"


async def test_repeated_sign_up_gets_the_same_answer(visitor: httpx.AsyncClient) -> None:
    body, key = sign_up(), keyed()
    first = await visitor.post(SIGN_UP, json=body, headers=key)
    assert first.status_code == 201, first.text
    assert_replayed(first, await visitor.post(SIGN_UP, json=body, headers=key))
    for other in ({}, keyed()):
        refused = await visitor.post(SIGN_UP, json=body, headers=other)
        assert (refused.status_code, refused.json()["code"]) == (409, "slug_taken")


async def test_another_body_under_the_same_key_is_422(visitor: httpx.AsyncClient) -> None:
    body, key = sign_up(), keyed()
    assert (await visitor.post(SIGN_UP, json=body, headers=key)).status_code == 201
    for other in (sign_up(), body | {"password": "another password"}):
        answer = await visitor.post(SIGN_UP, json=other, headers=key)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
        assert body["slug"] not in answer.text


async def test_parallel_repeats_make_one_clinic(visitor: httpx.AsyncClient) -> None:
    body, key = sign_up(), keyed()
    answers = await asyncio.gather(
        *(visitor.post(SIGN_UP, json=body, headers=key) for _ in range(6))
    )
    made = [answer for answer in answers if answer.status_code == 201]
    refused = [answer for answer in answers if answer.status_code != 201]
    assert len({answer.content for answer in made}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in made) == 1
    assert {answer.json()["code"] for answer in refused} == {"idempotency_in_progress"}
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert_replayed(
        next(a for a in made if "idempotency-replayed" not in a.headers),
        await visitor.post(SIGN_UP, json=body, headers=key),
    )


async def test_failed_sign_up_leaves_the_key_free(visitor: httpx.AsyncClient) -> None:
    taken, key = sign_up(), keyed()
    assert (await visitor.post(SIGN_UP, json=taken)).status_code == 201
    for code, body in (("slug_taken", taken), ("validation_error", sign_up(country="XX"))):
        assert (await visitor.post(SIGN_UP, json=body, headers=key)).json()["code"] == code
    assert (await visitor.post(SIGN_UP, json=sign_up(), headers=key)).status_code == 201


async def test_repeated_sign_ups_are_counted_like_others(
    visitor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controllers.tenants.SIGN_UPS_MAX", 2)
    body, key = sign_up(), keyed()
    answers = [await visitor.post(SIGN_UP, json=body, headers=key) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]


async def test_an_odd_key_is_400(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.post(SIGN_UP, json=sign_up(), headers=keyed("x" * 256))
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


async def test_key_of_a_killed_process_is_free_after_a_while(
    visitor: httpx.AsyncClient, tenancy: Tenancy, registry: Any
) -> None:
    body, key = sign_up(), keyed()
    repeats, name = tenancy.store.repeats, key["Idempotency-Key"]
    killed = KeyHolder(caller_id=VISITORS, key=name, attempt=uuid4())
    first = await visitor.post(SIGN_UP, json=body | sign_up(), headers=key)
    fingerprint = await registry.fetchval(
        "SELECT fingerprint FROM registry.idempotency_record WHERE key = $1", name
    )
    assert first.status_code == 201
    await registry.execute("DELETE FROM registry.idempotency_record WHERE key = $1", name)
    await repeats.hold(killed, method="POST", path=SIGN_UP, fingerprint=fingerprint)
    waiting = await visitor.post(SIGN_UP, content=first.request.content, headers=key)
    assert (waiting.status_code, waiting.json()["code"]) == (409, "idempotency_in_progress")
    await registry.execute(
        "UPDATE registry.idempotency_record SET held_until = now() WHERE key = $1", name
    )
    assert (await visitor.post(SIGN_UP, json=body, headers=key)).status_code == 201
    # Whoever comes back from the dead changes nothing any more.
    await repeats.keep(killed, status_code=500, headers={}, body=b"")
    await repeats.let_go(killed)
    assert (await visitor.post(SIGN_UP, json=body, headers=key)).status_code == 201


async def test_a_key_is_free_again_after_a_day_and_old_records_go(
    visitor: httpx.AsyncClient, registry: Any
) -> None:
    old, other = keyed(), keyed()
    for key in (old, other):
        assert (await visitor.post(SIGN_UP, json=sign_up(), headers=key)).status_code == 201
    names = [key["Idempotency-Key"] for key in (old, other)]
    await registry.execute(
        "UPDATE registry.idempotency_record SET expires_at = now() WHERE key = ANY ($1)", names
    )
    again = await visitor.post(SIGN_UP, json=sign_up(), headers=old)
    assert (again.status_code, "idempotency-replayed" in again.headers) == (201, False)
    left = await registry.fetch(
        "SELECT key FROM registry.idempotency_record WHERE key = ANY ($1)", names
    )
    assert [key for (key,) in left] == names[:1]


async def test_operator_makes_a_clinic_once_and_its_password_is_shown_once(
    operator: OperatorClient, registry: Any
) -> None:
    body, key = new_clinic(plan="empresa"), keyed()
    first = await operator.post(TENANTS, body, headers=key)
    again = await operator.post(TENANTS, body, headers=key)
    assert (first.status_code, again.status_code) == (201, 201), again.text
    password = first.json()["admin"]["temporary_password"]
    assert password
    shown_later = first.json() | {"admin": first.json()["admin"] | {"temporary_password": None}}
    assert again.json() == shown_later
    for name in ("etag", "location", "cache-control"):
        assert again.headers[name] == first.headers[name]
    await assert_kept_nowhere(registry, password)


async def test_given_passwords_are_kept_nowhere(
    visitor: httpx.AsyncClient, operator: OperatorClient, registry: Any
) -> None:
    signed_up, password = sign_up(), f"secret {secrets.token_hex(8)}"
    made = new_clinic(plan="empresa", admin_password=password)
    assert (await visitor.post(SIGN_UP, json=signed_up, headers=keyed())).status_code == 201
    assert (await operator.post(TENANTS, made, headers=keyed())).status_code == 201
    await assert_kept_nowhere(registry, signed_up["password"])
    await assert_kept_nowhere(registry, password)


async def assert_kept_nowhere(registry: Any, password: str) -> None:
    rows = await registry.fetch("SELECT r::text FROM registry.idempotency_record r")
    assert rows
    for (row,) in rows:
        assert password not in row
        assert password.encode().hex() not in row


async def test_company_of_the_earlier_system_is_made_once(operator: OperatorClient) -> None:
    name, key = f"c{secrets.token_hex(5)}", keyed()
    query = {"name": name, "subdomain": name}
    first, again = [await operator.post(COMPANIES, params=query, headers=key) for _ in range(2)]
    assert (first.status_code, again.status_code) == (200, 200), again.text
    assert again.json()["db_name"] == first.json()["db_name"]
    assert again.json()["admin"]["temporary_password"] is None
    other = await operator.post(COMPANIES, params=query | {"name": "other"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_keys_of_another_operator_and_of_visitors_are_other_keys(
    operator: OperatorClient, visitor: httpx.AsyncClient, tenancy: Tenancy, api: httpx.AsyncClient
) -> None:
    key, second = keyed(), await operator_of(tenancy, api, "operator")
    for caller in (operator, second):
        made = await caller.post(TENANTS, new_clinic(plan="empresa"), headers=key)
        assert made.status_code == 201, made.text
    assert (await visitor.post(SIGN_UP, json=sign_up(), headers=key)).status_code == 201


async def test_repeated_change_of_status_is_no_stale_one(
    operator: OperatorClient, make_clinic: Callable[..., Awaitable[Clinic]]
) -> None:
    clinic, other = await make_clinic(StrategyName.ROW), await make_clinic(StrategyName.ROW)
    for version, action in enumerate(("suspend", "resume", "archive"), start=1):
        headers = {"If-Match": f'"{version}"', **keyed()}
        url = f"{TENANTS}/{clinic.tenant_id}/{action}"
        first, again = [await operator.post(url, headers=headers) for _ in range(2)]
        assert first.status_code == 200, first.text
        assert_replayed(first, again)
        elsewhere = await operator.post(f"{TENANTS}/{other.tenant_id}/{action}", headers=headers)
        assert elsewhere.json()["code"] == "idempotency_key_reused"
