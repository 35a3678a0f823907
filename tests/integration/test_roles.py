"""Every role at every route of the document, against a table typed by hand from the roles that were agreed on.

R reads, W writes, Q asks for an appointment or gives one up. A route that no area below covers fails here.
"""

from uuid import uuid4

import httpx
import pytest
from litestar import Litestar

from auth.passwords import PasswordHasher
from clinics import Clinic
from domain.actor import Role
from operations import Operation, read_operations
from surgeries import APPOINTMENTS, next_weekday, surgery_at
from tenancy.registry.records import SYSTEM
from tenancy.runtime import Tenancy
from visitors import Visitor

CLINIC_TABLE = """
              admin  dentist  doctor  nurse  operator  digitizer  auditor  patient
own           RW     RW       RW      RW     RW        RW         RW       RW
users         RW     -        -       -      -         -          R        -
settings      RW     -        -       -      -         -          R        -
audit         R      -        -       -      -         -          R        -
branches      RW     R        R       R      R         R          R        -
reference     RW     R        R       R      R         R          R        R
patients      RW     RW       RW      RW     RW        RW         R        R
appointments  RWQ    RWQ      RWQ     RWQ    RWQ       R          R        RQ
"""

PLATFORM_TABLE = """
              superadmin  operator  support  auditor
own           RW          RW        RW       RW
tenants       RW          RW        R        R
"""

AREAS = {
    "/api/v1/auth/": "own",
    "/api/personnel/auth/": "own",
    "/api/v1/users": "users",
    "/api/usuarios": "users",
    "/api/v1/settings/": "settings",
    "/api/v1/audit-events": "audit",
    "/api/v1/branches": "branches",
    "/api/v1/branches/{branch_id}/exceptions": "reference",
    "/api/v1/rooms": "reference",
    "/api/v1/specialties": "reference",
    "/api/v1/services": "reference",
    "/api/v1/service-categories": "reference",
    "/api/v1/practitioners": "reference",
    "/api/v1/availability": "reference",
    "/api/v1/patients": "patients",
    "/api/v1/appointments": "appointments",
    "/api/agenda/citas": "appointments",
    "/api/citas": "appointments",
    "/api/v1/platform/auth/": "own",
    "/api/v1/platform/tenants": "tenants",
    "/admin/create-tenant": "tenants",
}
REQUESTS = {
    "POST /api/v1/appointments",
    "POST /api/v1/appointments/{appointment_id}/cancel",
    "POST /api/agenda/citas",
}


def read_table(text: str) -> dict[tuple[str, str], str]:
    """(area, role) -> letters."""
    roles, *rows = (line.split() for line in text.strip().splitlines())
    return {
        (area, role): "" if letters == "-" else letters
        for area, *cells in rows
        for role, letters in zip(roles, cells, strict=True)
    }


def area_of(operation: Operation) -> str:
    prefixes = [prefix for prefix in AREAS if operation.path.startswith(prefix)]
    assert prefixes, f"{operation} is in no area: whose is it?"
    return AREAS[max(prefixes, key=len)]


def letter_of(operation: Operation) -> str:
    if str(operation) in REQUESTS:
        return "Q"
    return "R" if operation.method == "GET" else "W"


def url_of(operation: Operation) -> str:
    """A URL that leads nowhere: whoever is let through gets 404, or is told what the request lacks."""
    plain = {"role": "nurse", "namespace": "ai"}
    return operation.url({name: plain.get(name, str(uuid4())) for name in operation.path_names})


async def is_let_through(
    http: httpx.AsyncClient, operation: Operation, headers: dict[str, str]
) -> bool:
    """Whether the caller passes; the request changes nothing, as its body is empty and its ids are unknown."""
    answer = await http.request(
        operation.method,
        url_of(operation),
        headers={"If-Match": '"1"', **headers},
        content=b"{}" if operation.has_body else None,
    )
    assert answer.status_code not in {401, 429}, f"{operation}: {answer.text}"
    assert answer.status_code < 500, f"{operation}: {answer.text}"
    if answer.status_code != 403:
        return True
    assert answer.json()["code"] == "forbidden", f"{operation}: {answer.text}"
    return False


async def disagreements(
    http: httpx.AsyncClient,
    operations: list[Operation],
    headers: dict[str, str],
    letters: dict[str, str],
) -> list[str]:
    """Where what is let through differs from the letters by area; logging out comes last."""
    wrong = []
    for one in sorted(operations, key=lambda one: one.path.endswith("/logout")):
        expected = letter_of(one) in letters[area_of(one)]
        if one.path.endswith("/logout"):
            assert expected
            continue
        if await is_let_through(http, one, headers) is not expected:
            wrong.append(f"{one} {'must' if expected else 'must not'} be let through")
    return wrong


@pytest.fixture(scope="module")
async def operations(api: httpx.AsyncClient) -> list[Operation]:
    return [one for one in await read_operations(api) if not one.is_public]


def letters_of(table: str, role: str) -> dict[str, str]:
    return {
        area: letters for (area, its_role), letters in read_table(table).items() if its_role == role
    }


@pytest.mark.parametrize("role", list(Role), ids=str)
async def test_role_in_a_clinic_opens_what_was_agreed_on(
    app: Litestar, clinic_a: Clinic, operations: list[Operation], role: Role
) -> None:
    _, username = await clinic_a.add_user(role)
    visitor = await Visitor(app, clinic_a).login(username)
    headers = {"Authorization": f"Bearer {visitor.access}"}
    of_clinics = [one for one in operations if not one.is_platform]
    letters = letters_of(CLINIC_TABLE, role)
    assert await disagreements(visitor.http, of_clinics, headers, letters) == []
    assert (await visitor.send("POST", "/api/v1/auth/logout")).status_code == 204


def test_every_role_has_its_column() -> None:
    assert {role for _, role in read_table(CLINIC_TABLE)} == set(Role)


async def test_several_roles_open_what_each_of_them_opens(
    app: Litestar, clinic_a: Clinic, operations: list[Operation]
) -> None:
    body = {
        "email": f"{uuid4().hex}@several.example",
        "password": clinic_a.password,
        "roles": ["auditor", "digitizer"],
        "status": "active",
    }
    made = await clinic_a.post("/api/v1/users", body)
    assert made.status_code == 201, made.text
    visitor = await Visitor(app, clinic_a).login(body["email"])
    table = read_table(CLINIC_TABLE)
    letters = {area: table[area, "auditor"] + table[area, "digitizer"] for area, _ in table}
    headers = {"Authorization": f"Bearer {visitor.access}"}
    of_clinics = [one for one in operations if not one.is_platform]
    assert await disagreements(visitor.http, of_clinics, headers, letters) == []


async def test_who_loses_the_last_role_is_out(app: Litestar, clinic_a: Clinic) -> None:
    user_id, username = await clinic_a.add_user(Role.NURSE)
    visitor = await Visitor(app, clinic_a).login(username)
    url = f"/api/v1/users/{user_id}/roles/nurse"
    taken = await clinic_a.delete(url, headers={"If-Match": '"1"'})
    assert taken.status_code == 200, taken.text
    assert (await visitor.me()).status_code == 401
    for answer in (await visitor.exchange(), await visitor.try_login(username)):
        assert (answer.status_code, answer.json()["code"]) == (403, "user_not_authorized")


@pytest.mark.parametrize("role", ["superadmin", "operator", "support", "auditor"])
async def test_role_on_the_platform_opens_what_was_agreed_on(
    api: httpx.AsyncClient, tenancy: Tenancy, operations: list[Operation], role: str
) -> None:
    email, password = f"{uuid4().hex}@platform.example", "a password of an operator"
    password_hash = await PasswordHasher(memory_kib=8192, time_cost=1).hash(password)
    await tenancy.store.operators.add(email, password_hash, role, SYSTEM)
    body = {"email": email, "password": password}
    login = await api.post("/api/v1/platform/auth/login", json=body)
    headers = {"Authorization": f"Bearer {login.json()['access']}"}
    of_platform = [one for one in operations if one.is_platform]
    letters = letters_of(PLATFORM_TABLE, role)
    assert await disagreements(api, of_platform, headers, letters) == []


@pytest.mark.parametrize(
    ("role", "status"),
    [
        (Role.ADMIN, 201),
        (Role.OPERATOR, 201),
        (Role.DENTIST, 403),
        (Role.DOCTOR, 403),
        (Role.NURSE, 403),
    ],
    ids=str,
)
async def test_reception_and_administrators_alone_overbook(
    clinic_a: Clinic, role: Role, status: int
) -> None:
    surgery = await surgery_at(clinic_a)
    start = f"{next_weekday(1)}T09:00:00"
    await surgery.book(start)
    wanted = surgery.body(
        start,
        patient_id=await surgery.another_patient(),
        is_overbooked=True,
        overbook_reason="dolor agudo",
    )
    answer = await clinic_a.post(APPOINTMENTS, wanted, role=role)
    assert answer.status_code == status, answer.text
    plain = {**wanted, "is_overbooked": False, "overbook_reason": None}
    assert (await clinic_a.post(APPOINTMENTS, plain, role=role)).status_code == 409
