"""Branches: who sees them, who works there, and never a clinic without an active one."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from litestar import Litestar

from clinics import Clinic
from domain.actor import Role
from tenancy.tenant import StrategyName
from visitors import Visitor

MakeClinic = Callable[..., Awaitable[Clinic]]
BRANCHES = "/api/v1/branches"


async def opened(clinic: Clinic, **fields: Any) -> dict[str, Any]:
    name = f"Sede {secrets.token_hex(4)}"
    answer = await clinic.post(BRANCHES, {"name": name, "code": name[5:]} | fields)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def listed(clinic: Clinic, role: Role, **query: Any) -> set[str]:
    answer = await clinic.get(BRANCHES, role=role, params={"limit": 100} | query)
    assert answer.status_code == 200, answer.text
    return {item["id"] for item in answer.json()["items"]}


async def staff(app: Litestar, clinic: Clinic, role: Role = Role.NURSE) -> tuple[Visitor, str]:
    """Somebody of the first branch who can renew tokens, and their id."""
    user_id, username = await clinic.add_user(role)
    return await Visitor(app, clinic).login(username), str(user_id)


async def test_opened_branch_has_the_clinics_zone_and_a_version(clinic_a: Clinic) -> None:
    body = {
        "name": " Sede  Norte ",
        "code": secrets.token_hex(4),
        "phone": "01 765 4321",
        "address": {"city": "Lima"},
    }
    answer = await clinic_a.post(BRANCHES, body)
    assert answer.status_code == 201, answer.text
    branch = answer.json()
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Location"] == f"{BRANCHES}/{branch['id']}"
    assert branch["name"] == "Sede Norte"
    assert branch["timezone"] == "America/Lima"
    assert branch["phone"] == "+5117654321"
    assert branch["address"] == {"city": "Lima"}
    assert branch["is_active"] is True
    again = await clinic_a.get(answer.headers["Location"])
    assert (again.status_code, again.json()) == (200, branch)
    unchanged = await clinic_a.get(answer.headers["Location"], headers={"If-None-Match": '"1"'})
    assert unchanged.status_code == 304


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"timezone": "America/Atlantis"}, "/timezone"),
        ({"timezone": "localtime"}, "/timezone"),
        ({"phone": "call me please"}, "/phone"),
        ({"name": "   "}, "/name"),
        ({"code": None}, "/code"),
        ({"address": {"note": "x" * 9_000}}, "/address"),
        ({"address": {"note": "a\x00b"}}, "/address"),
        ({"unknown": 1}, "/unknown"),
    ],
)
async def test_impossible_values_are_refused_at_their_field(
    clinic_a: Clinic, fields: dict[str, Any], pointer: str
) -> None:
    answer = await clinic_a.post(BRANCHES, {"name": "x", "code": secrets.token_hex(4)} | fields)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error"), answer.text
    assert [item["pointer"] for item in answer.json()["errors"]] == [pointer]


async def test_code_is_unique_in_the_clinic_and_free_in_another(
    clinic_a: Clinic, clinic_b: Clinic
) -> None:
    branch = await opened(clinic_a)
    twice = await clinic_a.post(BRANCHES, {"name": "Otra", "code": branch["code"]})
    assert (twice.status_code, twice.json()["code"]) == (409, "duplicate")
    assert (await opened(clinic_b, code=branch["code"]))["code"] == branch["code"]


async def test_change_needs_the_version_that_was_read(clinic_a: Clinic) -> None:
    branch = await opened(clinic_a)
    url = f"{BRANCHES}/{branch['id']}"
    assert (await clinic_a.patch(url, {"name": "B"})).status_code == 428
    changed = await clinic_a.patch(
        url, {"name": "B", "timezone": "America/Santiago"}, headers={"If-Match": '"1"'}
    )
    assert changed.status_code == 200, changed.text
    assert (changed.json()["name"], changed.json()["timezone"]) == ("B", "America/Santiago")
    assert (changed.headers["ETag"], changed.json()["code"]) == ('"2"', branch["code"])
    stale = await clinic_a.patch(url, {"name": "C"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.headers["ETag"]) == (412, '"2"')
    cleared = await clinic_a.patch(
        url, {"address": None, "phone": None}, headers={"If-Match": '"2"'}
    )
    assert cleared.json()["address"] is None


async def test_other_clinic_gets_404(clinic_a: Clinic, clinic_b: Clinic) -> None:
    branch = await opened(clinic_a)
    url = f"{BRANCHES}/{branch['id']}"
    headers = {"If-Match": '"1"'}
    assert (await clinic_b.get(url)).status_code == 404
    assert (await clinic_b.patch(url, {"name": "mine"}, headers=headers)).status_code == 404
    assert (await clinic_b.delete(url, headers=headers)).status_code == 404
    assert (await clinic_b.get(f"{url}/members")).status_code == 404
    put = await clinic_b.put(f"{url}/members/{clinic_b.admin_id}", {})
    assert put.status_code == 404
    assert branch["id"] not in await listed(clinic_b, Role.ADMIN)
    assert (await clinic_a.get(url)).json() == branch


async def test_staff_see_their_branches_admin_and_auditor_all(clinic_a: Clinic) -> None:
    foreign = await opened(clinic_a)
    own = {str(clinic_a.branch_id)}
    for role in (Role.NURSE, Role.DENTIST, Role.OPERATOR, Role.DIGITIZER):
        assert await listed(clinic_a, role) == own
        assert (await clinic_a.get(f"{BRANCHES}/{foreign['id']}", role=role)).status_code == 404
        members = await clinic_a.get(f"{BRANCHES}/{foreign['id']}/members", role=role)
        assert members.status_code == 404
    for role in (Role.ADMIN, Role.AUDITOR):
        assert own | {foreign["id"]} <= await listed(clinic_a, role)
        assert (await clinic_a.get(f"{BRANCHES}/{foreign['id']}", role=role)).status_code == 200


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.AUDITOR, Role.DENTIST, Role.PATIENT])
async def test_only_administrators_change_branches(clinic_a: Clinic, role: Role) -> None:
    url = f"{BRANCHES}/{clinic_a.branch_id}"
    answers = [
        await clinic_a.post(BRANCHES, {"name": "x", "code": "x"}, role=role),
        await clinic_a.patch(url, {"name": "x"}, role=role, headers={"If-Match": '"1"'}),
        await clinic_a.delete(url, role=role, headers={"If-Match": '"1"'}),
        await clinic_a.put(f"{url}/members/{clinic_a.admin_id}", {}, role=role),
        await clinic_a.delete(f"{url}/members/{clinic_a.admin_id}", role=role),
    ]
    assert [answer.status_code for answer in answers] == [403] * 5


async def test_list_goes_on_by_cursor_and_filters_by_activity(clinic_a: Clinic) -> None:
    closed = await opened(clinic_a, is_active=False)
    for _ in range(3):
        await opened(clinic_a)
    everything = await listed(clinic_a, Role.ADMIN)
    assert closed["id"] in await listed(clinic_a, Role.ADMIN, is_active="false")
    assert closed["id"] not in await listed(clinic_a, Role.ADMIN, is_active="true")
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = (await clinic_a.get(BRANCHES, params=query)).json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert len(seen) == len(set(seen))
    assert set(seen) == everything
    assert (await clinic_a.get(BRANCHES, params={"sort": "x"})).status_code == 400


async def test_archived_branch_is_gone(clinic_a: Clinic) -> None:
    branch = await opened(clinic_a)
    url = f"{BRANCHES}/{branch['id']}"
    assert (await clinic_a.delete(url, headers={"If-Match": '"1"'})).status_code == 204
    assert (await clinic_a.get(url)).status_code == 404
    assert branch["id"] not in await listed(clinic_a, Role.ADMIN)


async def test_last_active_branch_stays(make_clinic: MakeClinic, placement: StrategyName) -> None:
    clinic = await make_clinic(placement)
    url = f"{BRANCHES}/{clinic.branch_id}"
    await opened(clinic, is_active=False)
    for answer in (
        await clinic.patch(url, {"is_active": False}, headers={"If-Match": '"1"'}),
        await clinic.delete(url, headers={"If-Match": '"1"'}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "invalid_transition")
    assert (await clinic.get(url)).json()["is_active"] is True


async def test_two_closing_the_last_two_branches_leave_one(
    make_clinic: MakeClinic, placement: StrategyName
) -> None:
    clinic = await make_clinic(placement)
    ids = [str(clinic.branch_id), (await opened(clinic))["id"]]
    await clinic.token()

    async def close(position: int) -> int:
        url, headers = f"{BRANCHES}/{ids[position % 2]}", {"If-Match": '"1"'}
        if position < 2:
            return (await clinic.patch(url, {"is_active": False}, headers=headers)).status_code
        return (await clinic.delete(url, headers=headers)).status_code

    answers = await asyncio.gather(*(close(position) for position in range(4)))
    assert min(answers) in {200, 204}
    assert sum(answer in {200, 204} for answer in answers) == 1, answers
    assert len(await listed(clinic, Role.ADMIN, is_active="true")) == 1


async def test_membership_acts_at_once_and_opens_the_branch(
    app: Litestar, clinic_a: Clinic
) -> None:
    branch = await opened(clinic_a)
    nurse, user_id = await staff(app, clinic_a)
    member = f"{BRANCHES}/{branch['id']}/members/{user_id}"
    assert (await nurse.send("GET", f"{BRANCHES}/{branch['id']}")).status_code == 404

    put = await clinic_a.put(member, {})
    assert put.status_code == 200, put.text
    assert (put.json()["user_id"], put.json()["is_default"]) == (user_id, False)
    # The token that was issued for the old branches has lost its power.
    assert (await nurse.me()).status_code == 401
    await nurse.renew()
    assert (await nurse.send("GET", f"{BRANCHES}/{branch['id']}")).status_code == 200

    assert (await clinic_a.put(member, {})).status_code == 200
    assert (await nurse.me()).status_code == 200, "saying it twice changes nothing"

    assert (await clinic_a.delete(member)).status_code == 204
    assert (await nurse.me()).status_code == 401
    await nurse.renew()
    assert (await nurse.send("GET", f"{BRANCHES}/{branch['id']}")).status_code == 404
    assert (await clinic_a.delete(member)).status_code == 404


async def test_a_user_has_one_default_branch(app: Litestar, clinic_a: Clinic) -> None:
    _, user_id = await staff(app, clinic_a)
    branches = [str(clinic_a.branch_id)] + [(await opened(clinic_a))["id"] for _ in range(2)]

    async def defaults() -> list[str]:
        found = []
        for branch_id in branches:
            members = (
                await clinic_a.get(f"{BRANCHES}/{branch_id}/members", params={"limit": 100})
            ).json()
            found += [
                m["branch_id"]
                for m in members["items"]
                if m["user_id"] == user_id and m["is_default"]
            ]
        return found

    assert await defaults() == branches[:1]
    answers = await asyncio.gather(
        *(
            clinic_a.put(f"{BRANCHES}/{b}/members/{user_id}", {"is_default": True})
            for b in branches[1:]
        )
    )
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(await defaults()) == 1
    assert (await defaults())[0] in branches[1:]
    await clinic_a.put(f"{BRANCHES}/{branches[0]}/members/{user_id}", {"is_default": True})
    assert await defaults() == branches[:1]


async def test_member_must_be_a_user_of_the_clinic(clinic_a: Clinic, clinic_b: Clinic) -> None:
    members = f"{BRANCHES}/{clinic_a.branch_id}/members"
    assert (await clinic_a.put(f"{members}/{clinic_b.admin_id}", {})).status_code == 404
    assert (await clinic_a.put(f"{members}/{uuid4()}", {})).status_code == 404
    listed_ids = [
        m["user_id"] for m in (await clinic_a.get(members, params={"limit": 100})).json()["items"]
    ]
    assert str(clinic_a.admin_id) in listed_ids
    assert str(clinic_b.admin_id) not in listed_ids
