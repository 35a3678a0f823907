"""Nobody and nothing is booked twice: under concurrency, through every path, and named in the refusal."""

import asyncio
import time
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.exc import DBAPIError

from clinics import Clinic
from domain.actor import SYSTEM
from domain.scheduling.calendar import Period
from domain.scheduling.conflicts import Slot, hold_slot
from domain.scheduling.errors import AppointmentConflictError
from domain.tables import new_id
from surgeries import APPOINTMENTS, another_branch, next_weekday, surgery_at
from tenancy.modes import Mode

PARALLEL = 50
SECONDS_MAX = 5.0

MONDAY = next_weekday(1)
TUESDAY = next_weekday(2)


def statuses(answers: list[Any]) -> dict[int, int]:
    codes = [answer.status_code for answer in answers]
    return {code: codes.count(code) for code in sorted(set(codes))}


async def test_one_of_fifty_parallel_bookings_wins(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    patients = [await surgery.another_patient() for _ in range(PARALLEL)]
    await clinic_a.token()
    begun = time.monotonic()
    answers = await asyncio.gather(
        *(
            clinic_a.post(APPOINTMENTS, surgery.body(f"{MONDAY}T09:00:00", patient_id=patient))
            for patient in patients
        )
    )
    took_s = time.monotonic() - begun
    assert statuses(answers) == {201: 1, 409: PARALLEL - 1}
    winner = next(answer.json() for answer in answers if answer.status_code == 201)
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["code"] == "appointment_conflict"
            assert [c["appointment_id"] for c in answer.json()["conflicts"]] == [winner["id"]]
    assert took_s < SECONDS_MAX


async def test_parallel_bookings_that_share_resources_crosswise_do_not_deadlock(
    clinic_a: Clinic,
) -> None:
    surgery = await surgery_at(clinic_a)
    practitioners = [surgery.practitioner_id, await surgery.another_practitioner()]
    patients = [surgery.patient_id, await surgery.another_patient()]
    begun = time.monotonic()
    answers = await asyncio.gather(
        *(
            clinic_a.post(
                APPOINTMENTS,
                surgery.body(
                    f"{MONDAY}T{9 + turn % 3:02}:00:00",
                    60,
                    practitioner_id=practitioners[turn % 2],
                    patient_id=patients[(turn // 2) % 2],
                    room_id=surgery.room_id if turn % 4 else None,
                ),
            )
            for turn in range(36)
        )
    )
    assert set(statuses(answers)) == {201, 409}
    assert time.monotonic() - begun < SECONDS_MAX
    taken = [answer.json() for answer in answers if answer.status_code == 201]
    for position, one in enumerate(taken):
        for other in taken[:position]:
            shares = any(
                one[name] is not None and one[name] == other[name]
                for name in ("practitioner_id", "patient_id", "room_id")
            )
            assert not (shares and one["starts_at"] == other["starts_at"])


async def test_parallel_rescheduling_and_booking_leave_one_in_the_slot(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    booked = [await surgery.book(f"{MONDAY}T{hour:02}:00:00") for hour in (9, 10, 11)]
    others = [await surgery.another_patient() for _ in range(6)]
    target = {"starts_at": f"{MONDAY}T12:00:00", "ends_at": f"{MONDAY}T12:30:00"}
    answers = await asyncio.gather(
        *(surgery.act(each, "reschedule", target) for each in booked),
        *(
            clinic_a.post(APPOINTMENTS, surgery.body(f"{MONDAY}T12:15:00", patient_id=patient))
            for patient in others
        ),
        *(surgery.act(each, "confirm") for each in booked),
    )
    won = [a.json() for a in answers if a.status_code == 201]
    assert len(won) == 1
    assert set(statuses(answers)) <= {200, 201, 409, 412}
    query = {"practitioner": str(surgery.practitioner_id), "from": f"{MONDAY}T12:00:00"}
    rows = (await clinic_a.get(APPOINTMENTS, params=query)).json()["items"]
    assert [row["id"] for row in rows] == [won[0]["id"]]


async def test_of_two_parallel_confirmations_one_holds(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    pending = await surgery.book(f"{MONDAY}T09:00:00")
    answers = await asyncio.gather(*(surgery.act(pending, "confirm") for _ in range(2)))
    assert statuses(answers) == {200: 1, 412: 1}


async def test_two_pending_requests_cannot_both_be_for_one_slot(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    assert (await surgery.book(f"{MONDAY}T09:00:00"))["status"] == "pending"
    other = await surgery.another_patient()
    answer = await clinic_a.post(
        APPOINTMENTS, surgery.body(f"{MONDAY}T09:10:00", 10, patient_id=other)
    )
    assert answer.status_code == 409


@pytest.mark.parametrize(
    ("start", "minutes"), [("08:30:00", 30), ("09:30:00", 30), ("08:00:00", 60)]
)
async def test_touching_appointments_are_no_conflict(
    clinic_a: Clinic, start: str, minutes: int
) -> None:
    surgery = await surgery_at(clinic_a)
    await surgery.book(f"{MONDAY}T09:00:00")
    await surgery.book(f"{MONDAY}T{start}", minutes)


@pytest.mark.parametrize(
    ("start", "minutes"),
    [("08:45:00", 30), ("09:15:00", 30), ("09:05:00", 10), ("08:00:00", 180), ("09:29:00", 5)],
)
async def test_overlapping_appointments_are_a_conflict(
    clinic_a: Clinic, start: str, minutes: int
) -> None:
    surgery = await surgery_at(clinic_a)
    await surgery.book(f"{MONDAY}T09:00:00")
    answer = await clinic_a.post(APPOINTMENTS, surgery.body(f"{MONDAY}T{start}", minutes))
    assert answer.status_code == 409


async def test_refusal_names_everything_that_is_in_the_way(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    other_practitioner = await surgery.another_practitioner()
    other_patient = await surgery.another_patient()
    first = await surgery.book(f"{MONDAY}T09:00:00", room_id=surgery.room_id)
    second = await surgery.book(f"{MONDAY}T09:30:00", patient_id=other_patient)
    third = await surgery.book(f"{MONDAY}T09:45:00", practitioner_id=other_practitioner)
    await surgery.book(f"{MONDAY}T11:00:00")
    answer = await clinic_a.post(
        APPOINTMENTS,
        surgery.body(f"{MONDAY}T09:15:00", 60, room_id=surgery.room_id),
        headers={"Accept-Language": "es"},
    )
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    problem = answer.json()
    assert (problem["code"], problem["title"]) == ("appointment_conflict", "Horario ocupado")
    assert [(c["resource"], c["appointment_id"], c["starts_at"]) for c in problem["conflicts"]] == [
        ("practitioner", first["id"], f"{MONDAY}T09:00:00-05:00"),
        ("room", first["id"], f"{MONDAY}T09:00:00-05:00"),
        ("patient", first["id"], f"{MONDAY}T09:00:00-05:00"),
        ("practitioner", second["id"], f"{MONDAY}T09:30:00-05:00"),
        ("patient", third["id"], f"{MONDAY}T09:45:00-05:00"),
    ]
    assert "no_double_booking" not in answer.text


async def test_practitioner_is_taken_at_every_branch(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    branch_id = await another_branch(clinic_a, "America/Santiago")
    booked = await surgery.book(f"{MONDAY}T09:00:00-05:00")
    other = await surgery.another_patient()
    body = surgery.body(f"{MONDAY}T09:00:00-05:00", branch_id=branch_id, patient_id=other)
    answer = await clinic_a.post(APPOINTMENTS, body)
    assert [c["appointment_id"] for c in answer.json()["conflicts"]] == [booked["id"]]


async def test_cancelled_appointment_frees_its_slot_and_stays_cancelled(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    first = await surgery.book(f"{MONDAY}T09:00:00", room_id=surgery.room_id)
    cancelled = await surgery.act(first, "cancel")
    assert cancelled.status_code == 200
    await surgery.book(f"{MONDAY}T09:00:00", room_id=surgery.room_id)
    again = await surgery.act(cancelled.json(), "confirm")
    assert (again.status_code, again.json()["code"]) == (409, "invalid_transition")


async def test_overbooking_is_allowed_with_a_reason_and_blocks_nobody(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    await surgery.book(f"{MONDAY}T09:00:00")
    other = await surgery.another_patient()
    beside = {"patient_id": other, "is_overbooked": True, "overbook_reason": "dolor agudo"}
    extra = await surgery.book(f"{MONDAY}T09:00:00", **beside)
    assert (extra["is_overbooked"], extra["overbook_reason"]) == (True, "dolor agudo")
    await surgery.book(f"{MONDAY}T09:00:00", **beside)
    silent = surgery.body(f"{MONDAY}T09:00:00", is_overbooked=True)
    answer = await clinic_a.post(APPOINTMENTS, silent)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/overbook_reason")


async def test_change_into_a_taken_room_is_refused_and_changes_nothing(clinic_a: Clinic) -> None:
    surgery, other = await surgery_at(clinic_a), await surgery_at(clinic_a)
    taken = await surgery.book(f"{MONDAY}T09:00:00", room_id=surgery.room_id)
    booked = await other.book(f"{MONDAY}T09:15:00")
    path, tag = f"{APPOINTMENTS}/{booked['id']}", {"If-Match": '"1"'}
    changes = {"room_id": str(surgery.room_id), "reason_text": "x"}
    answer = await clinic_a.patch(path, changes, headers=tag)
    assert answer.status_code == 409
    assert [(c["resource"], c["appointment_id"]) for c in answer.json()["conflicts"]] == [
        ("room", taken["id"])
    ]
    assert (await clinic_a.get(path)).json() == {
        k: v for k, v in booked.items() if k != "outside_availability"
    }


async def test_rescheduling_into_a_taken_slot_keeps_the_old_appointment(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    first = await surgery.book(f"{MONDAY}T09:00:00")
    second = await surgery.book(f"{MONDAY}T10:00:00", patient_id=await surgery.another_patient())
    target = {"starts_at": f"{MONDAY}T09:15:00", "ends_at": f"{MONDAY}T09:45:00"}
    answer = await surgery.act(second, "reschedule", target)
    assert [c["appointment_id"] for c in answer.json()["conflicts"]] == [first["id"]]
    kept = await clinic_a.get(f"{APPOINTMENTS}/{second['id']}")
    assert (kept.json()["status"], kept.json()["version"]) == ("pending", 1)


async def test_appointment_may_move_within_its_own_time(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    booked = await surgery.book(f"{MONDAY}T09:00:00", 60, room_id=surgery.room_id)
    target = {"starts_at": f"{MONDAY}T09:30:00", "ends_at": f"{MONDAY}T10:30:00"}
    answer = await surgery.act(booked, "reschedule", target)
    assert answer.status_code == 201, answer.text


async def test_same_time_in_another_clinic_is_free(clinic_a: Clinic, clinic_b: Clinic) -> None:
    for clinic in (clinic_a, clinic_b):
        surgery = await surgery_at(clinic)
        await surgery.book(f"{TUESDAY}T09:00:00")


class DriverError(Exception):
    """What a driver raises, as far as anybody looks at it."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("sqlstate", "failures", "calls", "raised"),
    [
        ("40P01", 1, 2, None),
        ("40P01", 2, 2, DBAPIError),
        ("23P01", 1, 2, None),
        ("23P01", 2, 2, AppointmentConflictError),
        ("23503", 1, 1, DBAPIError),
    ],
)
async def test_write_is_tried_once_more_after_a_deadlock_or_a_conflict_that_is_gone(
    clinic_a: Clinic, sqlstate: str, failures: int, calls: int, raised: type[Exception] | None
) -> None:
    begins = datetime.fromisoformat(f"{MONDAY}T09:00:00+00:00")
    slot = Slot(
        practitioner_id=new_id(),
        patient_id=new_id(),
        room_id=None,
        period=Period(begins, begins + timedelta(minutes=30)),
        zone=ZoneInfo("America/Lima"),
    )
    made = []

    async def write() -> None:
        made.append(sqlstate)
        if len(made) <= failures:
            raise DBAPIError("INSERT", {}, DriverError(sqlstate))

    async with clinic_a._tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
        if raised is None:
            await hold_slot(session, SYSTEM, slot, write)
        else:
            with pytest.raises(raised):
                await hold_slot(session, SYSTEM, slot, write)
    assert len(made) == calls
