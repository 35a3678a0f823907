"""Changes of a patient and of the person behind, by one at a time; archived and brought back."""

import asyncio
import secrets
from uuid import uuid4

import pytest

from clinics import Clinic
from domain.actor import Role
from patient_requests import PATIENTS, change, created, dni, listed, somebody


async def test_change_of_person_documents_and_patient(clinic_a: Clinic) -> None:
    patient = await created(clinic_a, phone="+51911000111")
    first = patient["identifiers"][0]
    passport = {
        "kind": "passport",
        "country": "PE",
        "value": f"P{secrets.randbelow(10**8):08d}",
        "is_primary": True,
    }
    changed = await change(
        clinic_a,
        patient,
        second_family_name=None,
        phone=None,
        sex="other",
        add_identifiers=[passport],
    )
    assert changed.status_code == 200, changed.text
    now = changed.json()
    assert (now["second_family_name"], now["phone"], now["sex"]) == (None, None, "other")
    assert changed.headers["ETag"] == '"2"'
    assert [(i["value"], i["is_primary"]) for i in now["identifiers"]] == [
        (passport["value"], True),
        (first["value"], False),
    ]
    assert now["identifiers"][1]["id"] == first["id"], "what stays keeps its row"
    assert await listed(clinic_a, q="911000111") == []

    replaced = await change(clinic_a, now, identifiers=[{"kind": "dni", "value": first["value"]}])
    assert [(i["id"], i["is_primary"]) for i in replaced.json()["identifiers"]] == [
        (first["id"], True)
    ]
    assert await listed(clinic_a, document=passport["value"]) == []
    emptied = await change(clinic_a, replaced.json(), identifiers=[])
    assert emptied.json()["identifiers"] == []
    stale = await change(clinic_a, replaced.json(), given_names="Otro")
    assert (stale.status_code, stale.headers["ETag"]) == (412, '"4"')
    missing = await clinic_a.patch(f"{PATIENTS}/{patient['id']}", {"sex": "male"})
    assert missing.status_code == 428


async def test_document_of_somebody_else_is_not_taken_over(clinic_a: Clinic) -> None:
    known, patient = await created(clinic_a), await created(clinic_a)
    theirs = {"kind": "dni", "value": known["identifiers"][0]["value"]}
    answer = await change(clinic_a, patient, add_identifiers=[theirs])
    assert (answer.status_code, answer.json()["patient_id"]) == (409, known["id"])
    assert [i["pointer"] for i in answer.json()["errors"]] == ["/add_identifiers/0/value"]
    again = await clinic_a.get(f"{PATIENTS}/{patient['id']}")
    assert again.json()["identifiers"] == patient["identifiers"]


async def test_of_two_changes_at_the_same_version_one_is_refused(clinic_a: Clinic) -> None:
    patient = await created(clinic_a)
    await clinic_a.token()
    answers = await asyncio.gather(
        *(change(clinic_a, patient, given_names=name) for name in ("Ana", "Eva", "Luz"))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412]
    winner = next(answer.json() for answer in answers if answer.status_code == 200)
    assert (await clinic_a.get(f"{PATIENTS}/{patient['id']}")).json() == winner


async def test_change_through_the_practitioner_gives_the_patient_a_new_version(
    clinic_a: Clinic,
) -> None:
    patient = await created(clinic_a)
    made = await clinic_a.post("/api/v1/practitioners", {"person_id": patient["person_id"]})
    assert made.status_code == 201, made.text
    url = f"/api/v1/practitioners/{made.json()['id']}"
    body = {"person": {"given_names": "Nuevo"}}
    assert (await clinic_a.patch(url, body, headers={"If-Match": '"1"'})).status_code == 200
    assert (await change(clinic_a, patient, sex="male")).status_code == 412
    now = (await clinic_a.get(f"{PATIENTS}/{patient['id']}")).json()
    assert (now["given_names"], now["version"]) == ("Nuevo", 2)
    assert (await change(clinic_a, now, given_names="Otra")).status_code == 200
    stale = await clinic_a.patch(url, {"is_active": False}, headers={"If-Match": '"2"'})
    assert (stale.status_code, stale.headers["ETag"]) == (412, '"3"')


async def test_change_of_the_guardian_gives_the_child_a_new_version(clinic_a: Clinic) -> None:
    mother = await created(clinic_a)
    child = await created(clinic_a, guardian_person_id=mother["person_id"])
    assert (await change(clinic_a, mother, phone="+51955000111")).status_code == 200
    now = await clinic_a.get(f"{PATIENTS}/{child['id']}", headers={"If-None-Match": '"1"'})
    assert (now.status_code, now.json()["guardian"]["phone"]) == (200, "+51955000111")


async def test_known_person_is_not_described_again(clinic_a: Clinic) -> None:
    guardian = {"given_names": "Eva", "family_name": "Paz"}
    child = await created(clinic_a, guardian=guardian)
    body = somebody(person_id=child["guardian_person_id"])
    answer = await clinic_a.post(PATIENTS, body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/person_id")


async def test_guardian_is_a_new_or_a_known_person(clinic_a: Clinic) -> None:
    mother = {
        "given_names": "Eva",
        "family_name": "Ríos",
        "phone": "+51922333444",
        "identifiers": [dni()],
    }
    child = await created(clinic_a, birth_date="2019-02-01", guardian=mother)
    assert child["guardian"] == {
        "given_names": "Eva",
        "family_name": "Ríos",
        "second_family_name": None,
        "phone": "+51922333444",
    }
    brother = await created(clinic_a, guardian_person_id=child["guardian_person_id"])
    assert brother["guardian"] == child["guardian"]
    # The guardian is no patient, and known when she becomes one.
    refused = await clinic_a.post(PATIENTS, somebody(identifiers=mother["identifiers"]))
    assert refused.json()["person_id"] == child["guardian_person_id"]
    assert refused.json().get("patient_id") is None
    grown = await created(clinic_a, person_id=child["guardian_person_id"])
    assert (grown["given_names"], grown["identifiers"][0]["value"]) == (
        "Eva",
        mother["identifiers"][0]["value"],
    )
    itself = await change(clinic_a, grown, guardian_person_id=grown["person_id"])
    assert (itself.status_code, itself.json()["errors"][0]["pointer"]) == (
        422,
        "/guardian_person_id",
    )
    freed = await change(clinic_a, child, guardian_person_id=None)
    assert (freed.json()["guardian"], freed.json()["guardian_person_id"]) == (None, None)


async def test_archived_patient_leaves_the_lists_and_comes_back(clinic_a: Clinic) -> None:
    patient = await created(clinic_a)
    url = f"{PATIENTS}/{patient['id']}"
    assert (await clinic_a.delete(url)).status_code == 428
    assert (await clinic_a.delete(url, headers={"If-Match": '"2"'})).status_code == 412
    assert (await clinic_a.delete(url, headers={"If-Match": '"1"'})).status_code == 204
    shown = (await clinic_a.get(url)).json()
    assert shown["status"] == "archived"
    assert shown["archived_at"] is not None
    name = patient["family_name"]
    assert await listed(clinic_a, q=name) == []
    assert await listed(clinic_a, q=name, status="archived") == [patient["id"]]
    back = await change(clinic_a, shown, status="active")
    assert (back.json()["status"], back.json()["archived_at"]) == ("active", None)
    assert await listed(clinic_a, q=name) == [patient["id"]]


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.PATIENT])
async def test_auditors_and_portal_users_change_nothing(clinic_a: Clinic, role: Role) -> None:
    patient = await created(clinic_a)
    url, headers = f"{PATIENTS}/{patient['id']}", {"If-Match": '"1"'}
    answers = [
        await clinic_a.post(PATIENTS, somebody(), role=role),
        await clinic_a.patch(url, {"sex": "male"}, role=role, headers=headers),
        await clinic_a.delete(url, role=role, headers=headers),
        await clinic_a.post(f"{url}/merge", {"into_id": str(uuid4())}, role=role, headers=headers),
    ]
    assert [answer.status_code for answer in answers] == [403] * 4


async def test_timeline_tells_changes_not_readers(clinic_a: Clinic) -> None:
    patient = await created(clinic_a)
    await clinic_a.get(f"{PATIENTS}/{patient['id']}")
    await change(clinic_a, patient, sex="female")
    timeline = await clinic_a.get(f"{PATIENTS}/{patient['id']}/timeline", role=Role.NURSE)
    events = timeline.json()["items"]
    assert [event["action"] for event in events] == ["update", "create"]
    assert set(events[0]) == {"id", "at", "action", "entity_type", "entity_id"}
