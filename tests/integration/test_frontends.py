"""The earlier systems' frontends work unchanged, in every clinic and in one that has just signed up."""

import secrets
import time
from collections.abc import AsyncIterator

import httpx
import jwt
import pytest
from litestar import Litestar
from msgspec import structs

from app.factory import create_app
from app.settings import Settings
from auth.passwords import PasswordHasher
from clinics import Clinic
from frontends import API_HOST, DentalFrontend, DjangoAuthClient
from surgeries import Surgery, surgery_at
from tenancy.registry.records import SYSTEM
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName

USABLE_S_MAX = 1.0


@pytest.fixture
async def browser(app: Litestar, clinic_a: Clinic) -> AsyncIterator[DjangoAuthClient]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url=f"http://{clinic_a.host}:8000"
    ) as http:
        yield DjangoAuthClient(http)


async def test_occupational_frontend_logs_in_reads_and_leaves(
    browser: DjangoAuthClient, clinic_a: Clinic
) -> None:
    data = await browser.login(clinic_a.admin_username, clinic_a.password)
    assert {"id", "username", "email", "user_type"} <= set(data["user"])
    assert data["tenant"] == {"id": str(clinic_a.tenant_id), "name": f"Clinic {clinic_a.slug}"}
    user = await browser.get_current_user()
    assert user["settings"] == {}
    assert {name: user[name] for name in ("id", "username", "email", "user_type")} == {
        name: data["user"][name] for name in ("id", "username", "email", "user_type")
    }
    left_with = dict(browser.storage)
    assert await browser.logout() == {"message": "Logout exitoso"}
    browser.storage = left_with
    with pytest.raises(httpx.HTTPStatusError):
        await browser.get_current_user()
    assert (browser.storage, browser.location) == ({}, "/ingreso")


async def test_wrong_password_is_told_in_the_words_of_the_earlier_system(
    browser: DjangoAuthClient, clinic_a: Clinic
) -> None:
    with pytest.raises(httpx.HTTPStatusError) as refused:
        await browser.login(clinic_a.admin_username, "admin123")
    assert refused.value.response.status_code == 401
    assert refused.value.response.json()["detail"] == "Credenciales inválidas"


async def test_occupational_frontend_goes_on_with_its_first_refresh_token(
    browser: DjangoAuthClient, clinic_a: Clinic, settings: Settings
) -> None:
    await browser.login(clinic_a.admin_username, clinic_a.password)
    first = browser.storage["refresh"]
    for _ in range(5):
        kid = jwt.get_unverified_header(browser.storage["access"])["kid"]
        claims = jwt.decode(browser.storage["access"], options={"verify_signature": False})
        expired = jwt.encode(
            claims | {"exp": int(time.time()) - 60}, settings.secret_key, headers={"kid": kid}
        )
        browser.storage["access"] = expired
        answer = await browser.call("GET", "/api/v1/patients")
        assert answer.status_code == 200
        assert browser.storage["access"] != expired
        assert browser.storage["refresh"] == first


@pytest.fixture
async def curl(
    settings: Settings, tenancy: Tenancy, placement: StrategyName
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a platform whose new clinics are kept apart by this strategy."""
    wanted = structs.replace(settings, signup_strategy=placement.value)
    address = f"192.0.2.{secrets.randbelow(256)}"
    transport = httpx.ASGITransport(app=create_app(wanted, tenancy), client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        yield client


async def test_walk_of_the_occupational_system(
    curl: httpx.AsyncClient, tenancy: Tenancy, placement: StrategyName
) -> None:
    slug = f"clinica-test-{secrets.token_hex(3)}"
    credentials = {"admin_email": "admin@test.com", "password": "test1234"}
    signup = await curl.post(
        "/api/tenants/signup", json={"name": f"Clínica Test {slug}", "slug": slug, **credentials}
    )
    assert signup.status_code == 201, signup.text
    base = f"http://{slug}.localhost:8000"

    valid = await curl.get(f"{base}/api/tenants/validate")
    tenant = {"id": signup.json()["tenant"]["id"], "name": f"Clínica Test {slug}"}
    assert valid.json() == {"valid": True, "tenant": tenant}

    body = {"username": "admin@test.com", "password": "test1234"}
    login = await curl.post(f"{base}/api/personnel/auth/login", json=body)
    assert login.status_code == 200, login.text
    assert login.json()["user"]["user_type"] == "admin"
    assert login.json()["tenant"] == tenant

    invalid = await curl.get("http://random123.localhost:8000/api/tenants/validate")
    assert invalid.status_code == 200
    assert (invalid.json()["valid"], invalid.json()["reason"]) == (False, "not_found")
    typo = await curl.get(f"http://{slug}x.localhost:8000/api/tenants/validate")
    assert f"{slug}.localhost" in typo.json()["suggestions"]

    resolved = await tenancy.directory.by_slug(slug)
    assert resolved is not None
    assert resolved.placement.strategy == placement


async def test_new_clinic_is_usable_within_a_second(curl: httpx.AsyncClient) -> None:
    """The best of three, as others may be using the machine."""
    needed_s = []
    for _ in range(3):
        slug = f"c{secrets.token_hex(5)}"
        body = {"name": slug, "slug": slug, "admin_email": "a@test.com", "password": "test1234"}
        begun = time.monotonic()
        assert (await curl.post("/api/tenants/signup", json=body)).status_code == 201
        login = await curl.post(
            f"http://{slug}.localhost:8000/api/token/",
            json={"email": "a@test.com", "password": "test1234"},
        )
        token = {"Authorization": f"Bearer {login.json()['access']}"}
        url = f"http://{slug}.localhost:8000/api/v1/patients"
        person = {"given_names": "Rosa", "family_name": "Quispe"}
        assert (await curl.post(url, json=person, headers=token)).status_code == 201
        assert len((await curl.get(url, headers=token)).json()["items"]) == 1
        needed_s.append(time.monotonic() - begun)
    assert min(needed_s) < USABLE_S_MAX, needed_s


@pytest.fixture(scope="module")
async def surgery(clinic_a: Clinic) -> Surgery:
    return await surgery_at(clinic_a)


async def test_dental_frontend_logs_in_and_books(
    api: httpx.AsyncClient, clinic_a: Clinic, surgery: Surgery
) -> None:
    frontend = DentalFrontend(api, clinic_a.slug)
    login = await frontend.login(clinic_a.admin_username, clinic_a.password)
    assert login.status_code == 200, login.text
    assert set(login.json()) == {"access", "refresh", "usuario"}
    assert set(login.json()["usuario"]) == {"id", "email", "nombre", "apellido", "tipo_usuario"}
    assert login.json()["usuario"]["tipo_usuario"] == "ADMIN"

    cita = {
        "odontologo": str(surgery.practitioner_id),
        "paciente": str(surgery.patient_id),
        "fecha_hora": "2024-12-01T10:00:00",
        "motivo_tipo": "CONSULTA",
        "motivo": "Revisión general",
    }
    booked = await frontend.create_cita(cita)
    assert booked.status_code == 201, booked.text
    assert booked.json() | {"id": ""} == {
        **cita,
        "id": "",
        "fecha_hora": "2024-12-01T10:00:00-05:00",
        "fecha_hora_fin": "2024-12-01T10:30:00-05:00",
        "estado": "PENDIENTE",
        "pagada": False,
    }
    again = await frontend.create_cita(cita)
    assert (again.status_code, again.json()["code"]) == (409, "appointment_conflict")
    listed = await frontend.get("/api/agenda/citas/")
    assert [item["id"] for item in listed.json()["items"]] == [booked.json()["id"]]
    users = await frontend.get("/api/usuarios/")
    assert clinic_a.admin_username in [item["email"] for item in users.json()["items"]]


async def test_dental_frontend_must_say_which_clinic(
    api: httpx.AsyncClient, clinic_a: Clinic, clinic_b: Clinic
) -> None:
    for tenant_id, status in ((clinic_a.slug.upper(), 200), (clinic_a.host, 200), ("", 400),
                              ("clinica_demo", 404), (clinic_b.slug, 401)):  # fmt: skip
        frontend = DentalFrontend(api, tenant_id)
        login = await frontend.login(clinic_a.admin_username, clinic_a.password)
        assert login.status_code == status, tenant_id


async def test_browsers_may_send_what_the_dental_frontend_sends(
    api: httpx.AsyncClient, clinic_a: Clinic
) -> None:
    asked = {
        "Host": API_HOST,
        "Origin": f"http://{clinic_a.host}",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-tenant-id",
    }
    answer = await api.options("/api/agenda/citas/", headers=asked)
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert all(name in allowed for name in ("authorization", "content-type", "x-tenant-id"))


async def test_scheduling_system_lists_by_organization(
    api: httpx.AsyncClient, clinic_a: Clinic, clinic_b: Clinic, surgery: Surgery
) -> None:
    booked = await surgery.book("2031-03-03T09:00:00")
    token = {"Authorization": f"Bearer {await clinic_a.token()}", "Host": API_HOST}
    for organization in (clinic_a.slug, str(clinic_a.tenant_id), clinic_a.host):
        answer = await api.get("/api/citas/", headers={**token, "X-Organization-ID": organization})
        assert answer.status_code == 200, answer.text
        assert booked["id"] in [item["id"] for item in answer.json()["items"]]
    for organization, status in (("1", 404), (clinic_b.slug, 403), (str(clinic_b.tenant_id), 403)):
        answer = await api.get("/api/citas/", headers={**token, "X-Organization-ID": organization})
        assert answer.status_code == status, organization


async def test_database_per_company_system_pings_by_host(
    api: httpx.AsyncClient, clinic_a: Clinic
) -> None:
    ping = await api.get("/me", headers={"Host": f"{clinic_a.host}:8000"})
    assert (ping.status_code, ping.json()) == (200, {"status": "ok"})
    for host, status in ((API_HOST, 400), ("127.0.0.1", 400), ("nobody.localhost", 404)):
        assert (await api.get("/me", headers={"Host": host})).status_code == status, host


async def test_operator_makes_a_company_as_the_earlier_system_did(
    api: httpx.AsyncClient, tenancy: Tenancy
) -> None:
    email, password = f"{secrets.token_hex(4)}@platform.example", "a password of an operator"
    password_hash = await PasswordHasher(memory_kib=8192, time_cost=1).hash(password)
    await tenancy.store.operators.add(email, password_hash, "operator", SYSTEM)
    login = await api.post(
        "/api/v1/platform/auth/login", json={"email": email, "password": password}
    )
    headers = {"Authorization": f"Bearer {login.json()['access']}"}
    subdomain = f"empresa-{secrets.token_hex(3)}"
    path = f"/admin/create-tenant?name=Empresa+{subdomain}&subdomain={subdomain}"
    assert (await api.post(path)).status_code == 401
    made = await api.post(path, headers=headers)
    assert made.status_code == 200, made.text
    assert made.json()["ok"] is True
    assert made.json()["db_name"]
    again = await api.post(path, headers=headers)
    assert (again.status_code, again.json()["detail"]) == (400, "subdominio existente")
    ping = await api.get("/me", headers={"Host": f"{subdomain}.localhost"})
    assert ping.json() == {"status": "ok"}
