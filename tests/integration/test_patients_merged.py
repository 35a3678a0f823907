"""Two records of one human being become one: everything is found at the one who stays."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from clinics import Clinic
from domain.organisation.models import Patient
from domain.scheduling.models import Appointment
from patient_requests import PATIENTS, change, created, dni, listed, portal_user
from tenancy.modes import Mode
from tenancy.runtime import Tenancy

PRACTITIONERS = "/api/v1/practitioners"


async def merge(clinic: Clinic, gone: dict[str, Any], into: dict[str, Any]) -> httpx.Response:
    return await clinic.post(
        f"{PATIENTS}/{gone['id']}/merge",
        {"into_id": into["id"]},
        headers={"If-Match": f'"{gone["version"]}"'},
    )


async def shown(clinic: Clinic, patient: dict[str, Any]) -> dict[str, Any]:
    return dict((await clinic.get(f"{PATIENTS}/{patient['id']}")).json())


async def test_documents_lead_to_the_one_who_stays(clinic_a: Clinic) -> None:
    stays, gone = await created(clinic_a), await created(clinic_a)
    answer = await merge(clinic_a, gone, stays)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["id"], answer.headers["ETag"]) == (stays["id"], '"2"')
    numbers = {i["value"]: i["is_primary"] for i in answer.json()["identifiers"]}
    old, new = gone["identifiers"][0]["value"], stays["identifiers"][0]["value"]
    assert numbers == {new: True, old: False}
    assert await listed(clinic_a, document=old) == [stays["id"]]
    assert await listed(clinic_a, q=gone["family_name"]) == []
    assert await listed(clinic_a, q=gone["family_name"], status="merged") == [gone["id"]]
    pointer = await shown(clinic_a, gone)
    assert (pointer["status"], pointer["merged_into_id"]) == ("merged", stays["id"])
    assert pointer["identifiers"] == []
    assert pointer["record_number"] == gone["record_number"]


async def test_document_becomes_primary_where_there_was_none(clinic_a: Clinic) -> None:
    stays, gone = await created(clinic_a, identifiers=[]), await created(clinic_a)
    answer = await merge(clinic_a, gone, stays)
    assert [i["is_primary"] for i in answer.json()["identifiers"]] == [True]


async def test_merged_patient_is_not_changed_any_more(clinic_a: Clinic) -> None:
    stays, gone = await created(clinic_a), await created(clinic_a)
    await merge(clinic_a, gone, stays)
    pointer = await shown(clinic_a, gone)
    headers = {"If-Match": f'"{pointer["version"]}"'}
    answers = [
        await change(clinic_a, pointer, sex="male"),
        await change(clinic_a, pointer, status="active"),
        await clinic_a.delete(f"{PATIENTS}/{gone['id']}", headers=headers),
        await merge(clinic_a, pointer, await created(clinic_a)),
        await merge(clinic_a, await created(clinic_a), pointer),
    ]
    assert [(a.status_code, a.json()["code"]) for a in answers] == [(409, "invalid_transition")] * 5
    assert answers[0].json()["merged_into_id"] == stays["id"]


async def test_merge_needs_the_version_and_another_patient(clinic_a: Clinic) -> None:
    stays, gone = await created(clinic_a), await created(clinic_a)
    url = f"{PATIENTS}/{gone['id']}/merge"
    assert (await clinic_a.post(url, {"into_id": stays["id"]})).status_code == 428
    assert (await merge(clinic_a, gone | {"version": 9}, stays)).status_code == 412
    itself = await merge(clinic_a, gone, gone)
    assert (itself.status_code, itself.json()["errors"][0]["pointer"]) == (422, "/into_id")
    await clinic_a.delete(f"{PATIENTS}/{stays['id']}", headers={"If-Match": '"1"'})
    assert (await merge(clinic_a, gone, stays)).status_code == 409
    assert (await shown(clinic_a, gone))["status"] == "active"


async def test_opposite_mergers_at_once_leave_one_patient(clinic_a: Clinic) -> None:
    one, other = await created(clinic_a), await created(clinic_a)
    await clinic_a.token()
    answers = await asyncio.gather(merge(clinic_a, one, other), merge(clinic_a, other, one))
    codes = sorted(answer.status_code for answer in answers)
    assert codes[0] == 200
    assert codes[1] in {409, 412}
    statuses = [(await shown(clinic_a, patient))["status"] for patient in (one, other)]
    assert sorted(statuses) == ["active", "merged"]


async def test_chain_of_mergers_points_to_the_last_one(clinic_a: Clinic) -> None:
    first, second, third = [await created(clinic_a) for _ in range(3)]
    await merge(clinic_a, first, second)
    answer = await merge(clinic_a, await shown(clinic_a, second), third)
    assert answer.status_code == 200, answer.text
    for patient in (first, second):
        assert (await shown(clinic_a, patient))["merged_into_id"] == third["id"]
    assert len(answer.json()["identifiers"]) == 3
    timeline = (await clinic_a.get(f"{PATIENTS}/{third['id']}/timeline")).json()["items"]
    assert {event["entity_id"] for event in timeline} == {p["id"] for p in (first, second, third)}


async def test_login_and_dependants_follow(clinic_a: Clinic) -> None:
    user_id, token = await portal_user(clinic_a)
    gone, stays = await created(clinic_a, user_id=user_id), await created(clinic_a)
    child = await created(clinic_a, guardian_person_id=gone["person_id"])
    answer = await merge(clinic_a, gone, stays)
    assert answer.json()["user_id"] == user_id
    own = await clinic_a.get(PATIENTS, role=None, headers={"Authorization": f"Bearer {token}"})
    assert [patient["id"] for patient in own.json()["items"]] == [stays["id"]]
    child = await shown(clinic_a, child)
    assert (child["guardian_person_id"], child["version"]) == (stays["person_id"], 2)


async def test_guardian_who_turns_out_to_be_the_patient_is_none(clinic_a: Clinic) -> None:
    gone = await created(clinic_a)
    stays = await created(clinic_a, guardian_person_id=gone["person_id"])
    answer = await merge(clinic_a, gone, stays)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["guardian_person_id"], answer.json()["guardian"]) == (None, None)
    assert answer.headers["ETag"] == '"2"'


async def test_database_refuses_patients_who_are_their_own_guardian(
    tenancy: Tenancy, clinic_a: Clinic
) -> None:
    patient = await created(clinic_a)
    own = update(Patient).where(Patient.id == UUID(patient["id"]))
    with pytest.raises(IntegrityError, match="ck_patient_guardian_is_another"):
        async with tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
            await session.execute(own.values(guardian_person_id=Patient.person_id))


async def test_practitioner_who_was_also_a_patient_follows(clinic_a: Clinic) -> None:
    gone, stays = await created(clinic_a), await created(clinic_a)
    made = await clinic_a.post(PRACTITIONERS, {"person_id": gone["person_id"]})
    await merge(clinic_a, gone, stays)
    now = (await clinic_a.get(f"{PRACTITIONERS}/{made.json()['id']}")).json()
    assert now["person_id"] == stays["person_id"]
    assert len(now["person"]["identifiers"]) == 2


async def test_appointments_follow(tenancy: Tenancy, clinic_a: Clinic) -> None:
    gone, stays = await created(clinic_a), await created(clinic_a)
    person = {"given_names": "Eva", "family_name": "Paz", "identifiers": [dni()]}
    practitioner = (await clinic_a.post(PRACTITIONERS, {"person": person})).json()
    starts_at = datetime.now(UTC) + timedelta(days=3)
    async with tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
        session.add(
            Appointment(
                patient_id=UUID(gone["id"]),
                practitioner_id=UUID(practitioner["id"]),
                branch_id=clinic_a.branch_id,
                starts_at=starts_at,
                ends_at=starts_at + timedelta(minutes=30),
            )
        )
        await session.flush()
    assert (await merge(clinic_a, gone, stays)).status_code == 200
    async with tenancy.session(clinic_a.tenant_id, Mode.READ) as session:
        owners = await session.scalars(
            select(Appointment.patient_id).where(
                Appointment.practitioner_id == UUID(practitioner["id"])
            )
        )
        assert list(owners) == [UUID(stays["id"])]
