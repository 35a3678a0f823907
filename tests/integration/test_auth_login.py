"""Logging in: shapes, refusals, limits, locks, legacy passwords."""

from typing import Any

import pytest
from litestar import Litestar
from sqlalchemy import delete

from clinics import Clinic
from domain.actor import Role
from domain.identity.models import UserRole

# Version 2 hash of "my password" (dotnet/aspnetcore, PasswordHasherTest).
from login_rows import change_stored, events
from tenancy.modes import Mode
from tenancy.runtime import Tenancy
from visitors import Visitor


async def test_seeds_login_has_the_seeds_shape(clinic_a: Clinic) -> None:
    user_id, username = await clinic_a.add_user(Role.DOCTOR)
    for path in ("/api/personnel/auth/login", "/api/personnel/auth/login/"):
        body = {"username": username, "password": clinic_a.password, "remember": True}
        answer = await clinic_a.post(path, body, role=None)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        made = answer.json()
        assert set(made) == {"access", "refresh", "user", "tenant"}
        assert made["user"] == {
            "id": str(user_id),
            "username": username,
            "email": f"{username}@{clinic_a.slug}.example",
            "user_type": "doctor",
            "must_change_password": False,
        }
        assert made["tenant"]["id"] == str(clinic_a.tenant_id)
        headers = {"Authorization": f"Bearer {made['access']}"}
        profile = await clinic_a.get("/api/personnel/auth/me", headers=headers)
        assert profile.status_code == 200
        assert profile.json()["user_type"] == "doctor"
        assert profile.json()["settings"] == {}
        assert [branch["id"] for branch in profile.json()["branches"]] == [str(clinic_a.branch_id)]
        assert "patients:write" in profile.json()["permissions"]


@pytest.mark.parametrize(
    ("role", "spanish"),
    [
        (Role.ADMIN, "ADMIN"),
        (Role.DENTIST, "ODONTOLOGO"),
        (Role.PATIENT, "PACIENTE"),
        (Role.NURSE, "NURSE"),
    ],
)
async def test_dental_login_has_the_dental_shape(
    clinic_a: Clinic, role: Role, spanish: str
) -> None:
    user_id, username = await clinic_a.add_user(role)
    email = f"{username}@{clinic_a.slug}.example"
    body = {"email": email.upper(), "password": clinic_a.password}
    answer = await clinic_a.post("/api/token/", body, role=None)
    assert answer.status_code == 200
    made = answer.json()
    assert set(made) == {"access", "refresh", "usuario"}
    assert made["usuario"] == {
        "id": str(user_id),
        "email": email,
        "nombre": "",
        "apellido": "",
        "tipo_usuario": spanish,
    }
    again = await clinic_a.post("/api/token/refresh/", {"refresh": made["refresh"]}, role=None)
    assert again.status_code == 200
    assert set(again.json()) == {"access", "refresh"}


async def test_login_names_its_clinic_in_the_body(
    api: Any, clinic_a: Clinic, clinic_b: Clinic
) -> None:
    body = {"username": clinic_a.admin_username, "password": clinic_a.password}
    for name in (clinic_a.slug, str(clinic_a.tenant_id), clinic_a.slug.upper()):
        answer = await api.post("/api/v1/auth/login", json={**body, "tenant_id": name})
        assert answer.status_code == 200, answer.text
        assert answer.json()["tenant"]["id"] == str(clinic_a.tenant_id)
    nowhere = await api.post("/api/v1/auth/login", json=body)
    assert (nowhere.status_code, nowhere.json()["code"]) == (400, "tenant_not_resolved")
    headers = {"Host": clinic_b.host}
    torn = await api.post(
        "/api/v1/auth/login", json={**body, "tenant_id": clinic_a.slug}, headers=headers
    )
    assert (torn.status_code, torn.json()["code"]) == (403, "tenant_mismatch")


async def test_users_of_one_clinic_are_nobody_in_another(
    app: Litestar, clinic_a: Clinic, clinic_b: Clinic
) -> None:
    answer = await Visitor(app, clinic_b).try_login(clinic_a.admin_username)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")


async def test_unknown_name_and_wrong_password_get_the_same_answer(
    app: Litestar, clinic_a: Clinic
) -> None:
    _, username = await clinic_a.add_user(Role.NURSE)
    visitor = Visitor(app, clinic_a)
    answers = [
        await visitor.try_login(name, "not the password")
        for name in (username, "nobody", "nobody@nowhere.example", "\x00", "x" * 250)
    ]
    for answer in answers:
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        shown = {**answer.json(), "request_id": None}
        assert shown == {**answers[0].json(), "request_id": None}
    assert answers[0].json()["detail"] == "Credenciales inválidas"


async def test_canonical_login_takes_either_name_and_nothing_unknown(
    app: Litestar, clinic_a: Clinic
) -> None:
    _, username = await clinic_a.add_user(Role.NURSE)
    http = Visitor(app, clinic_a).http
    password = {"password": clinic_a.password}
    email = f"{username}@{clinic_a.slug}.example"
    for names in (
        {"username": username},
        {"username": email},
        {"email": email},
        {"username": f" {username.upper()} "},
    ):
        answer = await http.post("/api/v1/auth/login", json={**names, **password})
        assert answer.status_code == 200, answer.text
        assert answer.json()["expires_in"] == 3_600
    for wrong in ({}, {"username": username, "email": email}, {"username": username, "extra": 1}):
        answer = await http.post("/api/v1/auth/login", json={**wrong, **password})
        assert answer.status_code == 422, wrong


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("blocked", "user_blocked"),
        ("pending", "user_pending_approval"),
        ("disabled", "user_not_authorized"),
    ],
)
async def test_status_is_told_after_the_right_password_only(
    app: Litestar, tenancy: Tenancy, clinic_a: Clinic, status: str, code: str
) -> None:
    user_id, username = await clinic_a.add_user(Role.NURSE)
    await change_stored(tenancy, clinic_a, user_id, status=status)
    visitor = Visitor(app, clinic_a)
    wrong = await visitor.try_login(username, "not the password")
    assert (wrong.status_code, wrong.json()["code"]) == (401, "invalid_credentials")
    right = await visitor.try_login(username)
    assert (right.status_code, right.json()["code"]) == (403, code)
    assert [e.action for e in await events(tenancy, clinic_a, user_id)] == [
        "login_failed",
        "login_refused",
    ]


async def test_user_without_a_role_is_not_authorized(
    app: Litestar, tenancy: Tenancy, clinic_a: Clinic
) -> None:
    user_id, username = await clinic_a.add_user(Role.NURSE)
    async with tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
        await session.execute(delete(UserRole).where(UserRole.user_id == user_id))
    answer = await Visitor(app, clinic_a).try_login(username)
    assert (answer.status_code, answer.json()["code"]) == (403, "user_not_authorized")
    assert answer.json()["detail"] == "Usuario no autorizado"
