"""Sessions: lazy rotation, reuse, logout, revocation, the caller's own password."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from litestar import Litestar
from sqlalchemy import select, update

from auth.tokens import new_refresh_token
from clinics import Clinic
from domain.actor import Role
from domain.identity.models import AuthSession
from domain.operations.models import AuditEvent
from tenancy.modes import Mode
from tenancy.runtime import Tenancy
from visitors import Visitor


@pytest.fixture
async def nurse(app: Litestar, clinic_a: Clinic) -> Visitor:
    """A nurse of clinic A who has just logged in."""
    _, username = await clinic_a.add_user(Role.NURSE)
    visitor = await Visitor(app, clinic_a).login(username)
    visitor.username = username  # type: ignore[attr-defined]
    return visitor


def name_of(visitor: Visitor) -> str:
    return str(visitor.username)  # type: ignore[attr-defined]


async def test_old_refresh_token_lives_until_the_new_one_is_used(nurse: Visitor) -> None:
    first = nurse.refresh_token
    lost = (await nurse.exchange(first)).json()
    again = await nurse.exchange(first)
    assert again.status_code == 200, "a lost answer can be asked for again"
    second = again.json()["refresh"]
    assert second not in {first, lost["refresh"]}
    assert (await nurse.exchange(second)).status_code == 200
    dead = await nurse.exchange(first)
    assert (dead.status_code, dead.json()["code"]) == (401, "invalid_token")
    assert dead.json()["detail"] == "Token inválido"


async def test_dead_token_that_comes_back_ends_the_whole_family(
    nurse: Visitor, tenancy: Tenancy, clinic_a: Clinic
) -> None:
    first = nurse.refresh_token
    await nurse.renew()
    await nurse.renew()
    assert (await nurse.me()).status_code == 200
    assert (await nurse.exchange(first)).status_code == 401
    assert (await nurse.exchange()).status_code == 401, "the newest token too"
    ended = await nurse.me()
    assert (ended.status_code, ended.json()["code"]) == (401, "session_ended")
    async with tenancy.session(clinic_a.tenant_id, Mode.READ) as session:
        reuse = select(AuditEvent.action).where(AuditEvent.action == "refresh_reuse")
        assert await session.scalar(reuse.limit(1)) == "refresh_reuse"
    await nurse.login(name_of(nurse))


async def test_reuse_in_one_login_leaves_the_others_alone(nurse: Visitor, app: Litestar) -> None:
    other = await Visitor(app, nurse.clinic).login(name_of(nurse))
    first = nurse.refresh_token
    await nurse.renew()
    await nurse.renew()
    assert (await nurse.exchange(first)).status_code == 401
    assert (await other.me()).status_code == 200
    await other.renew()


async def test_client_that_keeps_its_first_refresh_token_goes_on(nurse: Visitor) -> None:
    for _ in range(5):
        answer = await nurse.http.post(
            "/api/personnel/auth/refresh", json={"refresh": nurse.refresh_token}
        )
        assert answer.status_code == 200
        assert (await nurse.me(answer.json()["access"])).status_code == 200


async def test_parallel_exchanges_of_one_token_harm_nobody(nurse: Visitor) -> None:
    answers = await asyncio.gather(*(nurse.exchange() for _ in range(6)))
    assert [answer.status_code for answer in answers] == [200] * 6
    tokens = [answer.json()["refresh"] for answer in answers]
    assert len(set(tokens)) == 6
    for answer in answers:
        assert (await nurse.me(answer.json()["access"])).status_code == 200
    followers = await asyncio.gather(*(nurse.exchange(token) for token in tokens))
    assert [answer.status_code for answer in followers] == [200] * 6


async def test_access_token_outlives_the_death_of_its_refresh_token(nurse: Visitor) -> None:
    before = nurse.access
    await nurse.renew()
    await nurse.renew()
    assert (await nurse.me(before)).status_code == 200


@pytest.mark.parametrize("token", ["", "nonsense", "pcr_short", "a.b.c"])
async def test_what_is_no_refresh_token_is_refused(nurse: Visitor, token: str) -> None:
    answer = await nurse.http.post("/api/v1/auth/refresh", json={"refresh": token})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


async def test_unknown_refresh_token_is_refused(nurse: Visitor) -> None:
    assert (await nurse.exchange(new_refresh_token())).status_code == 401


async def test_access_token_is_no_refresh_token_and_the_other_way_round(nurse: Visitor) -> None:
    assert (await nurse.exchange(nurse.access)).status_code == 401
    assert (await nurse.me(nurse.refresh_token)).status_code == 401


async def test_refresh_token_of_one_clinic_is_unknown_in_another(
    nurse: Visitor, app: Litestar, clinic_b: Clinic
) -> None:
    elsewhere = Visitor(app, clinic_b)
    assert (await elsewhere.exchange(nurse.refresh_token)).status_code == 401
    await nurse.renew()


async def test_access_token_of_one_clinic_is_refused_in_another(
    nurse: Visitor, app: Litestar, clinic_b: Clinic
) -> None:
    elsewhere = Visitor(app, clinic_b)
    answer = await elsewhere.me(nurse.access)
    assert (answer.status_code, answer.json()["code"]) == (403, "tenant_mismatch")
    torn = await nurse.send("GET", "/api/v1/auth/me", headers={"X-Tenant-ID": clinic_b.slug})
    assert (torn.status_code, torn.json()["code"]) == (403, "tenant_mismatch")


async def test_logout_ends_refresh_and_access_at_once(nurse: Visitor, app: Litestar) -> None:
    other = await Visitor(app, nurse.clinic).login(name_of(nurse))
    older = nurse.access
    sibling = (await nurse.exchange()).json()
    await nurse.renew()
    answer = await nurse.send("POST", "/api/personnel/auth/logout", json={})
    assert (answer.status_code, answer.json()) == (200, {"message": "Logout exitoso"})
    for access in (nurse.access, older, sibling["access"]):
        assert (await nurse.me(access)).status_code == 401
    for refresh in (nurse.refresh_token, sibling["refresh"]):
        assert (await nurse.exchange(refresh)).status_code == 401
    assert (await other.me()).status_code == 200
    assert (await other.send("POST", "/api/v1/auth/logout")).status_code == 204
    assert (await other.me()).status_code == 401


async def test_no_refresh_slips_through_a_logout(nurse: Visitor) -> None:
    for _ in range(5):
        await nurse.login(name_of(nurse))
        answers = await asyncio.gather(
            *(nurse.exchange() for _ in range(3)),
            nurse.send("POST", "/api/v1/auth/logout"),
            *(nurse.exchange() for _ in range(3)),
        )
        for answer in answers:
            if answer.status_code == 200:
                assert (await nurse.me(answer.json()["access"])).status_code == 401
                assert (await nurse.exchange(answer.json()["refresh"])).status_code == 401


async def test_expired_session_is_refused_on_both_ways(
    nurse: Visitor, tenancy: Tenancy, clinic_a: Clinic
) -> None:
    me = (await nurse.me()).json()
    long_ago = datetime.now(UTC) - timedelta(days=8)
    async with tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
        await session.execute(
            update(AuthSession)
            .where(AuthSession.user_id == me["id"])
            .values(issued_at=long_ago, expires_at=long_ago + timedelta(days=7))
        )
    assert (await nurse.me()).status_code == 401
    assert (await nurse.exchange()).status_code == 401


async def test_sessions_are_listed_and_ended_one_by_one(nurse: Visitor, app: Litestar) -> None:
    other = await Visitor(app, nurse.clinic).login(name_of(nurse))
    await other.renew()
    page = (await nurse.send("GET", "/api/v1/auth/sessions")).json()
    assert [item["is_current"] for item in page["items"]] == [True, False]
    assert [item["ip"] for item in page["items"]] == [nurse.address, other.address]
    assert page["next_cursor"] is None
    first = await nurse.send("GET", "/api/v1/auth/sessions?limit=1")
    second = await nurse.send(
        "GET", f"/api/v1/auth/sessions?limit=1&cursor={first.json()['next_cursor']}"
    )
    assert first.json()["items"] + second.json()["items"] == page["items"]
    path = f"/api/v1/auth/sessions/{page['items'][1]['id']}"
    assert (await nurse.send("DELETE", path)).status_code == 204
    assert (await other.me()).status_code == 401
    assert (await other.exchange()).status_code == 401
    left = (await nurse.send("GET", "/api/v1/auth/sessions")).json()["items"]
    assert [item["is_current"] for item in left] == [True]


async def test_sessions_of_others_are_404(
    nurse: Visitor, app: Litestar, clinic_a: Clinic, clinic_b: Clinic
) -> None:
    for clinic in (clinic_a, clinic_b):
        _, username = await clinic.add_user(Role.NURSE)
        stranger = await Visitor(app, clinic).login(username)
        item = (await stranger.send("GET", "/api/v1/auth/sessions")).json()["items"][0]
        answer = await nurse.send("DELETE", f"/api/v1/auth/sessions/{item['id']}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert (await stranger.me()).status_code == 200


async def change_password(visitor: Visitor, current: str, new: str) -> Any:
    body = {"current_password": current, "new_password": new}
    return await visitor.send("POST", "/api/v1/auth/me/password", json=body)


async def test_new_password_ends_the_other_sessions_only(nurse: Visitor, app: Litestar) -> None:
    other = await Visitor(app, nurse.clinic).login(name_of(nurse))
    answer = await change_password(nurse, nurse.clinic.password, "a new password")
    assert answer.status_code == 200
    assert (await other.me()).status_code == 401
    assert (await other.exchange()).status_code == 401
    assert (await nurse.me()).status_code == 200
    assert (await nurse.me(answer.json()["access"])).status_code == 200
    nurse.refresh_token = answer.json()["refresh"]
    await nurse.renew()
    assert (await nurse.try_login(name_of(nurse))).status_code == 401
    await nurse.login(name_of(nurse), "a new password")


@pytest.mark.parametrize(
    ("current", "new", "pointer", "code"),
    [
        ("not the password", "a new password", "/current_password", "wrong_password"),
        (None, "short", "/new_password", "password_too_short"),
        (None, None, "/new_password", "password_unchanged"),
    ],
)
async def test_new_password_must_be_earned_and_good(
    nurse: Visitor, current: str | None, new: str | None, pointer: str, code: str
) -> None:
    old = nurse.clinic.password
    answer = await change_password(nurse, current or old, new or old)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)
    await nurse.login(name_of(nurse))


async def test_new_password_is_not_the_own_name(nurse: Visitor) -> None:
    email = f"{name_of(nurse)}@{nurse.clinic.slug}.example"
    for name in (email, name_of(nurse).upper()):
        answer = await change_password(nurse, nurse.clinic.password, name)
        assert answer.json()["errors"][0]["code"] == "password_is_name"


async def test_stolen_access_token_is_no_way_to_guess_the_password(nurse: Visitor) -> None:
    codes = [
        (await change_password(nurse, f"guess {number}", "a new password")).status_code
        for number in range(12)
    ]
    assert codes[0] == 422
    assert codes[-1] == 429
    right = await change_password(nurse, nurse.clinic.password, "a new password")
    assert right.status_code == 429


async def test_public_routes_ignore_the_token_that_comes_along(nurse: Visitor) -> None:
    answer = await nurse.send(
        "POST", "/api/v1/auth/refresh", access="nonsense", json={"refresh": nurse.refresh_token}
    )
    assert answer.status_code == 200


async def test_own_routes_are_closed_without_a_token(clinic_a: Clinic) -> None:
    for method, path in (
        ("GET", "/api/v1/auth/me"),
        ("POST", "/api/v1/auth/logout"),
        ("POST", "/api/v1/auth/me/password"),
        ("GET", "/api/v1/auth/sessions"),
        ("GET", "/api/personnel/auth/me"),
        ("POST", "/api/personnel/auth/logout"),
        ("GET", "/api/usuarios/"),
        ("GET", "/api/v1/users"),
    ):
        answer = await clinic_a.request(method, path, role=None)
        assert answer.status_code == 401, path
        assert answer.headers["WWW-Authenticate"].startswith("Bearer"), path
