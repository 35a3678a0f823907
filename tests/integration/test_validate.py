"""`GET /api/tenants/validate`: is there a clinic at this host, and which ones are like it (decisions D08-D10)."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from clinics import Clinic
from controllers.tenants import VALIDATIONS_MAX
from tenancy.platform import Platform, PlatformOptions, make_platform
from tenancy.registry.records import SYSTEM
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName

PATH = "/api/tenants/validate"

MakeClinic = Callable[..., Awaitable[Clinic]]


@pytest.fixture
def platform(tenancy: Tenancy) -> Platform:
    options = PlatformOptions(
        base_domains=("localhost", "clinics.example"),
        signup_policy="open",
        signup_strategy=StrategyName.ROW,
    )
    return make_platform(tenancy, options)


async def validate(api: httpx.AsyncClient, host: str) -> httpx.Response:
    return await api.get(PATH, headers={"Host": host})


@pytest.mark.parametrize(
    "spelling",
    ["{slug}.localhost", "{slug}.localhost:8000", "{SLUG}.LocalHost.", "{slug}.clinics.example"],
)
async def test_host_of_a_clinic_is_valid(
    api: httpx.AsyncClient, clinic_a: Clinic, clinic_b: Clinic, spelling: str
) -> None:
    host = spelling.format(slug=clinic_a.slug, SLUG=clinic_a.slug.upper())
    answer = await validate(api, host)
    assert answer.status_code == 200
    assert answer.json() == {
        "valid": True,
        "tenant": {"id": str(clinic_a.tenant_id), "name": f"Clinic {clinic_a.slug}"},
    }
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert "Host" in answer.headers["vary"]
    other = await validate(api, clinic_b.host)
    assert other.json()["tenant"]["id"] == str(clinic_b.tenant_id)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("random123.localhost:8000", "random123.localhost"),
        ("evillocalhost", "evillocalhost"),
        ("a.b.localhost", "a.b.localhost"),
        ("unknown.example.org.", "unknown.example.org"),
        ("127.0.0.1:8000", "127.0.0.1:8000"),
        ("[::1]", "[::1]"),
    ],
)
async def test_unknown_host_is_answered_and_not_kept(
    api: httpx.AsyncClient, host: str, shown: str
) -> None:
    answer = await validate(api, host)
    assert answer.status_code == 200
    body = answer.json()
    assert body["valid"] is False
    assert body["reason"] == "not_found"
    assert body["message"] == f"La organización {shown} no existe"
    assert answer.headers["cache-control"] == "no-store"


async def test_no_token_and_no_tenant_is_needed(api: httpx.AsyncClient) -> None:
    answer = await api.get(
        PATH,
        headers={"Host": "nobody.localhost", "Authorization": "Bearer x", "X-Tenant-ID": "other"},
    )
    assert answer.status_code == 200
    assert answer.json()["valid"] is False


async def test_suggestions_are_at_most_three_hosts_with_similar_names(
    api: httpx.AsyncClient, make_clinic: MakeClinic, platform: Platform
) -> None:
    stem = f"zq{secrets.token_hex(5)}"
    for suffix in ("lima", "lima2", "lima3", "lima4"):
        await make_clinic(StrategyName.ROW, slug=f"{stem}-{suffix}")
    hidden = await make_clinic(StrategyName.ROW, slug=f"{stem}-limx", listed_in_suggestions=False)
    gone = await make_clinic(StrategyName.ROW, slug=f"{stem}-limy")
    await platform.suspend(gone.tenant_id, actor=SYSTEM)
    suggestions = (await validate(api, f"{stem}-limaa.localhost")).json()["suggestions"]
    assert len(suggestions) == 3
    assert f"{stem}-lima.localhost" in suggestions
    assert not {hidden.host, gone.host} & set(suggestions)
    assert (await validate(api, "xkcdxkcd.localhost")).json()["suggestions"] == []


async def test_suspended_clinic_says_so_at_once(
    api: httpx.AsyncClient, make_clinic: MakeClinic, platform: Platform
) -> None:
    clinic = await make_clinic(StrategyName.ROW)
    other = await make_clinic(StrategyName.ROW)
    assert (await validate(api, clinic.host)).json()["valid"] is True
    await platform.suspend(clinic.tenant_id, actor=SYSTEM)
    body: dict[str, Any] = (await validate(api, clinic.host)).json()
    assert (body["valid"], body["reason"], body["suggestions"]) == (False, "suspended", [])
    assert (await validate(api, other.host)).json()["valid"] is True
    await platform.resume(clinic.tenant_id, actor=SYSTEM)
    assert (await validate(api, clinic.host)).json()["valid"] is True


async def test_archived_clinic_is_not_there(
    api: httpx.AsyncClient, make_clinic: MakeClinic, platform: Platform
) -> None:
    clinic = await make_clinic(StrategyName.ROW)
    await platform.archive(clinic.tenant_id, actor=SYSTEM)
    body = (await validate(api, clinic.host)).json()
    assert body["reason"] == "not_found"
    assert clinic.host not in body["suggestions"]


async def test_too_many_questions_are_refused(app: Any, clinic_a: Clinic) -> None:
    transport = httpx.ASGITransport(app=app, client=(f"192.0.2.{secrets.randbelow(200)}", 1))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{clinic_a.host}") as client:
        answers = [await client.get(PATH) for _ in range(VALIDATIONS_MAX + 1)]
    assert {answer.status_code for answer in answers[:-1]} == {200}
    assert answers[-1].status_code == 429
    assert answers[-1].json()["code"] == "rate_limited"
    assert int(answers[-1].headers["retry-after"]) >= 1
