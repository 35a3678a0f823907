"""Portal users: their own appointments, inside the hours, with a key."""

import secrets
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from clinics import Clinic
from surgeries import (
    APPOINTMENTS,
    bearer,
    next_weekday,
    surgery_at,
)

MONDAY = next_weekday(1)
SUNDAY = next_weekday(7)
NINE = f"{MONDAY}T09:00:00"


def key() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_hex(8)}


async def test_own_request_is_pending_from_the_portal(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    _, patient_id, token = await surgery.portal_user()
    body = surgery.body(NINE, patient_id=patient_id)
    answer = await clinic_a.post(APPOINTMENTS, body, headers=bearer(token, **key()))
    assert answer.status_code == 201, answer.text
    assert (answer.json()["status"], answer.json()["source"]) == ("pending", "portal")


async def test_request_without_a_key_is_refused(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    _, patient_id, token = await surgery.portal_user()
    body = surgery.body(NINE, patient_id=patient_id)
    for language, detail in (
        ("en", "This request needs the header Idempotency-Key."),
        ("es", "Esta solicitud necesita la cabecera Idempotency-Key."),
    ):
        headers = bearer(token, **{"Accept-Language": language})
        answer = await clinic_a.post(APPOINTMENTS, body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
        assert answer.json()["detail"] == detail


async def test_outside_the_hours_is_refused(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    _, patient_id, token = await surgery.portal_user()
    body = surgery.body(f"{SUNDAY}T09:00:00", patient_id=patient_id)
    answer = await clinic_a.post(APPOINTMENTS, body, headers=bearer(token, **key()))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "outside_availability"


async def test_for_somebody_else_is_forbidden_whether_they_exist_or_not(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    _, _, token = await surgery.portal_user()
    for patient_id in (surgery.patient_id, uuid4()):
        body = surgery.body(NINE, patient_id=patient_id)
        answer = await clinic_a.post(APPOINTMENTS, body, headers=bearer(token, **key()))
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_overbooking_and_other_actions_are_forbidden(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    _, patient_id, token = await surgery.portal_user()
    extra = {"is_overbooked": True, "overbook_reason": "please"}
    body = surgery.body(NINE, patient_id=patient_id, **extra)
    answer = await clinic_a.post(APPOINTMENTS, body, headers=bearer(token, **key()))
    assert answer.status_code == 403
    own = await surgery.book(NINE, patient_id=patient_id)
    for action in ("confirm", "arrive", "start", "complete", "no-show", "reschedule"):
        answer = await surgery.act(own, action, headers=bearer(token))
        assert answer.status_code in {403, 422}, action
    path = f"{APPOINTMENTS}/{own['id']}"
    answer = await clinic_a.patch(path, {"reason_text": "x"}, headers=bearer(token))
    assert answer.status_code == 403


async def test_own_ones_are_seen_and_cancelled_and_no_others(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    _, patient_id, token = await surgery.portal_user()
    own = await surgery.book(NINE, patient_id=patient_id)
    other = await surgery.book(f"{MONDAY}T10:00:00")
    listed = await clinic_a.get(APPOINTMENTS, headers=bearer(token))
    assert [item["id"] for item in listed.json()["items"]] == [own["id"]]
    agenda = await clinic_a.get(
        f"{APPOINTMENTS}/agenda", params={"date": str(MONDAY)}, headers=bearer(token)
    )
    assert [line["id"] for line in agenda.json()["items"]] == [own["id"]]
    for path in (f"{APPOINTMENTS}/{other['id']}", f"{APPOINTMENTS}/{other['id']}/ics"):
        assert (await clinic_a.get(path, headers=bearer(token))).status_code == 404
    assert (await surgery.act(other, "cancel", headers=bearer(token))).status_code == 404
    answer = await surgery.act(own, "cancel", headers=bearer(token))
    assert answer.json()["status"] == "cancelled"


async def test_too_late_to_cancel_and_too_early_to_ask(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    _, patient_id, token = await surgery.portal_user()
    soon = datetime.now(UTC) + timedelta(minutes=30)
    own = await surgery.book(soon, patient_id=patient_id)
    late = await surgery.act(own, "cancel", headers=bearer(token))
    assert (late.status_code, late.json()["code"]) == (409, "invalid_transition")
    for start, code in [
        (soon + timedelta(minutes=1), "too_soon"),
        ("2100-03-01T09:00:00", "too_far_ahead"),
    ]:
        body = surgery.body(start, patient_id=patient_id)
        answer = await clinic_a.post(APPOINTMENTS, body, headers=bearer(token, **key()))
        assert answer.json()["errors"][0]["code"] == code


async def test_conflict_with_strangers_tells_times_only(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    _, patient_id, token = await surgery.portal_user()
    booked = await surgery.book(NINE)
    body = surgery.body(NINE, patient_id=patient_id)
    answer = await clinic_a.post(APPOINTMENTS, body, headers=bearer(token, **key()))
    assert answer.json()["conflicts"] == [
        {
            "resource": "practitioner",
            "starts_at": booked["starts_at"],
            "ends_at": booked["ends_at"],
        }
    ]
