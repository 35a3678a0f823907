"""What tests of users send: bodies, actions, roles."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from clinics import Clinic

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
