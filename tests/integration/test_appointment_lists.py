"""Lists of appointments: filters, order, pages, and the day's agenda."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from clinics import Clinic
from surgeries import (
    APPOINTMENTS,
    Surgery,
    another_branch,
    next_weekday,
    surgery_at,
)

MONDAY = next_weekday(1)
SUNDAY = next_weekday(7)
NINE = f"{MONDAY}T09:00:00"


async def day_of(surgery: Surgery) -> list[str]:
    hours = (11, 9, 10, 12)
    booked = [await surgery.book(f"{MONDAY}T{hour:02}:00:00") for hour in hours]
    return [each["id"] for each in sorted(booked, key=lambda each: each["starts_at"])]


async def test_filters_narrow_the_list(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    other = await surgery.another_patient()
    one = await surgery.book(NINE, room_id=surgery.room_id)
    two = await surgery.book(f"{MONDAY}T10:00:00", patient_id=other)
    await surgery.act(two, "confirm")
    mine = {"practitioner": str(surgery.practitioner_id)}

    async def ids(**query: Any) -> list[str]:
        answer = await clinic_a.get(APPOINTMENTS, params=mine | query)
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()["items"]]

    assert await ids() == [one["id"], two["id"]]
    assert await ids(patient=str(other)) == [two["id"]]
    assert await ids(room=str(surgery.room_id)) == [one["id"]]
    assert await ids(branch=str(surgery.branch_id)) == [one["id"], two["id"]]
    assert await ids(branch_id=str(uuid4())) == []
    assert await ids(status="confirmed") == [two["id"]]
    assert await ids(status=["confirmed", "pending"]) == [one["id"], two["id"]]
    assert await ids(**{"from": f"{MONDAY}T09:30:00"}) == [two["id"]]
    assert await ids(to=f"{MONDAY}T15:00:00Z") == [one["id"]]
    assert await ids(to=str(MONDAY)) == []


async def test_pages_follow_each_other_by_start(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    expected = await day_of(surgery)
    seen: list[str] = []
    query = {"practitioner": str(surgery.practitioner_id), "limit": "3"}
    while True:
        page = (await clinic_a.get(APPOINTMENTS, params=query)).json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == expected


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"doctor": "x"}, 400),
        ({"status": "lost"}, 400),
        ({"practitioner": "7"}, 400),
        ({"from": "yesterday"}, 422),
        ({"cursor": "nonsense"}, 400),
        ({"limit": "101"}, 400),
    ],
)
async def test_impossible_query_is_refused(
    clinic_a: Clinic, query: dict[str, str], status: int
) -> None:
    assert (await clinic_a.get(APPOINTMENTS, params=query)).status_code == status


async def test_agenda_is_the_local_day_with_names(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a, await another_branch(clinic_a))
    expected = await day_of(surgery)
    late = await surgery.book(f"{MONDAY}T23:30:00")
    await surgery.book(f"{MONDAY + timedelta(days=1)}T00:00:00")
    await surgery.book(f"{MONDAY - timedelta(days=1)}T23:00:00")
    query = {"date": str(MONDAY), "branch_id": str(surgery.branch_id)}
    answer = await clinic_a.get(f"{APPOINTMENTS}/agenda", params=query)
    assert answer.status_code == 200, answer.text
    lines = answer.json()["items"]
    assert [line["id"] for line in lines] == [*expected, late["id"]]
    assert lines[0]["practitioner_name"] == "Rosa Quispe Mamani"
    assert lines[0]["patient_name"] == "Luis Rojas"
    other_one = await surgery.another_practitioner()
    query["practitioner"] = str(other_one)
    nothing = await clinic_a.get(f"{APPOINTMENTS}/agenda", params=query)
    assert nothing.json()["items"] == []


@pytest.mark.parametrize("day", ["0001-01-01", "1899-12-31", "2201-01-01", "9999-12-31"])
@pytest.mark.parametrize(
    ("path", "name"), [(f"{APPOINTMENTS}/agenda", "date"), ("/api/agenda/citas", "fecha")]
)
async def test_day_near_the_ends_of_the_calendar_is_refused(
    clinic_a: Clinic, path: str, name: str, day: str
) -> None:
    answer = await clinic_a.get(path, params={name: day})
    assert answer.status_code == 422, answer.text
    (item,) = answer.json()["errors"]
    assert (item["pointer"], item["code"]) == (f"/{name}", "out_of_range")


async def test_agenda_needs_a_day(clinic_a: Clinic) -> None:
    for query in ({}, {"date": "2027-02-30"}):
        assert (await clinic_a.get(f"{APPOINTMENTS}/agenda", params=query)).status_code == 400
