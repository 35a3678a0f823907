"""What can be booked: the hours less what is taken, on the wall clock of the branch."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from attendance import (
    MONDAY,
    MORNING,
    SLOTS,
    SUNDAY,
    ask,
    close,
    exceptions_path,
    monday_hours,
    starts,
)
from clinics import Clinic
from domain.actor import Role
from domain.scheduling.calendar import DAY, day_period
from surgeries import another_branch, bearer, surgery_at


async def test_slots_are_the_hours_less_what_is_taken(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    assert await monday_hours(surgery) == MORNING
    booked = await surgery.book(f"{MONDAY}T10:15:00")
    free = [start[11:16] for start in await monday_hours(surgery, step=30)]
    assert free == ["09:00", "09:30", "11:00", "11:30", "12:00", "12:30"]
    await surgery.act(booked, "cancel")
    assert await monday_hours(surgery) == MORNING


async def test_answer_names_place_and_length(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    answer = await ask(surgery, MONDAY, MONDAY + DAY)
    assert answer.json() == {
        "practitioner_id": str(surgery.practitioner_id),
        "branch_id": str(surgery.branch_id),
        "timezone": "America/Lima",
        "duration_min": 30,
        "items": answer.json()["items"],
        "next_cursor": None,
    }
    first = answer.json()["items"][0]
    assert first == {
        "starts_at": f"{MONDAY}T09:00:00-05:00",
        "ends_at": f"{MONDAY}T09:30:00-05:00",
    }
    assert len(answer.json()["items"]) == 8


async def test_service_gives_length_and_step(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    category = await clinic_a.post("/api/v1/service-categories", {"name": secrets.token_hex(4)})
    service = await clinic_a.post(
        "/api/v1/services",
        {
            "category_id": category.json()["id"],
            "code": secrets.token_hex(4),
            "name": "Endodoncia",
            "duration_min": 90,
        },
    )
    found = await starts(surgery, MONDAY, MONDAY + DAY, service=service.json()["id"])
    assert [start[11:16] for start in found] == ["09:00", "10:30"]
    missing = await ask(surgery, MONDAY, MONDAY + DAY, service=str(uuid4()))
    assert missing.status_code == 404


async def test_practitioner_is_busy_at_every_branch(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    branch_id = await another_branch(clinic_a)
    await surgery.book(f"{MONDAY}T09:00:00", 120, branch_id=branch_id)
    assert await monday_hours(surgery) == MORNING[2:]


async def test_exceptions_close_and_open(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    await close(surgery, f"{MONDAY}T09:00:00", f"{MONDAY}T11:00:00")
    await close(surgery, f"{SUNDAY}T10:00:00", f"{SUNDAY}T11:00:00", "open")
    assert await monday_hours(surgery) == MORNING[2:]
    sunday = await starts(surgery, SUNDAY, SUNDAY + DAY, step=30)
    assert [start[11:16] for start in sunday] == ["10:00", "10:30"]


async def test_branch_opens_for_those_who_attend_there(clinic_a: Clinic) -> None:
    branch_id = await another_branch(clinic_a)
    attends = await surgery_at(clinic_a, branch_id)
    stranger = await surgery_at(clinic_a)
    body = {"starts_at": f"{SUNDAY}T10:00:00", "ends_at": f"{SUNDAY}T11:00:00", "kind": "open"}
    await clinic_a.post(f"/api/v1/branches/{branch_id}/exceptions", body)
    assert len(await starts(attends, SUNDAY, SUNDAY + DAY)) == 2
    stranger.branch_id = branch_id
    assert await starts(stranger, SUNDAY, SUNDAY + DAY) == []


async def test_offered_slot_can_be_booked_by_a_patient(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    _, patient_id, token = await surgery.portal_user()
    found = await starts(surgery, MONDAY, MONDAY + DAY, headers=bearer(token))
    for start in (found[0], found[-1]):
        body = surgery.body(start, patient_id=patient_id)
        headers = bearer(token, **{"Idempotency-Key": secrets.token_hex(8)})
        answer = await clinic_a.post("/api/v1/appointments", body, headers=headers)
        assert answer.status_code == 201, answer.text


async def test_nothing_is_offered_in_the_past(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    now = datetime.now(UTC)
    whole_day = {"starts_at": (now - DAY).isoformat(), "ends_at": (now + DAY).isoformat()}
    await clinic_a.post(exceptions_path(surgery), whole_day | {"kind": "open"})
    since, until = (now - DAY).isoformat(), (now + timedelta(hours=3)).isoformat()
    found = await starts(surgery, since, until, step=5)
    assert found
    assert min(datetime.fromisoformat(start) for start in found) >= now


@pytest.mark.parametrize("length", [23, 25])
async def test_nine_is_nine_around_the_change_of_clocks(clinic_a: Clinic, length: int) -> None:
    zone = ZoneInfo("America/Santiago")
    surgery = await surgery_at(clinic_a, await another_branch(clinic_a, zone.key), zone.key)
    day = MONDAY
    while (d := day_period(day, zone)).ends_at - d.starts_at != timedelta(hours=length):
        day += DAY
    found = await starts(surgery, day - 3 * DAY, day + 3 * DAY, step=240)
    assert {start[11:19] for start in found} == {"09:00:00"}
    assert len({start[19:] for start in found}) == 2


@pytest.mark.parametrize(
    ("since", "until", "status", "code"),
    [
        (MONDAY, MONDAY + 32 * DAY, 422, "too_long_period"),
        (MONDAY, MONDAY, 422, "ends_before_start"),
        (MONDAY + DAY, MONDAY, 422, "ends_before_start"),
        ("soon", MONDAY, 422, "invalid_format"),
    ],
)
async def test_range_has_limits(
    clinic_a: Clinic, since: Any, until: Any, status: int, code: str
) -> None:
    surgery = await surgery_at(clinic_a)
    answer = await ask(surgery, since, until)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)
    assert (await ask(surgery, MONDAY, MONDAY + 31 * DAY)).status_code == 200


@pytest.mark.parametrize("missing", ["practitioner", "branch", "from", "to"])
async def test_question_without_its_parts_is_refused(clinic_a: Clinic, missing: str) -> None:
    params = {
        "practitioner": str(uuid4()),
        "branch": str(uuid4()),
        "from": str(MONDAY),
        "to": str(MONDAY + DAY),
    }
    del params[missing]
    answer = await clinic_a.get(SLOTS, params=params)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, missing)


async def test_other_clinic_gets_404(clinic_a: Clinic, clinic_b: Clinic) -> None:
    ours, theirs = await surgery_at(clinic_a), await surgery_at(clinic_b)
    for practitioner, branch in (
        (theirs.practitioner_id, ours.branch_id),
        (ours.practitioner_id, theirs.branch_id),
    ):
        answer = await ask(
            ours, MONDAY, MONDAY + DAY, practitioner=str(practitioner), branch=str(branch)
        )
        assert answer.status_code == 404


async def test_branch_of_others_is_not_there(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a, await another_branch(clinic_a))
    token = await surgery.staff(Role.NURSE, clinic_a.branch_id)
    answer = await ask(surgery, MONDAY, MONDAY + DAY, headers=bearer(token))
    assert answer.status_code == 404
