"""The same thing wanted by many at once: one gets it, the others are told, nobody gets a 500 or half of it."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Iterable
from typing import Any

import httpx
import pytest
from litestar import Litestar

from clinics import Clinic
from domain.actor import Role
from populate import Population, populate
from surgeries import APPOINTMENTS, next_weekday, surgery_at
from visitors import Visitor

PARALLEL = 12
MONDAY, TUESDAY = next_weekday(1, weeks=5), next_weekday(2, weeks=5)


@pytest.fixture(scope="module")
async def population(clinic_a: Clinic) -> Population:
    return await populate(clinic_a)


async def at_once(requests: Iterable[Awaitable[httpx.Response]]) -> list[httpx.Response]:
    return list(await asyncio.gather(*requests))


def statuses(answers: list[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


async def test_the_same_new_thing_is_made_once(population: Population) -> None:
    clinic, ids, mark = population.clinic, population.ids, secrets.token_hex(4)
    documents = [{"kind": "dni", "country": "PE", "value": f"{secrets.randbelow(10**8):08d}"}]
    person = {"given_names": "Rosa", "family_name": "Quispe"}
    wanted: list[tuple[str, dict[str, Any]]] = [
        ("/api/v1/branches", {"name": mark, "code": mark}),
        ("/api/v1/rooms", {"branch_id": ids["branch"], "name": mark}),
        ("/api/v1/specialties", {"name": mark, "code": mark}),
        ("/api/v1/users", {"email": f"{mark}@x.example", "roles": ["nurse"]}),
        ("/api/v1/patients", {**person, "identifiers": documents}),
        ("/api/v1/patients", {"person_id": ids["practitioner_person"]}),
        ("/api/v1/practitioners", {"person_id": ids["person"]}),
        ("/api/v1/service-categories", {"name": mark}),
    ]
    for path, body in wanted:
        answers = await at_once(clinic.post(path, body) for _ in range(PARALLEL))
        assert statuses(answers) == {201: 1, 409: PARALLEL - 1}, path


async def test_record_numbers_are_never_given_twice(clinic_a: Clinic) -> None:
    person = {"given_names": "Rosa", "family_name": "Quispe"}
    answers = await at_once(clinic_a.post("/api/v1/patients", person) for _ in range(PARALLEL))
    assert statuses(answers) == {201: PARALLEL}
    assert len({answer.json()["record_number"] for answer in answers}) == PARALLEL


async def test_one_change_of_a_version_wins(population: Population) -> None:
    clinic, ids = population.clinic, population.ids
    changes: list[tuple[str, dict[str, Any]]] = [
        (f"/api/v1/branches/{ids['branch']}", {"name": "n"}),
        (f"/api/v1/rooms/{ids['room']}", {"name": "n"}),
        (f"/api/v1/users/{ids['user']}", {"first_name": "n"}),
        (f"/api/v1/patients/{ids['patient']}", {"family_name": "n"}),
        (f"/api/v1/practitioners/{ids['practitioner']}", {"license_number": "n"}),
        (f"/api/v1/services/{ids['service']}", {"duration_min": 45}),
        (f"/api/v1/appointments/{ids['appointment']}", {"reason_text": "n"}),
    ]
    for url, body in changes:
        headers = {"If-Match": await population.version(url)}
        answers = await at_once(
            clinic.patch(url, {**body}, headers=headers) for _ in range(PARALLEL)
        )
        assert statuses(answers) == {200: 1, 412: PARALLEL - 1}, url
        read = await clinic.get(url)
        told = {a.headers.get("etag") for a in answers if a.status_code == 412}
        assert told == {read.headers["etag"]}, url


async def test_settings_and_hours_are_replaced_by_one(population: Population) -> None:
    clinic, ids = population.clinic, population.ids
    hours = f"/api/v1/practitioners/{ids['practitioner']}/availability"

    def week(hour: int) -> dict[str, Any]:
        rule = {"weekday": 2, "start_local": f"{hour:02d}:00", "end_local": f"{hour:02d}:30"}
        return {"branch_id": ids["branch"], "rules": [rule]}

    for url, bodies in (
        ("/api/v1/settings/ai", [{"data": {"max_tokens": 100 + n}} for n in range(PARALLEL)]),
        (hours, [week(n) for n in range(PARALLEL)]),
    ):
        headers = {"If-Match": (await clinic.get(url)).headers["etag"]}
        answers = await at_once(clinic.put(url, body, headers=headers) for body in bodies)
        assert statuses(answers) == {200: 1, 412: PARALLEL - 1}, url
        winner = next(answer for answer in answers if answer.status_code == 200)
        assert (await clinic.get(url)).json() == winner.json()


async def test_one_key_with_different_bodies_does_one_of_them(population: Population) -> None:
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    bodies = [
        {"branch_id": population.ids["branch"], "name": secrets.token_hex(4)}
        for _ in range(PARALLEL)
    ]
    answers = await at_once(
        population.clinic.post("/api/v1/rooms", body, headers=headers) for body in bodies
    )
    assert statuses(answers) == {201: 1, 422: PARALLEL - 1}
    refused = {answer.json()["code"] for answer in answers if answer.status_code == 422}
    assert refused == {"idempotency_key_reused"}


async def test_one_change_of_status_wins(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    appointment = await surgery.book(f"{MONDAY}T09:00:00")
    actions = ["confirm", "arrive", "cancel"] * (PARALLEL // 3)
    answers = await at_once(surgery.act(appointment, action) for action in actions)
    # A late comer sees either the other version or a status that allows no more.
    assert statuses(answers)[200] == 1
    assert set(statuses(answers)) <= {200, 409, 412}
    read = (await clinic_a.get(f"{APPOINTMENTS}/{appointment['id']}")).json()
    assert read["version"] == appointment["version"] + 1


async def test_appointments_that_change_places_do_not_block_each_other(clinic_a: Clinic) -> None:
    """Each wants the time of another one: nobody waits in a ring, and no time is used twice."""
    surgery = await surgery_at(clinic_a)
    hours = [f"{TUESDAY}T{hour:02d}:00:00" for hour in range(8, 20)]
    booked = [
        await surgery.book(hour, patient_id=await surgery.another_patient()) for hour in hours
    ]

    def to(position: int, target: int) -> Awaitable[httpx.Response]:
        start = hours[target % len(hours)]
        body = {"starts_at": start, "ends_at": start.replace(":00:00", ":30:00")}
        return surgery.act(booked[position], "reschedule", body)

    answers = await at_once(
        to(position, position + step) for position in range(len(hours)) for step in (1, -1)
    )
    assert set(statuses(answers)) <= {201, 409, 412}
    query = {"practitioner_id": str(surgery.practitioner_id), "limit": 100}
    listed = (await clinic_a.get(APPOINTMENTS, params=query)).json()["items"]
    active = [item["starts_at"] for item in listed if item["status"] == "pending"]
    assert len(active) == len(set(active)) == len(hours)


async def test_refreshing_at_once_keeps_one_login_alive(app: Litestar, clinic_a: Clinic) -> None:
    """Tabs of one browser all find their token expired: none of them is thrown out for it."""
    _, username = await clinic_a.add_user(Role.NURSE)
    visitor = await Visitor(app, clinic_a).login(username)
    answers = await at_once(visitor.exchange() for _ in range(PARALLEL))
    assert statuses(answers) == {200: PARALLEL}
    read = await at_once(visitor.me(answer.json()["access"]) for answer in answers)
    assert statuses(read) == {200: PARALLEL}


async def test_logout_among_refreshes_ends_them_all(app: Litestar, clinic_a: Clinic) -> None:
    _, username = await clinic_a.add_user(Role.NURSE)
    visitor = await Visitor(app, clinic_a).login(username)
    logout = visitor.send("POST", "/api/v1/auth/logout")
    left, *answers = await at_once([logout, *(visitor.exchange() for _ in range(PARALLEL))])
    assert left.status_code == 204
    assert set(statuses(answers)) <= {200, 401}
    survivors = [answer.json()["access"] for answer in answers if answer.status_code == 200]
    read = await at_once(visitor.me(access) for access in [*survivors, visitor.access])
    assert set(statuses(read)) == {401}


async def test_two_mergers_of_the_same_people_leave_one(clinic_a: Clinic) -> None:
    person = {"given_names": "Rosa", "family_name": "Quispe"}
    made = [(await clinic_a.post("/api/v1/patients", person)).json()["id"] for _ in range(3)]
    pairs = [(a, b) for a in made for b in made if a != b]
    headers = {"If-Match": '"1"'}
    answers = await at_once(
        clinic_a.post(f"/api/v1/patients/{a}/merge", {"into_id": b}, headers=headers)
        for a, b in pairs
    )
    assert set(statuses(answers)) <= {200, 409, 412}
    read = [(await clinic_a.get(f"/api/v1/patients/{each}")).json() for each in made]
    active = {patient["id"] for patient in read if patient["status"] == "active"}
    assert len(active) == len(made) - statuses(answers)[200] >= 1
    assert {patient["merged_into_id"] for patient in read} - {None} <= active


async def test_one_slug_is_taken_once(app: Litestar, clinic_a: Clinic) -> None:
    slug = f"c{secrets.token_hex(5)}"
    http = Visitor(app, clinic_a).http
    body = {"name": slug, "slug": slug, "admin_email": "a@test.com", "password": "test1234"}
    answers = await at_once(http.post("/api/tenants/signup", json=body) for _ in range(6))
    assert statuses(answers)[201] == 1
    assert set(statuses(answers)) <= {201, 409}
    login = await http.post(
        "/api/v1/auth/login",
        headers={"Host": f"{slug}.localhost"},
        json={"email": "a@test.com", "password": "test1234"},
    )
    assert login.status_code == 200, login.text
