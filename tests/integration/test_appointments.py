"""Appointments: booked by whom and when, their life, who sees them, what they look like."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from clinics import Clinic
from domain.organisation.models import Person
from domain.scheduling.calendar import DAY
from domain.tables import new_id
from surgeries import (
    APPOINTMENTS,
    another_branch,
    audited,
    day_of_hours,
    events,
    next_weekday,
    surgery_at,
)

MONDAY = next_weekday(1)
SUNDAY = next_weekday(7)
NINE = f"{MONDAY}T09:00:00"


def key() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_hex(8)}


async def test_booked_appointment_is_pending_and_carries_the_branch_offset(
    clinic_a: Clinic,
) -> None:
    surgery = await surgery_at(clinic_a)
    answer = await clinic_a.post(
        APPOINTMENTS,
        surgery.body(NINE, room_id=surgery.room_id, reason_type="control", reason_text="Revisión"),
    )
    assert answer.status_code == 201, answer.text
    booked = answer.json()
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Location"] == f"{APPOINTMENTS}/{booked['id']}"
    assert booked["starts_at"] == f"{NINE}-05:00"
    assert booked["ends_at"] == f"{MONDAY}T09:30:00-05:00"
    assert booked["status"] == "pending"
    assert booked["source"] == "staff"
    assert booked["outside_availability"] is False
    assert (booked["reason_type"], booked["reason_text"]) == ("control", "Revisión")
    again = await clinic_a.get(answer.headers["Location"])
    assert again.json() == {k: v for k, v in booked.items() if k != "outside_availability"}
    assert await events(clinic_a, booked["id"]) == [(None, "pending", None)]
    assert await audited(clinic_a, booked["id"]) == [("create", surgery.branch_id)]


async def test_reason_is_other_unless_given(clinic_a: Clinic) -> None:
    booked = await (await surgery_at(clinic_a)).book(NINE)
    assert (booked["reason_type"], booked["reason_text"]) == ("other", "")


async def test_same_idempotency_key_books_once(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    headers = key()
    first = await clinic_a.post(APPOINTMENTS, surgery.body(NINE), headers=headers)
    second = await clinic_a.post(APPOINTMENTS, surgery.body(NINE), headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"ends_at": f"{MONDAY}T08:00:00"}, "/ends_at", "ends_before_start"),
        ({"ends_at": f"{MONDAY}T21:00:01"}, "/ends_at", "too_long_period"),
        ({"starts_at": "2020-01-01T09:00:00"}, "/ends_at", "too_long_period"),
        ({"starts_at": "0001-01-01T00:00:00"}, "/starts_at", "out_of_range"),
        ({"starts_at": "tomorrow"}, "/starts_at", "invalid_format"),
        ({"reason_type": "fun"}, "/reason_type", "invalid_choice"),
        ({"status": "confirmed"}, "/status", "unknown_field"),
        ({"patient_id": None}, "/patient_id", "invalid_type"),
    ],
)
async def test_impossible_booking_is_refused_at_its_field(
    clinic_a: Clinic, changes: dict[str, Any], pointer: str, code: str
) -> None:
    surgery = await surgery_at(clinic_a)
    answer = await clinic_a.post(APPOINTMENTS, surgery.body(NINE, **changes))
    assert answer.status_code == 422, answer.text
    assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [(pointer, code)]


async def test_what_was_half_a_day_ago_is_not_booked_any_more(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    now = datetime.now(UTC).replace(microsecond=0)
    refused = await clinic_a.post(APPOINTMENTS, surgery.body(now - timedelta(hours=12, minutes=1)))
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["code"] == "in_the_past"
    await surgery.book(now - timedelta(hours=11))


@pytest.mark.parametrize(
    "field", ["patient_id", "practitioner_id", "branch_id", "room_id", "service_id"]
)
async def test_reference_to_another_clinic_or_to_nothing_is_refused(
    clinic_a: Clinic, clinic_b: Clinic, field: str
) -> None:
    ours, theirs = await surgery_at(clinic_a), await surgery_at(clinic_b)
    for foreign in (getattr(theirs, field, None) or uuid4(), uuid4()):
        answer = await clinic_a.post(APPOINTMENTS, ours.body(NINE, **{field: foreign}))
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_reference")
        assert answer.json()["errors"][0]["pointer"] == f"/{field}"


async def test_room_of_another_branch_is_refused(clinic_a: Clinic) -> None:
    here = await surgery_at(clinic_a)
    there = await surgery_at(clinic_a, await another_branch(clinic_a))
    answer = await clinic_a.post(APPOINTMENTS, here.body(NINE, room_id=there.room_id))
    assert answer.json()["errors"][0]["pointer"] == "/room_id"


async def test_staff_may_book_outside_the_hours_and_are_told(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    assert (await surgery.book(f"{SUNDAY}T09:00:00"))["outside_availability"] is True
    assert (await surgery.book(f"{MONDAY}T12:45:00"))["outside_availability"] is True


@pytest.mark.parametrize(
    ("zone", "offset"),
    [
        ("America/Lima", "-05:00"),
        ("America/Bogota", "-05:00"),
        ("America/La_Paz", "-04:00"),
        ("America/Mexico_City", "-06:00"),
    ],
)
async def test_nine_is_nine_at_the_branch(clinic_a: Clinic, zone: str, offset: str) -> None:
    surgery = await surgery_at(clinic_a, await another_branch(clinic_a, zone), zone)
    booked = await surgery.book(NINE)
    assert booked["starts_at"] == f"{NINE}{offset}"
    assert booked["outside_availability"] is False
    agenda = await clinic_a.get(
        f"{APPOINTMENTS}/agenda",
        params={"date": str(MONDAY), "branch_id": str(surgery.branch_id)},
    )
    assert [line["starts_at"] for line in agenda.json()["items"]] == [f"{NINE}{offset}"]


@pytest.mark.parametrize("zone", ["America/Santiago", "America/Asuncion"])
async def test_nine_stays_nine_over_the_whole_year(clinic_a: Clinic, zone: str) -> None:
    surgery = await surgery_at(clinic_a, await another_branch(clinic_a, zone), zone)
    for weeks in (2, 15, 28, 41):
        monday = next_weekday(1, weeks=weeks)
        booked = await surgery.book(f"{monday}T09:00:00")
        assert booked["starts_at"].startswith(f"{monday}T09:00:00-0")
        assert booked["outside_availability"] is False


async def test_booking_over_the_change_of_clocks_keeps_its_wall_times(clinic_a: Clinic) -> None:
    zone = ZoneInfo("America/Santiago")
    surgery = await surgery_at(clinic_a, await another_branch(clinic_a, zone.key), zone.key)
    # From 24:00 -03:00 back to 23:00 -04:00.
    saturday, sunday = day_of_hours(25, zone), day_of_hours(25, zone) + DAY
    booked = await surgery.book(f"{saturday}T22:30:00", 120)
    assert booked["starts_at"] == f"{saturday}T22:30:00-03:00"
    assert booked["ends_at"] == f"{sunday}T00:30:00-04:00"
    # From 24:00 -04:00 on to 01:00 -03:00.
    saturday, sunday = day_of_hours(23, zone) - DAY, day_of_hours(23, zone)
    spring = await surgery.book(f"{saturday}T23:30:00", 120)
    assert spring["ends_at"] == f"{sunday}T01:30:00-03:00"
    skipped = await clinic_a.post(APPOINTMENTS, surgery.body(f"{sunday}T00:30:00"))
    assert skipped.status_code == 422
    complaint = skipped.json()["errors"][0]
    assert (complaint["pointer"], complaint["code"]) == ("/starts_at", "nonexistent_time")


async def test_other_clinic_gets_404(clinic_a: Clinic, clinic_b: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    booked = await surgery.book(NINE)
    path = f"{APPOINTMENTS}/{booked['id']}"
    assert (await clinic_b.get(path)).status_code == 404
    assert (await clinic_b.get(f"{path}/ics")).status_code == 404
    for action in ("confirm", "cancel"):
        answer = await clinic_b.post(f"{path}/{action}", headers={"If-Match": '"1"'})
        assert answer.status_code == 404
    listed = await clinic_b.get(APPOINTMENTS, params={"practitioner": booked["practitioner_id"]})
    assert listed.json() == {"items": [], "next_cursor": None}


async def test_calendar_file_says_when_and_where_and_not_why(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    booked = await surgery.book(NINE, reason_text="conducto secreto")
    answer = await clinic_a.get(f"{APPOINTMENTS}/{booked['id']}/ics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert f"DTSTART:{MONDAY:%Y%m%d}T140000Z\r\n" in answer.text
    assert f"UID:{booked['id']}@{clinic_a.slug}.polyclinic\r\n" in answer.text
    assert "secreto" not in answer.text
    changed = await surgery.act(booked, "cancel")
    again = await clinic_a.get(f"{APPOINTMENTS}/{changed.json()['id']}/ics")
    assert "STATUS:CANCELLED\r\nSUMMARY" in again.text
    assert "SEQUENCE:1\r\n" in again.text


async def test_names_of_people_do_not_leak_between_clinics(
    clinic_a: Clinic, clinic_b: Clinic
) -> None:
    ours, theirs = await surgery_at(clinic_a), await surgery_at(clinic_b)
    await ours.book(NINE)
    await theirs.add(Person(id=new_id(), given_names="Secreta", family_name="Ajena"))
    await theirs.book(NINE)
    for clinic, surgery in ((clinic_a, ours), (clinic_b, theirs)):
        query = {"date": str(MONDAY)}
        answer = await clinic.get(f"{APPOINTMENTS}/agenda", params=query)
        practitioners = {line["practitioner_id"] for line in answer.json()["items"]}
        assert str(surgery.practitioner_id) in practitioners
        other = theirs if surgery is ours else ours
        assert str(other.practitioner_id) not in practitioners
