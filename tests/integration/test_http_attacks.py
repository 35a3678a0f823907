"""Ids of another clinic in every route, body and query: 404 or refused, nothing told, nothing written.

Routes are read from the OpenAPI document, so that a new one is attacked too or fails here until it is described.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import combinations
from typing import Any

import httpx
import pytest
from msgspec import Struct

from clinics import Clinic
from fingerprints import Connect, fingerprint
from operations import Operation, read_operations
from populate import KINDS, Population, kind_of, populate, told
from tenancy.runtime import Tenancy

REFUSALS = range(400, 500)


class Siege(Struct, frozen=True):
    """Clinic A, whose administrator attacks, clinic B, who must not notice, and all routes between them."""

    a: Population
    b: Population
    operations: list[Operation]
    versions: dict[str, str]
    """The ETags of B's resources, for the attacks to be stopped by nothing but the wall."""

    administrator: Connect
    tenancy: Tenancy

    def of_clinics(self) -> list[Operation]:
        return [one for one in self.operations if one.is_for_clinic_users]

    def leak(self, answer: httpx.Response, *sent: str) -> str:
        """What the answer tells of B beyond what was sent; empty if nothing."""
        ids = (told(answer) & self.b.known_ids) - set(sent)
        return f"tells {sorted(ids)}" if ids else "tells names" * (self.b.mark in answer.text)

    @asynccontextmanager
    async def unchanged(self, *populations: Population) -> AsyncIterator[None]:
        """Fail unless every row of these clinics is the same afterwards."""
        before = [await self._fingerprint(each) for each in populations]
        yield
        assert [await self._fingerprint(each) for each in populations] == before

    async def _fingerprint(self, population: Population) -> dict[str, str]:
        return await fingerprint(self.administrator, self.tenancy, population.clinic)


@pytest.fixture(scope="module")
async def siege(
    api: httpx.AsyncClient,
    administrator: Connect,
    tenancy: Tenancy,
    clinic_a: Clinic,
    clinic_b: Clinic,
) -> Siege:
    a, b = await populate(clinic_a), await populate(clinic_b)
    operations = await read_operations(api)
    of_clinics = [one for one in operations if one.is_for_clinic_users]
    versions = {one.id: await b.version(b.urls(one)) for one in of_clinics}
    return Siege(a, b, operations, versions, administrator, tenancy)


async def send(
    sender: Population, operation: Operation, url: str, body: Any, version: str = '"1"'
) -> httpx.Response:
    options: dict[str, Any] = {"json": body} if operation.has_body else {}
    return await sender.clinic.request(
        operation.method,
        url,
        params=sender.query(operation),
        headers={"If-Match": version},
        **options,
    )


async def test_every_resource_of_the_attacked_clinic_is_there(siege: Siege) -> None:
    """Without this, a 404 below could mean that there was nothing to find."""
    found = {
        one.id: (await send(siege.b, one, siege.b.urls(one), None)).status_code
        for one in siege.of_clinics()
        if one.method == "GET"
    }
    assert set(found.values()) == {200}, found


async def test_foreign_id_in_a_path_is_404(siege: Siege) -> None:
    wrong = []
    async with siege.unchanged(siege.a, siege.b):
        for one in siege.of_clinics():
            for names in _some_of(one.path_ids):
                foreign = siege.b.references(one, *names)
                url, version = siege.a.urls(one, foreign), siege.versions[one.id]
                for body in siege.a.bodies(one):
                    answer = await send(siege.a, one, url, body, version)
                    leak = siege.leak(answer, *foreign.values())
                    if answer.status_code != 404 or leak:
                        wrong.append(f"{one} {names}: {answer.status_code} {leak}")
    assert wrong == []


def _some_of(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Every selection of the names but the empty one."""
    return [some for size in range(1, len(names) + 1) for some in combinations(names, size)]


async def test_foreign_id_in_a_body_is_refused(siege: Siege) -> None:
    """Each body works with A's own ids: what refuses it is the foreign id and nothing else."""
    wrong: list[str] = []
    async with siege.unchanged(siege.b):
        for one in siege.of_clinics():
            if not one.body_ids:
                continue
            url, bodies = siege.a.urls(one), siege.a.bodies(one)
            version = await siege.a.version(url)
            async with siege.unchanged(siege.a):
                wrong += await _with_foreign_ids(siege, one, bodies, version)
            for body in bodies:
                answer = await send(siege.a, one, url, body, version)
                if not answer.is_success:
                    wrong.append(f"{one} with own ids: {answer.status_code} {answer.text}")
    assert wrong == []


async def _with_foreign_ids(
    siege: Siege, one: Operation, bodies: list[dict[str, Any]], version: str
) -> list[str]:
    """Send each body with each of its references changed to B's; return what went wrong."""
    attacks = [(body, name) for body in bodies for name in one.body_ids if name in body]
    wrong = [f"{one}: no body has {n}" for n in one.body_ids - {name for _, name in attacks}]
    for body, name in attacks:
        foreign = siege.b.references(one, name)
        answer = await send(siege.a, one, siege.a.urls(one), {**body, **foreign}, version)
        leak = siege.leak(answer, *foreign.values())
        if answer.status_code not in REFUSALS or leak:
            wrong.append(f"{one} {name}: {answer.status_code} {leak}")
    return wrong


async def test_foreign_id_in_a_query_finds_nothing(siege: Siege) -> None:
    wrong = []
    async with siege.unchanged(siege.a, siege.b):
        for one in siege.of_clinics():
            for name in one.query_ids:
                own = siege.a.ids[kind_of(one, name)]
                needed = {k: v for k, v in siege.a.query(one).items() if v != own}
                foreign = siege.b.references(one, name)
                answer = await siege.a.clinic.get(siege.a.urls(one), params={**needed, **foreign})
                leak = siege.leak(answer, *foreign.values())
                is_empty = answer.status_code == 200 and not _listed(answer)
                if leak or not (is_empty or answer.status_code in REFUSALS):
                    wrong.append(f"{one}?{name}: {answer.status_code} {leak} {answer.text[:200]}")
    assert wrong == []


def _listed(answer: httpx.Response) -> list[Any]:
    body = answer.json()
    return body.get("items") or body.get("rules") or []


async def test_own_id_in_a_query_finds_something(siege: Siege) -> None:
    """The counterpart of the test above: the filters work at all."""
    for one in siege.of_clinics():
        for name in one.query_ids:
            own = {**siege.b.query(one), **siege.b.references(one, name)}
            answer = await siege.b.clinic.get(siege.b.urls(one), params=own)
            assert answer.status_code == 200, f"{one}?{name}: {answer.text}"
            assert _listed(answer), f"{one}?{name}"


async def test_lists_search_and_cursors_show_own_rows_alone(siege: Siege) -> None:
    a, b = siege.a, siege.b
    for one in siege.of_clinics():
        if one.method != "GET" or one.path_ids:
            continue
        url = a.urls(one)
        own = await a.clinic.get(url, params=a.query(one))
        assert (own.status_code, siege.leak(own)) == (200, ""), f"{one}: {own.text}"
        theirs = await b.clinic.get(
            url, params={**b.query(one), "limit": 1} if "cursor" in own.text else b.query(one)
        )
        cursor = (
            theirs.json().get("next_cursor") if "json" in theirs.headers["content-type"] else None
        )
        if cursor:
            page = await a.clinic.get(url, params={**a.query(one), "cursor": cursor})
            assert siege.leak(page) == "", f"{one} with the other clinic's cursor"
    searches = [
        ("/api/v1/patients", {"q": b.mark}),
        ("/api/v1/patients", {"document": b.document}),
        ("/api/v1/practitioners", {"q": b.mark}),
        ("/api/v1/users", {"q": b.mark}),
        ("/api/v1/services", {"q": b.mark}),
    ]
    for path, query in searches:
        assert (await b.clinic.get(path, params=query)).json()["items"], f"{path} {query}"
        answer = await a.clinic.get(path, params=query)
        assert (answer.status_code, answer.json()["items"]) == (200, []), f"{path} {query}"


async def test_what_is_taken_in_one_clinic_is_free_in_another(siege: Siege) -> None:
    """Uniqueness that reached over the wall would tell who is a patient next door."""
    a, b = siege.a, siege.b
    document = {"kind": "dni", "country": "PE", "value": b.document}
    person = {"given_names": "Rosa", "family_name": "Quispe", "identifiers": [document]}
    user = (await b.clinic.get(f"/api/v1/users/{b.ids['user']}")).json()
    category = a.ids["category"]
    wanted: list[tuple[str, dict[str, Any]]] = [
        ("/api/v1/branches", {"name": b.mark, "code": b.mark}),
        ("/api/v1/rooms", {"branch_id": a.ids["branch"], "name": b.mark}),
        ("/api/v1/specialties", {"name": b.mark, "code": b.mark}),
        (
            "/api/v1/users",
            {"email": user["email"], "username": user["username"], "roles": ["nurse"]},
        ),
        ("/api/v1/patients", person),
        ("/api/v1/service-categories", {"name": b.mark}),
        (
            "/api/v1/services",
            {"category_id": category, "code": b.mark, "name": "x", "duration_min": 30},
        ),
    ]
    for path, body in wanted:
        made = await a.clinic.post(path, body)
        assert made.status_code == 201, f"{path}: {made.text}"
        again = await a.clinic.post(path, body)
        assert (again.status_code, again.json()["code"]) == (409, "duplicate"), path


async def test_idempotency_keys_of_two_clinics_never_meet(siege: Siege) -> None:
    body, headers = {"name": "Sala de espera"}, {"Idempotency-Key": siege.b.mark}
    answers = []
    for population in (siege.b, siege.a, siege.b, siege.a):
        one = {**body, "branch_id": population.ids["branch"]}
        answers.append(await population.clinic.post("/api/v1/rooms", one, headers=headers))
    assert [answer.status_code for answer in answers] == [201] * 4
    assert ["idempotency-replayed" in answer.headers for answer in answers] == [
        False, False, True, True,
    ]  # fmt: skip
    assert answers[0].text == answers[2].text
    assert answers[1].text == answers[3].text
    assert answers[0].json()["id"] != answers[1].json()["id"]


async def test_bodies_cannot_say_whose_row_it_is(siege: Siege) -> None:
    a, b = siege.a, siege.b
    foreign = str(b.clinic.tenant_id)
    for one in siege.of_clinics():
        if one.method != "POST" or not one.body_ids or not one.path.startswith("/api/v1/"):
            continue
        for name in ("tenant_id", "id", "created_by"):
            answer = await send(a, one, a.urls(one), {**a.bodies(one)[0], name: foreign})
            assert answer.status_code == 422, f"{one} with {name}: {answer.text}"
    seeds = {"odontologo": a.ids["practitioner"], "paciente": a.ids["patient"]}
    body = {**seeds, "fecha_hora": a.slot()["starts_at"], "tenant_id": foreign, "id": foreign}
    booked = await a.clinic.post("/api/agenda/citas/", body)
    assert booked.status_code == 201, booked.text
    assert booked.json()["id"] != foreign
    assert (await a.clinic.get(booked.headers["location"])).status_code == 200
    assert (await b.clinic.get(booked.headers["location"])).status_code == 404


async def test_lists_of_two_clinics_read_at_once_do_not_mix(siege: Siege) -> None:
    lists = [one for one in siege.of_clinics() if one.method == "GET" and not one.path_ids]
    pairs = [(one, population) for one in lists for population in (siege.a, siege.b)]
    answers = await asyncio.gather(
        *(send(population, one, population.urls(one), None) for one, population in pairs)
    )
    for (one, population), answer in zip(pairs, answers, strict=True):
        other = siege.b if population is siege.a else siege.a
        assert answer.status_code == 200, f"{one}: {answer.text}"
        assert not told(answer) & {*other.ids.values(), str(other.clinic.tenant_id)} - {""}, str(
            one
        )


async def test_every_name_of_a_reference_is_described(siege: Siege) -> None:
    """A new `*_id` says here what it names, before it can be attacked above."""
    unknown = {
        f"{one} {name}"
        for one in siege.of_clinics()
        for name in {*one.path_ids, *one.query_ids, *one.body_ids}
        if kind_of(one, name) not in siege.a.ids
    }
    assert unknown == set()
    used = {
        name for one in siege.operations for name in (*one.path_ids, *one.query_ids, *one.body_ids)
    }
    assert set(KINDS) <= used
