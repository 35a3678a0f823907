"""Patients are registered once, under a number of their clinic, with documents that are checked."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clinics import Clinic
from domain.actor import Role
from patient_requests import PATIENTS, created, dni, listed, portal_user, somebody

TOMORROW = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()


async def test_registered_patient_has_a_record_number_and_documents(
    clinic_a: Clinic, clinic_b: Clinic
) -> None:
    body = somebody(
        sex="male",
        phone="987 654 321",
        email="Jose@Mail.example",
        address={"district": "Yanahuara"},
        emergency_contact={"name": "Ana", "phone": "+51911111111"},
        do_not_contact=True,
        identifiers=[
            dni(),
            {"kind": "passport", "country": "cl", "value": "ab-123456", "is_primary": True},
        ],
    )
    answer = await clinic_a.post(PATIENTS, body, role=Role.OPERATOR)
    assert answer.status_code == 201, answer.text
    patient = answer.json()
    assert answer.headers["Location"] == f"{PATIENTS}/{patient['id']}"
    assert answer.headers["ETag"] == '"1"'
    for name in (
        "given_names",
        "family_name",
        "birth_date",
        "sex",
        "address",
        "emergency_contact",
        "do_not_contact",
    ):
        assert patient[name] == body[name]
    assert (patient["phone"], patient["email"]) == ("+51987654321", "jose@mail.example")
    assert (patient["status"], patient["guardian"], patient["user_id"]) == ("active", None, None)
    documents = [
        (i["kind"], i["country"], i["value"], i["is_primary"]) for i in patient["identifiers"]
    ]
    assert documents == [
        ("passport", "CL", "AB123456", True),
        ("dni", "PE", body["identifiers"][0]["value"], False),
    ]
    following = await created(clinic_a)
    assert int(following["record_number"]) == int(patient["record_number"]) + 1
    assert (await clinic_a.get(answer.headers["Location"], role=Role.OPERATOR)).json() == patient
    # The other clinic counts for itself and may know the same person.
    there = await clinic_b.post(PATIENTS, body, role=Role.OPERATOR)
    assert there.status_code == 201, there.text


async def test_parallel_registrations_get_numbers_without_gaps(clinic_a: Clinic) -> None:
    first = int((await created(clinic_a))["record_number"])
    made = await asyncio.gather(*(created(clinic_a) for _ in range(8)))
    assert sorted(int(p["record_number"]) for p in made) == list(range(first + 1, first + 9))


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"given_names": None}, "/given_names", "required"),
        ({"family_name": ""}, "/family_name", "too_short"),
        ({"birth_date": TOMORROW}, "/birth_date", "in_the_future"),
        ({"birth_date": "1990-13-01"}, "/birth_date", "invalid_format"),
        ({"sex": "m"}, "/sex", "invalid_choice"),
        ({"phone": "12345"}, "/phone", "invalid_phone"),
        ({"email": "nobody"}, "/email", "invalid_format"),
        ({"identifiers": [{"kind": "dni", "country": "PE", "value": "1234567"}]}, "/identifiers/0/value", "invalid_format"),
        (
            {"identifiers": [{"kind": "run", "country": "CL", "value": "30.686.957-5"}]},
            "/identifiers/0/value",
            "invalid_check_digit",
        ),
        (
            {"identifiers": [{"kind": "passport", "country": "PE", "value": "AB12345"}] * 2},
            "/identifiers/1/value",
            "duplicate",
        ),
        ({"identifiers": [{"kind": "dni", "country": "XX", "value": "12345678"}]}, "/identifiers/0/country", "unknown_country"),
        ({"guardian": {"given_names": "Eva"}}, "/guardian/family_name", "required"),
        ({"record_number": "7"}, "/record_number", "unknown_field"),
    ],
)  # fmt: skip
async def test_impossible_values_are_refused_at_their_field(
    clinic_a: Clinic, fields: dict[str, Any], pointer: str, code: str
) -> None:
    answer = await clinic_a.post(PATIENTS, somebody(**fields), role=Role.OPERATOR)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error"), answer.text
    assert [(i["pointer"], i["code"]) for i in answer.json()["errors"]] == [(pointer, code)]


async def test_document_without_country_is_one_of_the_clinics(clinic_a: Clinic) -> None:
    value = dni()["value"]
    made = await created(clinic_a, identifiers=[{"kind": "dni", "value": value}])
    assert made["identifiers"][0]["country"] == "PE"


async def test_known_document_is_refused_and_tells_no_more_than_the_id(clinic_a: Clinic) -> None:
    known = await created(clinic_a, given_names="Secreto", phone="+51911222444")
    number = known["identifiers"][0]["value"]
    body = somebody(identifiers=[dni(), {"kind": "dni", "value": f"{number[:4]}.{number[4:]}"}])
    answer = await clinic_a.post(PATIENTS, body, role=Role.OPERATOR)
    assert (answer.status_code, answer.json()["code"]) == (409, "duplicate"), answer.text
    assert [i["pointer"] for i in answer.json()["errors"]] == ["/identifiers/1/value"]
    assert answer.json()["patient_id"] == known["id"]
    for private in ("Secreto", known["family_name"], "911222444", known["record_number"], number):
        assert private not in answer.text
    assert (
        body["family_name"]
        not in (await clinic_a.get(PATIENTS, params={"q": body["family_name"]})).text
    )


async def test_parallel_registrations_of_one_document_make_one_patient(clinic_a: Clinic) -> None:
    document = dni()
    await clinic_a.token(Role.OPERATOR)
    answers = await asyncio.gather(
        *(
            clinic_a.post(PATIENTS, somebody(identifiers=[document]), role=Role.OPERATOR)
            for _ in range(6)
        )
    )
    assert sorted(a.status_code for a in answers) == [201] + [409] * 5
    winner = next(a.json()["id"] for a in answers if a.status_code == 201)
    assert {a.json()["patient_id"] for a in answers if a.status_code == 409} == {winner}
    assert await listed(clinic_a, document=document["value"]) == [winner]


@pytest.mark.parametrize("role", [Role.DENTIST, Role.DOCTOR, Role.NURSE, Role.DIGITIZER])
async def test_all_clinical_staff_keep_patients_of_any_branch(clinic_a: Clinic, role: Role) -> None:
    patient = await created(clinic_a, role)
    assert (await clinic_a.get(f"{PATIENTS}/{patient['id']}", role=Role.NURSE)).status_code == 200


async def test_one_login_belongs_to_one_patient(clinic_a: Clinic) -> None:
    user_id, _ = await portal_user(clinic_a)
    await created(clinic_a, user_id=user_id)
    answer = await clinic_a.post(PATIENTS, somebody(user_id=user_id))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (409, "/user_id")


async def test_repeated_post_under_one_key_registers_one(clinic_a: Clinic) -> None:
    body, headers = somebody(), {"Idempotency-Key": secrets.token_hex(8)}
    first = await clinic_a.post(PATIENTS, body, headers=headers)
    again = await clinic_a.post(PATIENTS, body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert await listed(clinic_a, q=body["family_name"]) == [first.json()["id"]]
