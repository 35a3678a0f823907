"""Logging in: shapes, refusals, limits, locks, legacy passwords."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from litestar import Litestar
from sqlalchemy import delete, select, update

from clinics import Clinic
from domain.actor import Role
from domain.identity.models import AuthSession, UserAccount, UserRole
from domain.operations.models import AuditEvent
from tenancy.modes import Mode
from tenancy.runtime import Tenancy
from visitors import Visitor

# Version 2 hash of "my password" (dotnet/aspnetcore, PasswordHasherTest).
LEGACY_HASH = "ANXrDknc7fGPpigibZXXZFMX4aoqz44JveK6jQuwY3eH/UyPhvr5xTPeGYEckLxz9A=="


async def room_in_this_minute() -> None:
    """Failures are counted by the minute of the clock: begin where the test ends in the same one."""
    left_s = 60 - time.time() % 60
    if left_s < 10:
        await asyncio.sleep(left_s)


async def stored(tenancy: Tenancy, clinic: Clinic, user_id: UUID) -> UserAccount:
    async with tenancy.session(clinic.tenant_id, Mode.READ) as session:
        user = await session.get(UserAccount, user_id)
        assert user is not None
        return user


async def change_stored(tenancy: Tenancy, clinic: Clinic, user_id: UUID, **values: Any) -> None:
    async with tenancy.session(clinic.tenant_id, Mode.WRITE) as session:
        await session.execute(update(UserAccount).where(UserAccount.id == user_id).values(**values))


async def events(tenancy: Tenancy, clinic: Clinic, user_id: UUID | None) -> list[AuditEvent]:
    async with tenancy.session(clinic.tenant_id, Mode.READ) as session:
        found = await session.scalars(
            select(AuditEvent).where(AuditEvent.entity_id == user_id).order_by(AuditEvent.id)
        )
        return list(found)


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


async def test_failure_is_kept_although_the_answer_is_a_refusal(
    app: Litestar, tenancy: Tenancy, clinic_a: Clinic
) -> None:
    user_id, username = await clinic_a.add_user(Role.NURSE)
    visitor = Visitor(app, clinic_a)
    before = await stored(tenancy, clinic_a, user_id)
    for _ in range(3):
        assert (await visitor.try_login(username, "wrong password")).status_code == 401
    after = await stored(tenancy, clinic_a, user_id)
    assert after.failed_logins == 3
    assert (after.version, after.updated_at) == (before.version, before.updated_at)
    trail = await events(tenancy, clinic_a, user_id)
    assert [event.action for event in trail] == ["login_failed"] * 3
    assert {event.actor_kind for event in trail} == {"anonymous"}
    assert {event.actor_id for event in trail} == {None}
    assert {event.ip for event in trail} == {visitor.address}
    assert all(event.details == {} for event in trail)


async def test_success_forgets_failures_and_leaves_the_etag_alone(
    app: Litestar, tenancy: Tenancy, clinic_a: Clinic
) -> None:
    user_id, username = await clinic_a.add_user(Role.NURSE)
    await change_stored(tenancy, clinic_a, user_id, failed_logins=5)
    before = await stored(tenancy, clinic_a, user_id)
    await Visitor(app, clinic_a).login(username)
    after = await stored(tenancy, clinic_a, user_id)
    assert after.failed_logins == 0
    assert after.last_login_at is not None
    assert after.version == before.version
    trail = await events(tenancy, clinic_a, user_id)
    assert [(event.action, event.actor_id) for event in trail] == [("login", user_id)]


async def test_twenty_failures_in_a_row_lock_the_account_for_a_while(
    app: Litestar, tenancy: Tenancy, clinic_a: Clinic
) -> None:
    user_id, username = await clinic_a.add_user(Role.NURSE)
    await change_stored(tenancy, clinic_a, user_id, failed_logins=19)
    visitor = Visitor(app, clinic_a)
    assert (await visitor.try_login(username, "wrong password")).status_code == 401
    locked = (await stored(tenancy, clinic_a, user_id)).locked_until
    assert locked is not None
    assert timedelta(minutes=14) < locked - datetime.now(UTC) < timedelta(minutes=16)
    refused = await visitor.try_login(username)
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_credentials")
    assert (await stored(tenancy, clinic_a, user_id)).locked_until == locked, (
        "a lock is not prolonged"
    )
    past = datetime.now(UTC) - timedelta(seconds=1)
    await change_stored(tenancy, clinic_a, user_id, locked_until=past)
    await visitor.login(username)


async def test_eleventh_failure_of_an_account_is_one_too_many(
    app: Litestar, clinic_a: Clinic, clinic_b: Clinic
) -> None:
    await room_in_this_minute()
    _, username = await clinic_a.add_user(Role.NURSE)
    _, other = await clinic_a.add_user(Role.NURSE)
    visitor = Visitor(app, clinic_a)
    email = f"{username}@{clinic_a.slug}.example"
    codes = [
        (await visitor.try_login(name, "wrong password")).status_code
        for name in [username, email] * 5
    ]
    assert codes == [401] * 10
    refused = await visitor.try_login(username)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert (await Visitor(app, clinic_a).try_login(email)).status_code == 429, "from anywhere"
    await visitor.login(other)
    elsewhere = await Visitor(app, clinic_b).try_login(username, "wrong password")
    assert elsewhere.status_code == 401, "the same name in another clinic is another account"


async def test_sixty_failures_of_an_address_are_enough(app: Litestar, clinic_a: Clinic) -> None:
    await room_in_this_minute()
    visitor = Visitor(app, clinic_a)
    answers = await asyncio.gather(
        *(visitor.try_login(f"nobody{number}", "wrong password") for number in range(60))
    )
    assert {answer.status_code for answer in answers} == {401}
    _, username = await clinic_a.add_user(Role.NURSE)
    assert (await visitor.try_login(username)).status_code == 429
    await Visitor(app, clinic_a).login(username)


async def test_burst_of_guesses_gets_no_more_answers_than_the_limit(
    app: Litestar, clinic_a: Clinic
) -> None:
    await room_in_this_minute()
    _, username = await clinic_a.add_user(Role.NURSE)
    visitor = Visitor(app, clinic_a)
    answers = await asyncio.gather(
        *(visitor.try_login(username, f"guess number {number}") for number in range(30))
    )
    codes = [answer.status_code for answer in answers]
    assert codes.count(401) == 10
    assert codes.count(429) == 20


async def test_logins_that_succeed_are_not_counted(app: Litestar, clinic_a: Clinic) -> None:
    _, username = await clinic_a.add_user(Role.NURSE)
    visitor = Visitor(app, clinic_a)
    for _ in range(12):
        await visitor.login(username)


async def test_legacy_password_is_hashed_anew_once_and_works_for_all_who_come_at_once(
    app: Litestar, tenancy: Tenancy, clinic_a: Clinic
) -> None:
    user_id, username = await clinic_a.add_user(Role.DOCTOR)
    await change_stored(
        tenancy, clinic_a, user_id, password_hash=LEGACY_HASH, password_scheme="aspnet_identity"
    )
    visitor = Visitor(app, clinic_a)
    assert (await visitor.try_login(username, "my passw0rd")).status_code == 401
    assert (await stored(tenancy, clinic_a, user_id)).password_hash == LEGACY_HASH
    answers = await asyncio.gather(*(visitor.try_login(username, "my password") for _ in range(5)))
    assert [answer.status_code for answer in answers] == [200] * 5
    after = await stored(tenancy, clinic_a, user_id)
    assert after.password_scheme == "argon2id"
    assert after.password_hash is not None
    assert after.password_hash.startswith("$argon2id$")
    await visitor.login(username, "my password")
    assert (await stored(tenancy, clinic_a, user_id)).password_hash == after.password_hash


async def test_user_without_a_usable_password_cannot_log_in(
    app: Litestar, tenancy: Tenancy, clinic_a: Clinic
) -> None:
    user_id, username = await clinic_a.add_user(Role.NURSE)
    visitor = Visitor(app, clinic_a)
    for values in (
        {"password_hash": "not a hash"},
        {"status": "pending", "password_hash": None, "password_scheme": None},
    ):
        await change_stored(tenancy, clinic_a, user_id, **values)
        answer = await visitor.try_login(username)
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")


async def test_expired_sessions_are_cleared_away_at_the_next_login(
    app: Litestar, tenancy: Tenancy, clinic_a: Clinic
) -> None:
    user_id, username = await clinic_a.add_user(Role.NURSE)
    visitor = await Visitor(app, clinic_a).login(username)
    await visitor.renew()
    await visitor.renew()
    long_ago = datetime.now(UTC) - timedelta(days=9)
    async with tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
        await session.execute(
            update(AuthSession)
            .where(AuthSession.user_id == user_id)
            .values(issued_at=long_ago, expires_at=long_ago + timedelta(days=7))
        )
    await visitor.login(username)
    async with tenancy.session(clinic_a.tenant_id, Mode.READ) as session:
        left = await session.scalars(select(AuthSession.id).where(AuthSession.user_id == user_id))
        assert len(list(left)) == 1
