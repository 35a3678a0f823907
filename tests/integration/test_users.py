"""Users as administrators keep them: accounts, status, roles, and never a clinic without an administrator."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from litestar import Litestar

from accounts import USERS, act, created, fresh
from clinics import Clinic
from domain.actor import Role
from visitors import Visitor

MakeClinic = Callable[..., Awaitable[Clinic]]


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
