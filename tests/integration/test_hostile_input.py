"""Values at the edge of what the types allow, and bytes that no client sends by accident: refused, never a 500."""

import base64
import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from clinics import Clinic
from operations import Operation, read_operations
from populate import Population, populate
from tenancy.tenant import StrategyName

MOMENTS = (
    "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00", "9999-12-31T23:59:59-14:00",
    "9999-12-31T23:59:59Z", "2030-02-30T00:00:00Z", "2030-01-01T24:00:00", "2030-06-30T23:59:60Z",
    "2030-01-01T00:00:00+24:00", "2030-01-01", "infinity", "-infinity", "now", "epoch", "",
    "+012345-01-01T00:00:00Z", "2030-W01-1", "2030-01-01T00:00:00[America/Lima]", "\x00",
)  # fmt: skip
DAYS = (
    "0001-01-01",
    "9999-12-31",
    "2030-02-30",
    "infinity",
    "",
    "-0001-01-01",
    "10000-01-01",
    "\x00",
)
TEXTS = (
    "\x00", "a\x00b", "%", "_", "\\", "'", "' OR '1'='1", "\u202e", "\ud7ff", "\uffff", "😀" * 50,
    " ", "\n", "a " * 50, "-", "--", "$1", "{}", "../../etc/passwd", "ﬃ", "İ", "́" * 90,
)  # fmt: skip
CURSOR_VALUES: tuple[Any, ...] = (
    "\x00", "", "a", "'", 0, -1, 2**31, 2**63, 2**64, 10**400, 1.5, True, None, [], {}, "2030-01-01",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "infinity",
    "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
)  # fmt: skip
CURSORS = ("%", "=", "AA", "bnVsbA", "W10", "W1tdXQ", "e30", "MQ", "é", "\x00", "a" * 512)
BODIES: tuple[bytes, ...] = (
    b"", b"{", b"[]", b"null", b"1", b'"x"', b"\xff\xfe", b"\x00", b'{"a":1,"a":2}', b"[" * 100_000,
    b'{"a":' * 100_000, b'{"name":"\\ud800"}', b'{"name":"\\u0000","code":"x"}', b'{"name":"\xff"}',
    b'{"name":' + b"9" * 5_000 + b"}", b'{"name":NaN}', b'{"name":1e400}', b'\xef\xbb\xbf{"name":"x"}',
)  # fmt: skip


@pytest.fixture(scope="module")
def placement() -> StrategyName:
    """One is enough: input is read before any strategy is asked."""
    return StrategyName.ROW


@pytest.fixture(scope="module")
async def population(clinic_a: Clinic) -> Population:
    return await populate(clinic_a)


@pytest.fixture(scope="module")
async def lists(api: httpx.AsyncClient) -> list[Operation]:
    return [
        one
        for one in await read_operations(api)
        if one.method == "GET" and one.is_for_clinic_users and "cursor" in one.query_names
    ]


def refused_or_read(answer: httpx.Response) -> bool:
    if answer.status_code in {400, 409, 422}:
        return answer.headers["content-type"] == "application/problem+json"
    return answer.status_code in {200, 201}


async def test_forged_cursors_are_refused_or_lead_somewhere(
    population: Population, lists: list[Operation]
) -> None:
    forged = [*CURSORS]
    for size in (1, 2, 3):
        for value in CURSOR_VALUES:
            text = json.dumps([value] * size).encode()
            forged.append(base64.urlsafe_b64encode(text).rstrip(b"=").decode()[:512])
            uuid_last = json.dumps([value] * (size - 1) + [population.ids["patient"]]).encode()
            forged.append(base64.urlsafe_b64encode(uuid_last).rstrip(b"=").decode()[:512])
    wrong = []
    for one in lists:
        url, needed = population.urls(one), population.query(one)
        for cursor in dict.fromkeys(forged):
            answer = await population.clinic.get(url, params={**needed, "cursor": cursor})
            if not refused_or_read(answer):
                wrong.append(f"{one} {cursor}: {answer.status_code}")
    assert wrong == []


@pytest.mark.parametrize("moment", MOMENTS)
async def test_moments_at_the_edge_of_time(population: Population, moment: str) -> None:
    clinic, ids = population.clinic, population.ids
    references = {f"{name}_id": ids[name] for name in ("patient", "practitioner", "branch")}
    exceptions = f"/api/v1/practitioners/{ids['practitioner']}/exceptions"
    availability = {"practitioner_id": ids["practitioner"], "branch_id": ids["branch"]}
    cita = {"odontologo": ids["practitioner"], "paciente": ids["patient"], "fecha_hora": moment}
    slot = population.slot()
    answers = [
        await clinic.get("/api/v1/appointments", params={"from": moment, "to": moment}),
        await clinic.get("/api/v1/audit-events", params={"from": moment, "to": moment}),
        await clinic.get(exceptions, params={"from": moment, "to": moment}),
        await clinic.get(
            "/api/v1/availability", params={**availability, "from": moment, "to": moment}
        ),
        await clinic.post("/api/v1/appointments", {**references, **slot, "starts_at": moment}),
        await clinic.post("/api/v1/appointments", {**references, **slot, "ends_at": moment}),
        await clinic.post(
            "/api/v1/appointments", {**references, "starts_at": moment, "ends_at": moment}
        ),
        await clinic.post(exceptions, {**slot, "starts_at": moment, "kind": "closed"}),
        await clinic.post(exceptions, {**slot, "ends_at": moment, "kind": "open"}),
        await clinic.post("/api/agenda/citas", cita),
    ]
    wrong = [f"{a.request.method} {a.request.url}" for a in answers if not refused_or_read(a)]
    assert wrong == []


@pytest.mark.parametrize("day", DAYS)
async def test_days_at_the_edge_of_time(population: Population, day: str) -> None:
    clinic, ids = population.clinic, population.ids
    hours = f"/api/v1/practitioners/{ids['practitioner']}/availability"
    rule = {"weekday": 1, "start_local": "14:00", "end_local": "15:00"}
    person = {"given_names": "Rosa", "family_name": "Quispe"}
    answers = [
        await clinic.get("/api/v1/appointments/agenda", params={"date": day}),
        await clinic.get("/api/agenda/citas", params={"fecha": day}),
        await clinic.get("/api/v1/patients", params={"birth_date": day}),
        await clinic.post("/api/v1/patients", {**person, "birth_date": day}),
        *[
            await clinic.put(
                hours,
                {"branch_id": ids["branch"], "rules": [{**rule, **valid}]},
                headers={"If-Match": await population.version(hours)},
            )
            for valid in (
                {"valid_from": day},
                {"valid_to": day},
                {"valid_from": day, "valid_to": day},
            )
        ],
        await clinic.get(
            "/api/v1/availability",
            params={
                "practitioner_id": ids["practitioner"],
                "branch_id": ids["branch"],
                "from": "9999-12-01",
                "to": "9999-12-31",
            },
        ),
    ]
    wrong = [f"{a.request.method} {a.request.url}" for a in answers if not refused_or_read(a)]
    assert wrong == []


@pytest.mark.parametrize("text", TEXTS)
async def test_texts_that_mean_something_elsewhere(
    population: Population, lists: list[Operation], text: str
) -> None:
    clinic, ids = population.clinic, population.ids
    answers = [
        await clinic.get(population.urls(one), params={**population.query(one), name: text})
        for one in lists
        for name in one.query_names - {"cursor"}
    ]
    documents = [{"kind": "passport", "country": "PE", "value": text}]
    person = {"given_names": text, "family_name": text}
    category = {"category_id": ids["category"], "duration_min": 30}
    for path, body in (
        ("/api/v1/branches", {"name": text, "code": text, "phone": text, "timezone": text}),
        ("/api/v1/branches", {"name": "x", "code": text, "address": {"line": text, text: text}}),
        ("/api/v1/rooms", {"branch_id": ids["branch"], "name": text}),
        ("/api/v1/specialties", {"name": text, "code": text}),
        ("/api/v1/services", {**category, "code": text[:20], "name": text}),
        ("/api/v1/service-categories", {"name": text}),
        ("/api/v1/patients", person),
        ("/api/v1/patients", {**person, "given_names": "x", "identifiers": documents}),
        (
            "/api/v1/patients",
            {"given_names": "x", "family_name": "y", "emergency_contact": {text: text}},
        ),
        ("/api/v1/users", {"email": f"{text}@x.example", "roles": ["nurse"]}),
        ("/api/v1/users", {"email": "a@x.example", "username": text, "roles": ["nurse"]}),
        ("/api/v1/users", {"email": "b@x.example", "roles": ["nurse"], "settings": {text: text}}),
        (
            "/api/tenants/signup",
            {"name": text, "slug": text, "admin_email": text, "password": text},
        ),
    ):
        answers.append(await clinic.post(path, body))
    for path in ("/api/v1/settings/", f"/api/v1/users/{ids['user']}/roles/", "/api/v1/patients/"):
        answer = await clinic.delete(path + quote(text, safe=""))
        assert answer.status_code in {400, 404, 405, 428}, path
    wrong = [
        f"{a.request.method} {a.request.url}: {a.status_code}"
        for a in answers
        if not refused_or_read(a)
    ]
    assert wrong == []


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:12]))
async def test_bodies_that_are_no_json_of_ours(clinic_a: Clinic, body: bytes) -> None:
    for path, role in (
        ("/api/v1/branches", "admin"),
        ("/api/v1/auth/login", None),
        ("/api/personnel/auth/login", None),
        ("/api/tenants/signup", None),
        ("/api/agenda/citas/", "admin"),
    ):
        headers = {"Content-Type": "application/json"}
        answer = await clinic_a.request("POST", path, role=role, content=body, headers=headers)
        assert answer.status_code in {400, 422}, f"{path}: {answer.status_code} {answer.text}"
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("escaped", ["%ff", "%ed%a0%80", "%c0%af", "%", "%zz", "%00", "%e2%82"])
async def test_escapes_that_are_no_text(
    population: Population, lists: list[Operation], escaped: str
) -> None:
    for one in lists:
        for name in one.query_names:
            answer = await population.clinic.get(f"{population.urls(one)}?{name}={escaped}")
            assert refused_or_read(answer), f"{one} {name}: {answer.status_code}"
        answer = await population.clinic.get(f"{population.urls(one)}?{escaped}=1&{escaped}")
        assert refused_or_read(answer), f"{one}: {answer.status_code}"
    for path in ("/api/v1/settings/", "/api/v1/patients/", "/docs/", "/"):
        answer = await population.clinic.get(path + escaped)
        assert answer.status_code in {400, 404}, f"{path}: {answer.status_code}"


async def test_other_kinds_of_bodies_and_headers(clinic_a: Clinic) -> None:
    body = json.dumps({"name": "x", "code": "x"}).encode()
    for kind in ("text/plain", "application/xml", "multipart/form-data", "multipart/form-data; boundary=",
                 "application/x-www-form-urlencoded", "application/json; charset=utf-16", "\x7f", ""):  # fmt: skip
        answer = await clinic_a.request(
            "POST", "/api/v1/branches", content=body, headers={"Content-Type": kind}
        )
        assert answer.status_code in {201, 400, 409, 415, 422}, f"{kind}: {answer.text}"
    for name in ("X-Tenant-ID", "Accept-Language", "If-None-Match", "If-Match", "Idempotency-Key",
                 "X-Request-ID", "Origin", "Accept", "User-Agent", "X-Forwarded-For", "Cookie"):  # fmt: skip
        for value in (
            b"\xff\xfe",
            b"a" * 5_000,
            b'"',
            b"*",
            b"W/",
            b",,,",
            b";q=",
            b"\x01",
            "é".encode(),
        ):
            for method in ("GET", "POST", "OPTIONS"):
                answer = await clinic_a.request(
                    method, "/api/v1/branches", content=b"{}", headers={name.encode(): value}
                )
                assert answer.status_code < 500, f"{method} {name}: {value!r}"


async def test_body_that_is_too_large_is_413(clinic_a: Clinic) -> None:
    body = b'{"name":"' + b"x" * 2_000_000 + b'"}'
    for path in ("/api/v1/branches", "/api/v1/auth/login", "/api/tenants/signup"):
        answer = await clinic_a.request(
            "POST", path, content=body, headers={"Content-Type": "application/json"}
        )
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large"), path
