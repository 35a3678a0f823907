"""Failed logins are counted, limited and lock; right ones are not; old hashes and sessions are renewed."""

import asyncio
from datetime import UTC, datetime, timedelta

from litestar import Litestar
from sqlalchemy import select, update

from clinics import Clinic
from domain.actor import Role
from domain.identity.models import AuthSession

# Version 2 hash of "my password" (dotnet/aspnetcore, PasswordHasherTest).
from login_rows import LEGACY_HASH, change_stored, events, room_in_this_minute, stored
from tenancy.modes import Mode
from tenancy.runtime import Tenancy
from visitors import Visitor


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
    # On a slow machine one may have waited for its turn too long, which is a 429 too.
    assert 0 < codes.count(401) <= 10
    assert codes.count(429) == 30 - codes.count(401)


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
