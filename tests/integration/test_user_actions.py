"""What administrators do to users acts at once, is audited, and leaves an administrator."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import select

from accounts import USERS, act, created, fresh, take_role
from clinics import Clinic
from domain.actor import Role
from domain.operations.models import AuditEvent
from tenancy.modes import Mode
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName
from visitors import Visitor

MakeClinic = Callable[..., Awaitable[Clinic]]


async def test_blocking_acts_at_once_and_unblocking_brings_no_session_back(
    app: Litestar, clinic_a: Clinic
) -> None:
    user = await created(clinic_a, status="active")
    visitor = await Visitor(app, clinic_a).login(user["email"], "a long password")
    assert (await act(clinic_a, user, "block")).json()["status"] == "blocked"
    ended = await visitor.me()
    assert (ended.status_code, ended.json()["code"]) == (401, "session_ended")
    assert (await visitor.exchange()).status_code == 401
    assert (await act(clinic_a, user, "approve")).status_code == 409
    assert (await act(clinic_a, user, "unblock")).json()["status"] == "active"
    assert (await visitor.me()).status_code == 401
    assert (await visitor.exchange()).status_code == 401
    await visitor.login(user["email"], "a long password")


async def test_role_changes_act_at_once_and_reach_the_client_by_refresh(
    app: Litestar, clinic_a: Clinic
) -> None:
    user = await created(clinic_a, status="active")
    visitor = await Visitor(app, clinic_a).login(user["email"], "a long password")
    assert (await visitor.send("GET", USERS)).status_code == 403
    given = await act(clinic_a, user, "roles", {"role": "auditor"})
    assert given.json()["roles"] == ["nurse", "auditor"]
    ended = await visitor.me()
    assert (ended.status_code, ended.json()["code"]) == (401, "session_ended")
    await visitor.renew()
    assert (await visitor.send("GET", USERS)).status_code == 200
    assert (await take_role(clinic_a, user["id"], "auditor")).json()["roles"] == ["nurse"]
    assert (await visitor.send("GET", USERS)).status_code == 401
    await visitor.renew()
    assert (await visitor.send("GET", USERS)).status_code == 403
    assert (await take_role(clinic_a, user["id"], "auditor")).status_code == 404
    assert (await clinic_a.delete(f"{USERS}/{user['id']}/roles/emperor")).status_code in {400, 404}


async def test_giving_a_role_twice_changes_nothing(app: Litestar, clinic_a: Clinic) -> None:
    user = await created(clinic_a, status="active")
    visitor = await Visitor(app, clinic_a).login(user["email"], "a long password")
    answer = await act(clinic_a, user, "roles", {"role": "nurse"})
    assert (answer.status_code, answer.json()["version"]) == (200, user["version"])
    assert (await visitor.me()).status_code == 200


async def test_user_without_roles_left_cannot_refresh(app: Litestar, clinic_a: Clinic) -> None:
    user = await created(clinic_a, status="active")
    visitor = await Visitor(app, clinic_a).login(user["email"], "a long password")
    await take_role(clinic_a, user["id"], "nurse")
    refused = await visitor.exchange()
    assert (refused.status_code, refused.json()["code"]) == (403, "user_not_authorized")


async def test_reset_password_ends_sessions_and_must_be_changed(
    app: Litestar, clinic_a: Clinic
) -> None:
    user = await created(clinic_a, status="active")
    visitor = await Visitor(app, clinic_a).login(user["email"], "a long password")
    answer = await act(clinic_a, user, "reset-password")
    assert answer.headers["Cache-Control"] == "no-store"
    temporary = answer.json()["temporary_password"]
    assert answer.json()["user"]["must_change_password"]
    assert (await visitor.me()).status_code == 401
    assert (await visitor.exchange()).status_code == 401
    assert (await visitor.try_login(user["email"], "a long password")).status_code == 401
    login = await visitor.try_login(user["email"], temporary)
    assert login.json()["user"]["must_change_password"]
    assert (await visitor.me()).json()["must_change_password"]
    closed = await visitor.send("GET", "/api/v1/auth/sessions")
    assert (closed.status_code, closed.json()["code"]) == (403, "password_change_required")
    await visitor.renew()
    assert (await visitor.send("GET", "/api/v1/auth/sessions")).status_code == 403
    body = {"current_password": temporary, "new_password": "a better password"}
    changed = await visitor.send("POST", "/api/v1/auth/me/password", json=body)
    assert changed.status_code == 200
    visitor.access = changed.json()["access"]
    assert (await visitor.send("GET", "/api/v1/auth/sessions")).status_code == 200
    logout = await visitor.send("POST", "/api/v1/auth/logout")
    assert logout.status_code == 204


async def test_user_without_a_password_is_approved_after_a_reset(
    app: Litestar, clinic_a: Clinic
) -> None:
    user = await created(clinic_a, password=None)
    early = await act(clinic_a, user, "approve")
    assert (early.status_code, early.json()["errors"][0]["pointer"]) == (422, "/password")
    temporary = (await act(clinic_a, user, "reset-password")).json()["temporary_password"]
    assert (await act(clinic_a, user, "approve")).json()["status"] == "active"
    await Visitor(app, clinic_a).login(user["email"], temporary)


async def test_every_change_is_audited_with_ids_only(tenancy: Tenancy, clinic_a: Clinic) -> None:
    user = await created(clinic_a)
    await act(clinic_a, user, "approve")
    await act(clinic_a, user, "roles", {"role": "doctor"})
    await take_role(clinic_a, user["id"], "doctor")
    await act(clinic_a, user, "block")
    await act(clinic_a, user, "unblock")
    await act(clinic_a, user, "reset-password")
    async with tenancy.session(clinic_a.tenant_id, Mode.READ) as session:
        found = await session.execute(
            select(AuditEvent.action, AuditEvent.actor_id, AuditEvent.details)
            .where(AuditEvent.entity_id == user["id"])
            .order_by(AuditEvent.id)
        )
        trail = list(found)
    assert [event.action for event in trail] == [
        "create",
        "approve",
        "give_role",
        "take_role",
        "block",
        "unblock",
        "reset_password",
    ]
    assert {event.actor_id for event in trail} == {clinic_a.admin_id}
    assert [event.details for event in trail if event.details] == [{"role": "doctor"}] * 2


async def test_last_administrator_stays(make_clinic: MakeClinic, placement: StrategyName) -> None:
    clinic = await make_clinic(placement)
    me = {"id": clinic.admin_id}
    refused = await act(clinic, me, "block")
    assert (refused.status_code, refused.json()["code"]) == (409, "invalid_transition")
    assert (await take_role(clinic, clinic.admin_id, "admin")).status_code == 409
    second = await created(clinic, roles=["admin"])
    assert (await act(clinic, me, "block")).status_code == 409, "a pending administrator is none"
    await act(clinic, second, "approve")
    assert (await take_role(clinic, second["id"], "admin")).status_code == 200


@pytest.mark.parametrize("ways", [("block", "block"), ("block", "take"), ("take", "take")])
async def test_last_two_administrators_cannot_go_at_the_same_moment(
    app: Litestar, make_clinic: MakeClinic, placement: StrategyName, ways: tuple[str, str]
) -> None:
    clinic = await make_clinic(placement)
    _, other_name = await clinic.add_user(Role.ADMIN)
    one = await Visitor(app, clinic).login(clinic.admin_username)
    two = await Visitor(app, clinic).login(other_name)
    one_id, two_id = (await one.me()).json()["id"], (await two.me()).json()["id"]

    async def shut_out(who: Visitor, whom: str, way: str) -> httpx.Response:
        headers = {"If-Match": '"1"'}
        if way == "block":
            return await who.send("POST", f"{USERS}/{whom}/block", headers=headers)
        return await who.send("DELETE", f"{USERS}/{whom}/roles/admin", headers=headers)

    answers = await asyncio.gather(shut_out(one, two_id, ways[0]), shut_out(two, one_id, ways[1]))
    assert sorted(answer.status_code for answer in answers) in ([200, 401], [200, 409])
    left = one if answers[0].status_code == 200 else two
    await left.renew()
    remaining = (await left.send("GET", f"{USERS}?role=admin&status=active")).json()["items"]
    assert len(remaining) == 1


async def test_key_repeated_creation_gets_the_first_answer(clinic_a: Clinic) -> None:
    body, headers = fresh(), {"Idempotency-Key": secrets.token_hex(8)}
    first = await clinic_a.post(USERS, body, headers=headers)
    second = await clinic_a.post(USERS, body, headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()
    assert second.headers["Idempotency-Replayed"] == "true"


async def test_unknown_query_parameter_is_refused(clinic_a: Clinic) -> None:
    assert (await clinic_a.get(f"{USERS}?colour=red")).status_code == 400
