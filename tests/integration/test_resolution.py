"""Which clinic a request is for, over HTTP: no combination of names reaches another clinic."""

import asyncio
from itertools import product

import httpx
import pytest

from clinics import PASSWORD, Clinic
from tenancy.runtime import Tenancy
from tenancy.tenant import TenantStatus

USERS = "/api/v1/users"
LOGIN = "/api/personnel/auth/login"


async def usernames(answer: httpx.Response) -> list[str]:
    return [item["username"] for item in answer.json()["items"]]


async def send(api: httpx.AsyncClient, token: str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await api.get(
        USERS, headers={"Authorization": f"Bearer {token}", "Host": "127.0.0.1", **named}
    )


@pytest.mark.parametrize("way", ["Host", "X_Tenant_ID", "X_Organization_ID"])
async def test_each_way_of_naming_reaches_the_clinic(
    api: httpx.AsyncClient, clinic_a: Clinic, way: str
) -> None:
    values = (
        [clinic_a.host]
        if way == "Host"
        else [clinic_a.slug, clinic_a.host, str(clinic_a.tenant_id)]
    )
    for value in values:
        answer = await send(api, await clinic_a.token(), **{way: value})
        assert answer.status_code == 200, answer.text
        assert clinic_a.admin_username in await usernames(answer)


async def test_a_token_opens_its_own_clinic_alone_in_every_combination(
    api: httpx.AsyncClient, clinic_a: Clinic, clinic_b: Clinic
) -> None:
    token = await clinic_a.token()
    for combination in product((None, clinic_a, clinic_b), repeat=3):
        named = [clinic for clinic in combination if clinic is not None]
        host, header, organization = combination
        headers = {"Host": host.host if host else "127.0.0.1"}
        if header:
            headers["X_Tenant_ID"] = header.slug
        if organization:
            headers["X_Organization_ID"] = str(organization.tenant_id)
        answer = await send(api, token, **headers)
        if not named:
            assert (answer.status_code, answer.json()["code"]) == (400, "tenant_not_resolved")
        elif clinic_b in named:
            assert (answer.status_code, answer.json()["code"]) == (403, "tenant_mismatch")
        else:
            assert answer.status_code == 200


async def test_two_headers_of_one_name_must_agree_too(
    api: httpx.AsyncClient, clinic_a: Clinic, clinic_b: Clinic
) -> None:
    headers = [
        ("Authorization", f"Bearer {await clinic_a.token()}"),
        ("X-Tenant-ID", clinic_a.slug),
        ("X-Tenant-ID", clinic_b.slug),
    ]
    assert (await api.get(USERS, headers=headers)).json()["code"] == "tenant_mismatch"


async def login(
    api: httpx.AsyncClient, clinic: Clinic, host: str, **names: str | None
) -> httpx.Response:
    body = {"username": clinic.admin_username, "password": PASSWORD, "tenant_id": names.get("body")}
    headers = {"Host": host}
    if names.get("header"):
        headers["X-Tenant-ID"] = str(names["header"])
    return await api.post(LOGIN, json={k: v for k, v in body.items() if v}, headers=headers)


async def test_a_login_may_name_its_clinic_in_the_body(
    api: httpx.AsyncClient, clinic_a: Clinic
) -> None:
    for value in (clinic_a.slug, clinic_a.host, str(clinic_a.tenant_id)):
        answer = await login(api, clinic_a, "127.0.0.1", body=value)
        assert answer.status_code == 200, answer.text
        assert answer.json()["tenant"]["id"] == str(clinic_a.tenant_id)


async def test_a_login_that_names_two_clinics_is_refused(
    api: httpx.AsyncClient, clinic_a: Clinic, clinic_b: Clinic
) -> None:
    by_host = await login(api, clinic_a, clinic_b.host, body=clinic_a.slug)
    by_header = await login(api, clinic_a, "127.0.0.1", header=clinic_b.slug, body=clinic_a.slug)
    assert {by_host.json()["code"], by_header.json()["code"]} == {"tenant_mismatch"}
    nowhere = await login(api, clinic_a, "127.0.0.1")
    assert (nowhere.status_code, nowhere.json()["code"]) == (400, "tenant_not_resolved")
    unknown = await login(api, clinic_a, "127.0.0.1", body="nobody")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "tenant_not_found")


async def test_a_users_login_does_not_work_in_another_clinic(
    api: httpx.AsyncClient, clinic_a: Clinic, clinic_b: Clinic
) -> None:
    answer = await login(api, clinic_a, clinic_b.host)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")


@pytest.mark.parametrize("name", ["nobody", "1", "default", "public", "clinica_demo"])
async def test_a_header_that_names_nobody_is_404(
    api: httpx.AsyncClient, clinic_a: Clinic, name: str
) -> None:
    answer = await send(api, await clinic_a.token(), X_Tenant_ID=name)
    assert (answer.status_code, answer.json()["code"]) == (404, "tenant_not_found")


async def test_requests_of_two_clinics_at_once_do_not_mix(
    clinic_a: Clinic, clinic_b: Clinic
) -> None:
    answers = await asyncio.gather(*(clinic.get(USERS) for clinic in [clinic_a, clinic_b] * 20))
    for clinic, answer in zip([clinic_a, clinic_b] * 20, answers, strict=True):
        other = clinic_b if clinic is clinic_a else clinic_a
        names = await usernames(answer)
        assert clinic.admin_username in names
        assert other.admin_username not in names


async def test_a_browser_at_an_unknown_host_sees_the_page(api: httpx.AsyncClient) -> None:
    headers = {"Host": "nobody.localhost:8000", "Accept": "text/html"}
    page = await api.get("/ingreso", headers=headers)
    assert page.status_code == 404
    assert "Organización no encontrada" in page.text
    assert "nobody.localhost" in page.text
    problem = await api.get("/api/usuarios/", headers=headers)
    assert problem.headers["content-type"] == "application/problem+json"


async def set_status(tenancy: Tenancy, clinic: Clinic, status: TenantStatus) -> None:
    async with tenancy.registry_engine.begin() as connection:
        await connection.exec_driver_sql(
            "UPDATE registry.tenant SET status = $1 WHERE id = $2", (status.value, clinic.tenant_id)
        )
    tenancy.directory.forget(clinic.tenant_id)


@pytest.mark.parametrize(
    ("status", "read", "write", "logs_in"),
    [
        (TenantStatus.PAST_DUE, 200, 428, 200),
        (TenantStatus.SUSPENDED, 200, 403, 200),
        (TenantStatus.CANCELLED, 200, 403, 403),
        (TenantStatus.PROVISIONING, 503, 503, 503),
        (TenantStatus.ARCHIVED, 404, 404, 404),
        (TenantStatus.ACTIVE, 200, 428, 200),
    ],
)
async def test_a_clinics_status_decides_what_it_may(
    tenancy: Tenancy, clinic_b: Clinic, status: TenantStatus, read: int, write: int, logs_in: int
) -> None:
    await clinic_b.token()
    await set_status(tenancy, clinic_b, status)
    try:
        reading = await clinic_b.get("/api/v1/settings/ai")
        writing = await clinic_b.put("/api/v1/settings/ai", {"data": {}})
        login_answer = await clinic_b.login(clinic_b.admin_username)
    finally:
        await set_status(tenancy, clinic_b, TenantStatus.ACTIVE)
    assert [a.status_code for a in (reading, writing, login_answer)] == [read, write, logs_in]
    assert reading.headers.get("x-subscription-status") == (
        "past_due" if status == "past_due" else None
    )
    if write == 403:
        assert writing.json()["code"] == "tenant_suspended"
    if read == 503:
        assert "retry-after" in reading.headers
