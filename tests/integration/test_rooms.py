"""Rooms: at one branch each, seen by who works there and by portal users."""

import secrets
from typing import Any
from uuid import uuid4

import pytest

from clinics import Clinic
from domain.actor import Role

ROOMS = "/api/v1/rooms"


async def another_branch(clinic: Clinic) -> str:
    code = secrets.token_hex(4)
    answer = await clinic.post("/api/v1/branches", {"name": code, "code": code})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def created(clinic: Clinic, **fields: Any) -> dict[str, Any]:
    body = {"branch_id": str(clinic.branch_id), "name": f"Sala {secrets.token_hex(4)}"} | fields
    answer = await clinic.post(ROOMS, body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def listed(clinic: Clinic, role: Role = Role.ADMIN, **query: Any) -> set[str]:
    answer = await clinic.get(ROOMS, role=role, params={"limit": 100} | query)
    assert answer.status_code == 200, answer.text
    return {item["id"] for item in answer.json()["items"]}


async def test_created_is_read_changed_and_archived(clinic_a: Clinic) -> None:
    room = await created(clinic_a, kind="chair", name=f"  Sillón   {secrets.token_hex(4)}")
    url = f"{ROOMS}/{room['id']}"
    assert (room["kind"], room["is_active"], room["version"]) == ("chair", True, 1)
    assert room["name"].startswith("Sillón ")
    assert (await clinic_a.get(url)).json() == room
    changed = await clinic_a.patch(
        url, {"kind": "device", "is_active": False}, headers={"If-Match": '"1"'}
    )
    assert (changed.json()["kind"], changed.json()["is_active"]) == ("device", False)
    assert changed.headers["ETag"] == '"2"'
    assert (await clinic_a.delete(url, headers={"If-Match": '"2"'})).status_code == 204
    assert (await clinic_a.get(url)).status_code == 404
    assert room["id"] not in await listed(clinic_a)
    # What was archived does not hold its name.
    assert (await created(clinic_a, name=room["name"]))["id"] != room["id"]


async def test_name_is_unique_at_its_branch(clinic_a: Clinic) -> None:
    room = await created(clinic_a)
    body = {"branch_id": room["branch_id"], "name": room["name"]}
    twice = await clinic_a.post(ROOMS, body)
    assert (twice.status_code, twice.json()["code"]) == (409, "duplicate")
    elsewhere = await another_branch(clinic_a)
    assert (await created(clinic_a, name=room["name"], branch_id=elsewhere))[
        "branch_id"
    ] == elsewhere


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"kind": "lounge"}, "/kind"),
        ({"name": ""}, "/name"),
        ({"branch_id": "x"}, "/branch_id"),
        ({"x": 1}, "/x"),
    ],
)
async def test_impossible_bodies_are_refused(
    clinic_a: Clinic, fields: dict[str, Any], pointer: str
) -> None:
    answer = await clinic_a.post(
        ROOMS, {"branch_id": str(clinic_a.branch_id), "name": "x"} | fields
    )
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_branch_of_another_clinic_does_not_exist(clinic_a: Clinic, clinic_b: Clinic) -> None:
    for branch_id in (clinic_b.branch_id, uuid4()):
        answer = await clinic_a.post(ROOMS, {"branch_id": str(branch_id), "name": "x"})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_reference")
        assert answer.json()["errors"][0]["pointer"] == "/branch_id"


async def test_other_clinic_gets_404(clinic_a: Clinic, clinic_b: Clinic) -> None:
    room = await created(clinic_a)
    url, headers = f"{ROOMS}/{room['id']}", {"If-Match": '"1"'}
    assert (await clinic_b.get(url)).status_code == 404
    assert (await clinic_b.patch(url, {"name": "x"}, headers=headers)).status_code == 404
    assert (await clinic_b.delete(url, headers=headers)).status_code == 404
    assert room["id"] not in await listed(clinic_b)
    assert await listed(clinic_b, branch_id=str(clinic_a.branch_id)) == set()


async def test_staff_see_the_rooms_of_their_branches(clinic_a: Clinic) -> None:
    own = await created(clinic_a)
    foreign = await created(clinic_a, branch_id=await another_branch(clinic_a))
    for role in (Role.OPERATOR, Role.DENTIST):
        seen = await listed(clinic_a, role)
        assert own["id"] in seen
        assert foreign["id"] not in seen
        assert await listed(clinic_a, role, branch_id=foreign["branch_id"]) == set()
        assert (await clinic_a.get(f"{ROOMS}/{foreign['id']}", role=role)).status_code == 404
    for role in (Role.ADMIN, Role.AUDITOR, Role.PATIENT):
        assert {own["id"], foreign["id"]} <= await listed(clinic_a, role)


async def test_list_filters_by_branch_kind_and_activity(clinic_a: Clinic) -> None:
    branch_id = await another_branch(clinic_a)
    chair = await created(clinic_a, branch_id=branch_id, kind="chair")
    closed = await created(clinic_a, branch_id=branch_id, is_active=False)
    assert await listed(clinic_a, branch_id=branch_id) == {chair["id"], closed["id"]}
    assert await listed(clinic_a, branch=branch_id, kind="chair") == {chair["id"]}
    assert await listed(clinic_a, branch_id=branch_id, is_active="false") == {closed["id"]}
    assert (await clinic_a.get(ROOMS, params={"kind": "lounge"})).status_code == 400


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.PATIENT])
async def test_only_administrators_change_rooms(clinic_a: Clinic, role: Role) -> None:
    room = await created(clinic_a)
    url, headers = f"{ROOMS}/{room['id']}", {"If-Match": '"1"'}
    body = {"branch_id": str(clinic_a.branch_id), "name": "x"}
    assert (await clinic_a.post(ROOMS, body, role=role)).status_code == 403
    assert (await clinic_a.patch(url, {}, role=role, headers=headers)).status_code == 403
    assert (await clinic_a.delete(url, role=role, headers=headers)).status_code == 403
