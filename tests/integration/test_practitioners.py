"""Practitioners: seen where they work, with the person behind them shown to staff alone."""

import secrets
from collections.abc import Awaitable, Callable
from datetime import date, time
from typing import Any
from uuid import UUID, uuid4

import pytest

from clinics import Clinic
from domain.actor import Role
from domain.organisation.identity_documents import make_valid
from domain.organisation.models import BranchMember
from domain.scheduling.models import AvailabilityRule
from tenancy.modes import Mode
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName

MakeClinic = Callable[..., Awaitable[Clinic]]
PRACTITIONERS = "/api/v1/practitioners"


def somebody(**fields: Any) -> dict[str, Any]:
    return {
        "given_names": "Rosa María",
        "family_name": f"Quispe {secrets.token_hex(3)}",
        "second_family_name": "Ñáñez",
        "birth_date": "1984-03-09",
        "sex": "female",
        "phone": "+51987654321",
        "email": "Rosa@Mail.example",
        "identifiers": [
            {
                "kind": "dni",
                "country": "PE",
                "value": make_valid("dni", "PE", secrets.randbelow(4_000_000)),
            }
        ],
    } | fields


async def created(clinic: Clinic, **fields: Any) -> dict[str, Any]:
    body = fields if "person_id" in fields else {"person": somebody()} | fields
    answer = await clinic.post(PRACTITIONERS, body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def listed(clinic: Clinic, role: Role = Role.ADMIN, **query: Any) -> set[str]:
    answer = await clinic.get(PRACTITIONERS, role=role, params={"limit": 100} | query)
    assert answer.status_code == 200, answer.text
    return {item["id"] for item in answer.json()["items"]}


async def another_branch(clinic: Clinic) -> UUID:
    code = secrets.token_hex(4)
    answer = await clinic.post("/api/v1/branches", {"name": code, "code": code})
    return UUID(answer.json()["id"])


async def specialty(clinic: Clinic) -> dict[str, Any]:
    name = f"Endodoncia {secrets.token_hex(4)}"
    answer = await clinic.post("/api/v1/specialties", {"name": name, "code": "END"})
    return dict(answer.json())


async def keep_hours(
    tenancy: Tenancy, clinic: Clinic, practitioner_id: str, branch_id: UUID
) -> None:
    async with tenancy.session(clinic.tenant_id, Mode.WRITE) as session:
        session.add(
            AvailabilityRule(
                practitioner_id=UUID(practitioner_id),
                branch_id=branch_id,
                weekday=1,
                start_local=time(9),
                end_local=time(12),
                valid_from=date(2026, 1, 1),
            )
        )
        await session.flush()


async def test_created_with_a_person_is_read_changed_and_archived(clinic_a: Clinic) -> None:
    known = await specialty(clinic_a)
    body = {
        "license_number": f"COP {secrets.token_hex(4)}",
        "specialty_id": known["id"],
        "experience": "Diez años.",
    }
    made = await created(clinic_a, **body)
    url = f"{PRACTITIONERS}/{made['id']}"
    assert {name: made[name] for name in body} == body
    assert (made["specialty_name"], made["is_active"], made["version"]) == (known["name"], True, 1)
    person = made["person"]
    assert (person["given_names"], person["sex"], person["birth_date"]) == (
        "Rosa María",
        "female",
        "1984-03-09",
    )
    assert (person["phone"], person["email"]) == ("+51987654321", "rosa@mail.example")
    assert [(i["kind"], i["country"], i["is_primary"]) for i in person["identifiers"]] == [
        ("dni", "PE", True)
    ]
    assert (await clinic_a.get(url)).json() == made

    changes = {"is_active": False, "person": {"phone": None, "given_names": "Rosa"}}
    changed = await clinic_a.patch(url, changes, headers={"If-Match": '"1"'})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["is_active"], changed.headers["ETag"]) == (False, '"2"')
    assert changed.json()["person"] == person | {"phone": None, "given_names": "Rosa"}
    only_person = {"person": {"given_names": "Rosita"}}
    assert (await clinic_a.patch(url, only_person, headers={"If-Match": '"1"'})).status_code == 412
    third = await clinic_a.patch(url, only_person, headers={"If-Match": '"2"'})
    assert (third.json()["person"]["given_names"], third.headers["ETag"]) == ("Rosita", '"3"')

    assert (await clinic_a.delete(url, headers={"If-Match": '"3"'})).status_code == 204
    assert (await clinic_a.get(url)).status_code == 404
    assert made["id"] not in await listed(clinic_a)


async def test_who_left_comes_back_as_the_same_person(clinic_a: Clinic) -> None:
    licence = f"COP {secrets.token_hex(4)}"
    made = await created(clinic_a, license_number=licence)
    again = {"person_id": made["person_id"], "license_number": licence}
    twice = await clinic_a.post(PRACTITIONERS, again)
    assert (twice.status_code, twice.json()["code"]) == (409, "duplicate")
    await clinic_a.delete(f"{PRACTITIONERS}/{made['id']}", headers={"If-Match": '"1"'})
    back = await created(clinic_a, **again)
    assert back["person"] == made["person"]
    assert back["id"] != made["id"]


async def test_licence_is_unique_in_the_clinic_only(clinic_a: Clinic, clinic_b: Clinic) -> None:
    licence = f"COP {secrets.token_hex(4)}"
    await created(clinic_a, license_number=licence)
    twice = await clinic_a.post(PRACTITIONERS, {"person": somebody(), "license_number": licence})
    assert (twice.status_code, twice.json()["code"]) == (409, "duplicate")
    assert [item["pointer"] for item in twice.json()["errors"]] == ["/license_number"]
    assert (await created(clinic_b, license_number=licence))["license_number"] == licence


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        ({"person": None}, "validation_error", "/person"),
        ({"person_id": str(uuid4())}, "validation_error", "/person"),
        ({"specialty_id": str(uuid4())}, "invalid_reference", "/specialty_id"),
        ({"user_id": str(uuid4())}, "invalid_reference", "/user_id"),
        ({"person": {"given_names": "x"}}, "validation_error", "/person/family_name"),
        ({"person": somebody(phone="no phone")}, "validation_error", "/person/phone"),
        ({"person": somebody(birth_date="2999-01-01")}, "validation_error", "/person/birth_date"),
        (
            {
                "person": somebody(
                    identifiers=[{"kind": "run", "country": "CL", "value": "11.111.111-2"}]
                )
            },
            "validation_error",
            "/person/identifiers/0/value",
        ),
    ],
)
async def test_impossible_bodies_are_refused_at_their_field(
    clinic_a: Clinic, fields: dict[str, Any], code: str, pointer: str
) -> None:
    answer = await clinic_a.post(PRACTITIONERS, {"person": somebody()} | fields)
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert [item["pointer"] for item in answer.json()["errors"]] == [pointer]


async def test_what_belongs_to_another_clinic_does_not_exist(
    clinic_a: Clinic, clinic_b: Clinic
) -> None:
    made = await created(clinic_a)
    url, headers = f"{PRACTITIONERS}/{made['id']}", {"If-Match": '"1"'}
    assert (await clinic_b.get(url)).status_code == 404
    assert (await clinic_b.patch(url, {"is_active": False}, headers=headers)).status_code == 404
    assert (await clinic_b.delete(url, headers=headers)).status_code == 404
    assert made["id"] not in await listed(clinic_b)
    foreign = {
        "person_id": made["person_id"],
        "specialty_id": (await specialty(clinic_a))["id"],
        "user_id": str(clinic_a.admin_id),
    }
    for name, value in foreign.items():
        body = {"person": somebody(), name: value}
        if name == "person_id":
            del body["person"]
        answer = await clinic_b.post(PRACTITIONERS, body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_reference"), (
            answer.text
        )
        assert [item["pointer"] for item in answer.json()["errors"]] == [f"/{name}"]


async def test_archived_specialty_is_not_given_any_more(clinic_a: Clinic) -> None:
    known = await specialty(clinic_a)
    made = await created(clinic_a, specialty_id=known["id"])
    await clinic_a.delete(f"/api/v1/specialties/{known['id']}", headers={"If-Match": '"1"'})
    url = f"{PRACTITIONERS}/{made['id']}"
    assert (await clinic_a.get(url)).json()["specialty_name"] == known["name"]
    answer = await clinic_a.post(PRACTITIONERS, {"person": somebody(), "specialty_id": known["id"]})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_reference")


async def test_renamed_specialty_gives_its_practitioners_a_new_version(clinic_a: Clinic) -> None:
    known = await specialty(clinic_a)
    made = await created(clinic_a, specialty_id=known["id"])
    name = f"Nueva {secrets.token_hex(4)}"
    url = f"/api/v1/specialties/{known['id']}"
    assert (
        await clinic_a.patch(url, {"name": name}, headers={"If-Match": '"1"'})
    ).status_code == 200
    now = await clinic_a.get(f"{PRACTITIONERS}/{made['id']}", headers={"If-None-Match": '"1"'})
    assert (now.status_code, now.json()["specialty_name"]) == (200, name)


async def test_staff_see_whom_their_branches_share(tenancy: Tenancy, clinic_a: Clinic) -> None:
    own, foreign = clinic_a.branch_id, await another_branch(clinic_a)
    free = (await created(clinic_a))["id"]
    here = (await created(clinic_a))["id"]
    there = (await created(clinic_a))["id"]
    both = (await created(clinic_a))["id"]
    await keep_hours(tenancy, clinic_a, here, own)
    await keep_hours(tenancy, clinic_a, there, foreign)
    user_id, _ = await clinic_a.add_user(Role.DENTIST)
    async with tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
        session.add(BranchMember(branch_id=foreign, user_id=user_id))
        await session.flush()
    both = (await created(clinic_a, user_id=str(user_id)))["id"]

    for role in (Role.OPERATOR, Role.NURSE):
        seen = await listed(clinic_a, role)
        assert {free, here, both} <= seen
        assert there not in seen
        assert (await clinic_a.get(f"{PRACTITIONERS}/{there}", role=role)).status_code == 404
        # The foreign branch stays invisible in filters too.
        assert await listed(clinic_a, role, branch_id=str(foreign)) == set()
        assert {here, both} <= await listed(clinic_a, role, branch_id=str(own))
    for role in (Role.ADMIN, Role.AUDITOR, Role.PATIENT):
        assert {free, here, there, both} <= await listed(clinic_a, role)
        assert await listed(clinic_a, role, branch=str(foreign)) == {there, both}


async def test_portal_users_get_names_and_nothing_private(clinic_a: Clinic) -> None:
    made = await created(clinic_a)
    retired = await created(clinic_a, is_active=False)
    shown = await clinic_a.get(f"{PRACTITIONERS}/{made['id']}", role=Role.PATIENT)
    assert shown.status_code == 200
    person = shown.json()["person"]
    assert person["given_names"] == "Rosa María"
    private = ("birth_date", "sex", "phone", "email", "address", "identifiers")
    assert [person[name] for name in private] == [None] * 6
    for number in (made["person"]["identifiers"][0]["value"], "987654321", "rosa@mail"):
        assert number not in shown.text
    assert retired["id"] not in await listed(clinic_a, Role.PATIENT)
    gone = await clinic_a.get(f"{PRACTITIONERS}/{retired['id']}", role=Role.PATIENT)
    assert gone.status_code == 404


async def test_portal_users_cannot_find_by_private_numbers(clinic_a: Clinic) -> None:
    made = await created(clinic_a, person=somebody(phone="+51911222333"))
    number = made["person"]["identifiers"][0]["value"]
    for query in (number, number[:5], "911222333"):
        assert made["id"] in await listed(clinic_a, Role.OPERATOR, q=query)
        assert made["id"] not in await listed(clinic_a, Role.PATIENT, q=query)
    assert made["id"] in await listed(clinic_a, Role.PATIENT, q="rosa quisp")


async def test_list_filters_by_specialty_and_words(
    make_clinic: MakeClinic, placement: StrategyName
) -> None:
    clinic = await make_clinic(placement)
    known = await specialty(clinic)
    tall = await created(clinic, specialty_id=known["id"], person=somebody(family_name="Zárate"))
    other = await created(clinic, person=somebody(family_name="Álvarez", given_names="Iván"))
    assert await listed(clinic, specialty_id=known["id"]) == {tall["id"]}
    assert await listed(clinic, specialty=known["id"], q="zar rosa") == {tall["id"]}
    assert await listed(clinic, q="ALVAR ivan") == {other["id"]}
    assert await listed(clinic, q="rate") == set()
    names = [
        item["person"]["family_name"] for item in (await clinic.get(PRACTITIONERS)).json()["items"]
    ]
    assert sorted(names) == sorted(["Álvarez", "Zárate"])


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.DENTIST, Role.PATIENT])
async def test_only_administrators_change_practitioners(clinic_a: Clinic, role: Role) -> None:
    made = await created(clinic_a)
    url, headers = f"{PRACTITIONERS}/{made['id']}", {"If-Match": '"1"'}
    assert (
        await clinic_a.post(PRACTITIONERS, {"person": somebody()}, role=role)
    ).status_code == 403
    assert (await clinic_a.patch(url, {}, role=role, headers=headers)).status_code == 403
    assert (await clinic_a.delete(url, role=role, headers=headers)).status_code == 403
