"""Users as administrators keep them: accounts, status, roles, and never a clinic without an administrator."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import select

from clinics import Clinic
from domain.actor import Role
from domain.operations.models import AuditEvent
from tenancy.modes import Mode
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName
from visitors import Visitor

MakeClinic = Callable[..., Awaitable[Clinic]]
USERS = "/api/v1/users"


def fresh(**fields: Any) -> dict[str, Any]:
    name = f"ana.{secrets.token_hex(5)}"
    return {
        "email": f"{name}@mail.example",
        "roles": ["nurse"],
        "password": "a long password",
    } | fields


async def created(clinic: Clinic, **fields: Any) -> dict[str, Any]:
    answer = await clinic.post(USERS, fresh(**fields))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def act(
    clinic: Clinic, user: dict[str, Any], action: str, body: Any = None
) -> httpx.Response:
    """Ask for an action on the user at its present version."""
    now = await clinic.get(f"{USERS}/{user['id']}")
    headers = {"If-Match": now.headers["ETag"]}
    return await clinic.post(f"{USERS}/{user['id']}/{action}", body, headers=headers)


async def take_role(clinic: Clinic, user_id: Any, role: str, **options: Any) -> httpx.Response:
    now = await clinic.get(f"{USERS}/{user_id}", **options)
    headers = {"If-Match": now.headers["ETag"]}
    return await clinic.delete(f"{USERS}/{user_id}/roles/{role}", headers=headers, **options)


async def test_created_user_awaits_approval_and_then_logs_in(
    app: Litestar, clinic_a: Clinic
) -> None:
    body = fresh(
        first_name="Ana", last_name="Paz", phone="+51 999 123 456", timezone="America/Lima"
    )
    answer = await clinic_a.post(USERS, body)
    assert answer.status_code == 201
    user = answer.json()
    assert answer.headers["Location"] == f"{USERS}/{user['id']}"
    assert answer.headers["ETag"] == f'"{user["version"]}"'
    assert user["username"] == user["email"] == body["email"]
    assert (user["status"], user["roles"], user["user_type"]) == ("pending", ["nurse"], "nurse")
    assert not {"password", "password_hash", "access_version", "tenant_id"} & set(user)
    visitor = Visitor(app, clinic_a)
    pending = await visitor.try_login(body["email"], body["password"])
    assert (pending.status_code, pending.json()["code"]) == (403, "user_pending_approval")
    approved = await act(clinic_a, user, "approve")
    assert (approved.status_code, approved.json()["status"]) == (200, "active")
    await visitor.login(body["email"], body["password"])
    again = await clinic_a.get(f"{USERS}/{user['id']}")
    assert again.json() == approved.json()


async def test_user_created_active_logs_in_at_once(app: Litestar, clinic_a: Clinic) -> None:
    user = await created(clinic_a, status="active", username="Ana.Diaz." + secrets.token_hex(3))
    assert user["username"] == user["username"].lower()
    await Visitor(app, clinic_a).login(user["username"], "a long password")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"email": "no e-mail"}, "/email"),
        ({"roles": []}, "/roles"),
        ({"roles": ["emperor"]}, "/roles/0"),
        ({"password": "short"}, "/password"),
        ({"password": None, "status": "active"}, "/password"),
        ({"status": "blocked"}, "/status"),
        ({"timezone": "Mars/Olympus"}, "/timezone"),
        ({"username": "somebody@else.example"}, "/username"),
        ({"username": "two words"}, "/username"),
        ({"settings": {"a": "x" * 20_000}}, "/settings"),
        ({"settings": {"a": "\x00"}}, "/settings"),
        ({"first_name": "\x00"}, "/first_name"),
        ({"unknown": 1}, "/unknown"),
        ({"tenant_id": str(uuid4())}, "/tenant_id"),
    ],
)
async def test_invalid_user_is_refused(
    clinic_a: Clinic, changes: dict[str, Any], pointer: str
) -> None:
    answer = await clinic_a.post(USERS, fresh(**changes))
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "validation_error"
    assert any(pointer.startswith(e["pointer"]) for e in answer.json().get("errors", [])), (
        answer.text
    )


async def test_person_of_another_clinic_cannot_be_referred_to(clinic_a: Clinic) -> None:
    answer = await clinic_a.post(USERS, fresh(person_id=str(uuid4())))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_reference")


async def test_names_are_unique_in_a_clinic_and_free_in_the_next(
    clinic_a: Clinic, clinic_b: Clinic
) -> None:
    body = fresh()
    answers = await asyncio.gather(*(clinic_a.post(USERS, body) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    refused = await clinic_a.post(USERS, {**body, "email": body["email"].upper()})
    assert (refused.status_code, refused.json()["code"]) == (409, "duplicate")
    assert (await clinic_b.post(USERS, body)).status_code == 201


async def test_change_needs_the_version_that_was_read(clinic_a: Clinic) -> None:
    user = await created(clinic_a)
    path = f"{USERS}/{user['id']}"
    missing = await clinic_a.patch(path, {"first_name": "Eva"})
    assert (missing.status_code, missing.json()["code"]) == (428, "if_match_required")
    headers = {"If-Match": f'"{user["version"]}"'}
    changed = await clinic_a.patch(path, {"first_name": "Eva", "bio": None}, headers=headers)
    assert (changed.status_code, changed.json()["first_name"]) == (200, "Eva")
    stale = await clinic_a.patch(path, {"first_name": "Eve"}, headers=headers)
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
    assert stale.headers["ETag"] == changed.headers["ETag"]


async def test_parallel_changes_of_one_version_do_not_overwrite_each_other(
    clinic_a: Clinic,
) -> None:
    user = await created(clinic_a)
    headers = {"If-Match": f'"{user["version"]}"'}
    answers = await asyncio.gather(
        *(
            clinic_a.patch(f"{USERS}/{user['id']}", {"first_name": f"Eva {n}"}, headers=headers)
            for n in range(5)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]


async def test_username_that_is_the_email_follows_it(app: Litestar, clinic_a: Clinic) -> None:
    user = await created(clinic_a, status="active")
    headers = {"If-Match": f'"{user["version"]}"'}
    email = f"new.{secrets.token_hex(4)}@mail.example"
    changed = await clinic_a.patch(
        f"{USERS}/{user['id']}", {"email": email.upper()}, headers=headers
    )
    assert (changed.json()["email"], changed.json()["username"]) == (email, email)
    await Visitor(app, clinic_a).login(email, "a long password")


@pytest.mark.parametrize("field", ["status", "roles", "password_hash", "access_version", "id"])
async def test_status_roles_and_passwords_are_not_plain_fields(
    clinic_a: Clinic, field: str
) -> None:
    user = await created(clinic_a)
    headers = {"If-Match": f'"{user["version"]}"'}
    answer = await clinic_a.patch(f"{USERS}/{user['id']}", {field: "active"}, headers=headers)
    assert answer.status_code == 422


async def test_other_clinic_gets_404_for_everything(clinic_a: Clinic, clinic_b: Clinic) -> None:
    user = await created(clinic_a)
    path = f"{USERS}/{user['id']}"
    headers = {"If-Match": '"1"'}
    answers = [
        await clinic_b.get(path),
        await clinic_b.patch(path, {"first_name": "Eva"}, headers=headers),
        await clinic_b.post(f"{path}/roles", {"role": "admin"}, headers=headers),
        await clinic_b.delete(f"{path}/roles/nurse", headers=headers),
    ]
    answers += [
        await clinic_b.post(f"{path}/{action}", headers=headers)
        for action in ("approve", "block", "unblock", "reset-password")
    ]
    assert [answer.status_code for answer in answers] == [404] * 8
    listed = (await clinic_b.get(f"{USERS}?limit=100")).json()["items"]
    assert user["id"] not in {item["id"] for item in listed}
    assert (await clinic_a.get(path)).json() == user


async def test_only_administrators_write_and_auditors_read(clinic_a: Clinic) -> None:
    user = await created(clinic_a)
    path = f"{USERS}/{user['id']}"
    for role in Role:
        reads = (await clinic_a.get(path, role=role)).status_code
        writes = (await clinic_a.patch(path, {}, role=role)).status_code
        assert reads == (200 if role in {Role.ADMIN, Role.AUDITOR} else 403), role
        assert writes == (428 if role is Role.ADMIN else 403), role


async def test_list_filters_and_pages(clinic_a: Clinic) -> None:
    mark = secrets.token_hex(4)
    made = [await created(clinic_a, first_name=f"Zoe{mark}", roles=["dentist"]) for _ in range(5)]
    await act(clinic_a, made[0], "approve")
    await created(clinic_a, first_name=f"Zoe{mark}", roles=["nurse", "auditor"])

    async def found(query: str) -> list[str]:
        return [u["id"] for u in (await clinic_a.get(f"{USERS}?{query}")).json()["items"]]

    ids = [user["id"] for user in made]
    assert len(await found(f"q=zoe{mark}")) == 6
    assert await found(f"q=ZOE{mark}&role=dentist") == ids
    assert await found(f"q=zoe{mark}&status=active") == ids[:1]
    assert await found(f"q=zoe{mark}%20nowhere") == []
    assert await found("q=%25") == []
    assert len(await found(f"q=zoe{mark}&role=auditor")) == 1
    _, member = await clinic_a.add_user(Role.NURSE)
    assert len(await found(f"q={member}&branch={clinic_a.branch_id}")) == 1
    assert await found(f"q=zoe{mark}&branch={clinic_a.branch_id}") == []
    pages: list[str] = []
    cursor = ""
    for _ in range(3):
        query = f"{USERS}?q=zoe{mark}&role=dentist&limit=2{cursor}"
        page = (await clinic_a.get(query)).json()
        pages += [user["id"] for user in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert pages == ids
    assert page["next_cursor"] is None
    assert (await clinic_a.get(f"{USERS}?status=asleep")).status_code == 400


async def test_seeds_list_shows_users_in_spanish(clinic_a: Clinic) -> None:
    user = await created(
        clinic_a, first_name="Ana", last_name="Paz", roles=["dentist"], phone="999"
    )
    items = (await clinic_a.get("/api/usuarios/?limit=100")).json()["items"]
    [shown] = [item for item in items if item["id"] == user["id"]]
    assert shown == {
        "id": user["id"],
        "email": user["email"],
        "nombre": "Ana",
        "apellido": "Paz",
        "tipo_usuario": "ODONTOLOGO",
        "telefono": "999",
        "activo": False,
    }


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
