"""Staff see and change the appointments of their branches, as far as their roles allow."""

import pytest

from clinics import Clinic
from domain.actor import Role
from surgeries import (
    APPOINTMENTS,
    another_branch,
    bearer,
    next_weekday,
    surgery_at,
)

MONDAY = next_weekday(1)
SUNDAY = next_weekday(7)
NINE = f"{MONDAY}T09:00:00"


async def test_other_branch_is_invisible_and_forbidden(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    elsewhere = await another_branch(clinic_a)
    token = await surgery.staff(Role.OPERATOR, elsewhere)
    booked = await surgery.book(NINE)
    listed = await clinic_a.get(APPOINTMENTS, headers=bearer(token))
    assert listed.json()["items"] == []
    day = {"date": str(MONDAY), "branch_id": str(surgery.branch_id)}
    agenda = await clinic_a.get(f"{APPOINTMENTS}/agenda", params=day, headers=bearer(token))
    assert agenda.json()["items"] == []
    path = f"{APPOINTMENTS}/{booked['id']}"
    for read in (path, f"{path}/ics"):
        assert (await clinic_a.get(read, headers=bearer(token))).status_code == 404
    forbidden = [
        await surgery.act(booked, "confirm", headers=bearer(token)),
        await surgery.act(booked, "cancel", headers=bearer(token)),
        await clinic_a.post(
            APPOINTMENTS, surgery.body(f"{MONDAY}T11:00:00"), headers=bearer(token)
        ),
        await clinic_a.patch(
            path, {"reason_text": "x"}, headers=bearer(token, **{"If-Match": '"1"'})
        ),
    ]
    assert [(a.status_code, a.json()["code"]) for a in forbidden] == [(403, "branch_forbidden")] * 4


async def test_own_branch_is_open(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a, await another_branch(clinic_a))
    token = await surgery.staff(Role.OPERATOR, surgery.branch_id)
    body = surgery.body(NINE, is_overbooked=True, overbook_reason="urgencia")
    answer = await clinic_a.post(APPOINTMENTS, body, headers=bearer(token))
    assert answer.status_code == 201, answer.text
    confirmed = await surgery.act(answer.json(), "confirm", headers=bearer(token))
    assert confirmed.status_code == 200


@pytest.mark.parametrize(
    ("role", "status"),
    [
        (Role.NURSE, 403),
        (Role.DENTIST, 403),
        (Role.OPERATOR, 201),
        (Role.ADMIN, 201),
    ],
)
async def test_overbooking_takes_the_permission(clinic_a: Clinic, role: Role, status: int) -> None:
    surgery = await surgery_at(clinic_a)
    token = await surgery.staff(role, surgery.branch_id)
    body = surgery.body(NINE, is_overbooked=True, overbook_reason="urgencia")
    answer = await clinic_a.post(APPOINTMENTS, body, headers=bearer(token))
    assert answer.status_code == status


@pytest.mark.parametrize("role", [Role.DIGITIZER, Role.AUDITOR])
async def test_readers_read_and_do_not_write(clinic_a: Clinic, role: Role) -> None:
    surgery = await surgery_at(clinic_a)
    token = await surgery.staff(role, surgery.branch_id)
    booked = await surgery.book(NINE)
    path = f"{APPOINTMENTS}/{booked['id']}"
    assert (await clinic_a.get(path, headers=bearer(token))).status_code == 200
    answer = await clinic_a.post(APPOINTMENTS, surgery.body(NINE), headers=bearer(token))
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_callers_share_the_form_of_a_list_and_not_its_rows(clinic_a: Clinic) -> None:
    """The statement is built for the first of them; each must still see the own branch alone."""
    here = await surgery_at(clinic_a)
    there = await surgery_at(clinic_a, await another_branch(clinic_a))
    surgeries = [here, there]
    booked = [(await surgery.book(NINE))["id"] for surgery in surgeries]
    tokens = [await surgery.staff(Role.OPERATOR, surgery.branch_id) for surgery in surgeries]
    for path, asked in ((APPOINTMENTS, {}), (f"{APPOINTMENTS}/agenda", {"date": str(MONDAY)})):
        for _ in range(2):
            for own, token in zip(booked, tokens, strict=True):
                answer = await clinic_a.get(path, params=asked, headers=bearer(token))
                assert own in (seen := {item["id"] for item in answer.json()["items"]})
                assert not seen & ({*booked} - {own})
