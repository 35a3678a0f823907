"""A practitioner's week, replaced branch by branch."""

import asyncio
from datetime import datetime, time
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.exc import IntegrityError

from attendance import exceptions_path
from clinics import Clinic
from domain.actor import Role
from surgeries import Surgery, another_branch, surgery_at


def hours_path(surgery: Surgery) -> str:
    return f"/api/v1/practitioners/{surgery.practitioner_id}/availability"


def rule(weekday: int = 1, start: str = "09:00", end: str = "12:00", **more: Any) -> dict[str, Any]:
    return {"weekday": weekday, "start_local": start, "end_local": end} | more


async def put(surgery: Surgery, rules: list[dict[str, Any]], tag: str, **more: Any) -> Any:
    body = {"branch_id": str(surgery.branch_id), "rules": rules} | more
    return await surgery.clinic.put(hours_path(surgery), body, headers={"If-Match": tag})


async def tag_of(surgery: Surgery) -> str:
    return str((await surgery.clinic.get(hours_path(surgery))).headers["ETag"])


async def test_replaced_hours_are_shown_with_a_new_version(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    before = await tag_of(surgery)
    rules = [rule(6, "08:00", "12:30"), rule(6, "15:00:00", "19:00", valid_to="2199-12-31")]
    answer = await put(surgery, rules, before)
    assert answer.status_code == 200, answer.text
    shown = answer.json()["rules"]
    assert [(r["weekday"], r["start_local"], r["end_local"]) for r in shown] == [
        (6, "08:00", "12:30"),
        (6, "15:00", "19:00"),
    ]
    today = datetime.now(ZoneInfo("America/Lima")).date()
    assert {r["valid_from"] for r in shown} == {str(today)}
    assert answer.headers["ETag"] not in {before, ""}
    again = await surgery.clinic.get(hours_path(surgery))
    assert again.json() == answer.json()
    assert again.headers["ETag"] == answer.headers["ETag"]


async def test_same_hours_again_change_nothing(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    first = await put(surgery, [rule(2), rule(3)], await tag_of(surgery))
    second = await put(surgery, [rule(3), rule(2)], first.headers["ETag"])
    assert second.json() == first.json()
    assert second.headers["ETag"] == first.headers["ETag"]


async def test_replacing_needs_the_version_that_is_there(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    body = {"branch_id": str(surgery.branch_id), "rules": []}
    assert (await clinic_a.put(hours_path(surgery), body)).status_code == 428
    stale = await put(surgery, [], '"1"')
    assert (stale.status_code, stale.headers["ETag"]) == (412, await tag_of(surgery))


async def test_of_two_parallel_replacements_one_holds(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    tag = (await put(surgery, [], await tag_of(surgery))).headers["ETag"]
    answers = await asyncio.gather(put(surgery, [rule(1)], tag), put(surgery, [rule(2)], tag))
    assert sorted(answer.status_code for answer in answers) == [200, 412]


@pytest.mark.parametrize(
    ("rules", "pointer"),
    [
        ([rule(1, "09:00", "12:00"), rule(1, "11:59", "13:00")], "/rules"),
        ([rule(1, "12:00", "09:00")], "/rules/0/end_local"),
        ([rule(1), rule(2, "09:00", "09:00")], "/rules/1/end_local"),
        ([rule(1, valid_from="2027-02-02", valid_to="2027-02-01")], "/rules/0/valid_to"),
        ([rule(0)], "/rules/0/weekday"),
        ([rule(8)], "/rules/0/weekday"),
        ([rule(1, "9:00")], "/rules/0/start_local"),
        ([rule(1, "09:00:30")], "/rules/0/start_local"),
        ([rule(1, "09:00", "24:00")], "/rules/0/end_local"),
        ([rule(1)] * 101, "/rules"),
    ],
)
async def test_impossible_hours_are_refused_at_their_field(
    clinic_a: Clinic, rules: list[dict[str, Any]], pointer: str
) -> None:
    surgery = await surgery_at(clinic_a)
    tag = await tag_of(surgery)
    answer = await put(surgery, rules, tag)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert await tag_of(surgery) == tag


async def test_nobody_attends_at_two_branches_at_once(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    there = str(await another_branch(clinic_a))
    refused = await put(
        surgery, [rule(1, "12:00", "14:00")], await tag_of(surgery), branch_id=there
    )
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (
        422,
        "overlapping_rules",
    )
    allowed = await put(
        surgery, [rule(1, "13:00", "15:00")], await tag_of(surgery), branch_id=there
    )
    assert allowed.status_code == 200, allowed.text
    assert [r["branch_id"] for r in allowed.json()["rules"]] == [there]
    kept = await clinic_a.get(hours_path(surgery), params={"branch": str(surgery.branch_id)})
    assert [r["weekday"] for r in kept.json()["rules"]] == [1, 2, 3, 4, 5]


async def test_database_refuses_overlapping_rules_too(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    with pytest.raises(IntegrityError) as refused:
        await surgery.add(surgery.rule(1, time(12, 59), time(14)))
    assert refused.value.orig.sqlstate == "23P01"
    await surgery.add(surgery.rule(1, time(13), time(14)))


async def test_other_clinic_gets_404(clinic_a: Clinic, clinic_b: Clinic) -> None:
    ours, theirs = await surgery_at(clinic_a), await surgery_at(clinic_b)
    assert (await clinic_b.get(hours_path(ours))).status_code == 404
    assert (await clinic_b.get(exceptions_path(ours))).status_code == 404
    body = {"branch_id": str(theirs.branch_id), "rules": []}
    answer = await clinic_b.put(hours_path(ours), body, headers={"If-Match": '"1"'})
    assert answer.status_code == 404
    foreign = await put(theirs, [], await tag_of(theirs), branch_id=str(uuid4()))
    assert (foreign.status_code, foreign.json()["code"]) == (422, "invalid_reference")


async def test_admins_write_and_patients_read(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    for role in (Role.PATIENT, Role.AUDITOR):
        assert (await clinic_a.get(hours_path(surgery), role=role)).status_code == 200
    body = {"branch_id": str(surgery.branch_id), "rules": []}
    answer = await clinic_a.put(hours_path(surgery), body, role=Role.OPERATOR)
    assert answer.status_code == 403
