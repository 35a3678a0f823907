"""How an appointment goes on: each action, its version, its events; rescheduling and changing."""

from datetime import UTC, datetime, timedelta

import pytest

from clinics import Clinic
from surgeries import (
    APPOINTMENTS,
    audited,
    events,
    next_weekday,
    surgery_at,
)

MONDAY = next_weekday(1)
SUNDAY = next_weekday(7)
NINE = f"{MONDAY}T09:00:00"


async def test_from_pending_to_completed(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    appointment = await surgery.book(NINE)
    for action, status in [
        ("confirm", "confirmed"),
        ("arrive", "arrived"),
        ("start", "in_progress"),
        ("complete", "completed"),
    ]:
        answer = await surgery.act(appointment, action, {"note": f"{action} noted"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == status
        assert answer.headers["ETag"] == f'"{appointment["version"] + 1}"'
        appointment = answer.json()
    assert appointment["arrived_at"] is not None
    assert [event[:2] for event in await events(clinic_a, appointment["id"])] == [
        (None, "pending"),
        ("pending", "confirmed"),
        ("confirmed", "arrived"),
        ("arrived", "in_progress"),
        ("in_progress", "completed"),
    ]
    assert (await events(clinic_a, appointment["id"]))[1][2] == "confirm noted"
    assert await audited(clinic_a, appointment["id"]) == [
        (action, surgery.branch_id)
        for action in ("create", "confirm", "arrive", "start", "complete")
    ]


async def test_cancelled_one_says_why_and_when(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    answer = await surgery.act(
        await surgery.book(NINE), "cancel", {"cancel_reason": "el paciente llamó"}
    )
    assert answer.json()["status"] == "cancelled"
    assert answer.json()["cancel_reason"] == "el paciente llamó"
    assert answer.json()["cancelled_at"] is not None


async def test_nobody_misses_an_appointment_before_it_begins(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    early = await surgery.act(await surgery.book(NINE), "no-show")
    assert (early.status_code, early.json()["code"]) == (409, "invalid_transition")
    begun = await surgery.book(datetime.now(UTC) - timedelta(hours=1))
    assert (await surgery.act(begun, "no-show")).json()["status"] == "no_show"


@pytest.mark.parametrize("action", ["start", "complete"])
async def test_step_is_not_skipped(clinic_a: Clinic, action: str) -> None:
    surgery = await surgery_at(clinic_a)
    answer = await surgery.act(await surgery.book(NINE), action)
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_transition")
    assert answer.json()["current_status"] == "pending"


async def test_action_needs_the_version_that_is_there(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    booked = await surgery.book(NINE)
    path = f"{APPOINTMENTS}/{booked['id']}/confirm"
    assert (await clinic_a.post(path)).status_code == 428
    stale = await clinic_a.post(path, headers={"If-Match": '"7"'})
    assert (stale.status_code, stale.headers["ETag"]) == (412, '"1"')


async def test_reschedule_cancels_the_old_one_and_books_the_new_one(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    old = await surgery.book(NINE, reason_type="procedure", room_id=surgery.room_id)
    target = {"starts_at": f"{MONDAY}T10:00:00", "ends_at": f"{MONDAY}T10:45:00"}
    answer = await surgery.act(old, "reschedule", target | {"note": "tráfico"})
    assert answer.status_code == 201, answer.text
    new = answer.json()
    assert answer.headers["Location"] == f"{APPOINTMENTS}/{new['id']}"
    assert new["rescheduled_from_id"] == old["id"]
    assert (new["status"], new["reason_type"]) == ("pending", "procedure")
    assert (new["room_id"], new["patient_id"]) == (old["room_id"], old["patient_id"])
    assert new["starts_at"] == f"{MONDAY}T10:00:00-05:00"
    gone = (await clinic_a.get(f"{APPOINTMENTS}/{old['id']}")).json()
    assert (gone["status"], gone["cancel_reason"]) == ("cancelled", "tráfico")
    assert await events(clinic_a, old["id"]) == [
        (None, "pending", None),
        ("pending", "cancelled", "tráfico"),
    ]
    assert [a for a, _ in await audited(clinic_a, old["id"])] == ["create", "reschedule"]
    again = await surgery.act(gone, "reschedule", target)
    assert (again.status_code, again.json()["code"]) == (409, "invalid_transition")


async def test_reschedule_may_change_practitioner_and_leave_the_room(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    other = await surgery.another_practitioner()
    old = await surgery.book(NINE, room_id=surgery.room_id)
    target = {"starts_at": old["starts_at"], "ends_at": old["ends_at"]}
    answer = await surgery.act(
        old, "reschedule", target | {"practitioner_id": str(other), "room_id": None}
    )
    assert (answer.json()["practitioner_id"], answer.json()["room_id"]) == (str(other), None)
    assert answer.json()["outside_availability"] is True


async def test_change_is_of_room_service_and_reason_until_the_end(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    booked = await surgery.book(NINE)
    path = f"{APPOINTMENTS}/{booked['id']}"
    changes = {
        "room_id": str(surgery.room_id),
        "reason_text": "dolor",
        "reason_type": "emergency",
    }
    answer = await clinic_a.patch(path, changes, headers={"If-Match": '"1"'})
    assert answer.status_code == 200, answer.text
    assert {name: answer.json()[name] for name in changes} == changes
    assert answer.headers["ETag"] == '"2"'
    timed = await clinic_a.patch(path, {"starts_at": NINE}, headers={"If-Match": '"2"'})
    assert timed.json()["errors"][0]["code"] == "unknown_field"
    cancelled = (await surgery.act(answer.json(), "cancel")).json()
    tag = {"If-Match": f'"{cancelled["version"]}"'}
    final = await clinic_a.patch(path, {"reason_text": "x"}, headers=tag)
    assert (final.status_code, final.json()["code"]) == (409, "invalid_transition")
