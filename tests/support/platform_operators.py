"""Operators for tests: made in the registry, logged in through the API."""

import secrets
from typing import Any

import httpx

from auth.passwords import PasswordHasher
from tenancy.registry.records import SYSTEM
from tenancy.runtime import Tenancy

AUTH = "/api/v1/platform/auth"
PASSWORD = "a password of an operator"


class OperatorClient:
    """An operator who is logged in."""

    def __init__(self, api: httpx.AsyncClient, email: str, tokens: dict[str, Any]) -> None:
        self._api = api
        self.email = email
        self.tokens = tokens

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens['access']}", **options.pop("headers", {})}
        return await self._api.request(method, path, headers=headers, **options)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("GET", path, **options)

    async def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return await self.request("POST", path, json=json, **options)


async def log_in(api: httpx.AsyncClient, email: str, password: str = PASSWORD) -> httpx.Response:
    return await api.post(f"{AUTH}/login", json={"email": email, "password": password})


async def operator_of(tenancy: Tenancy, api: httpx.AsyncClient, role: str) -> OperatorClient:
    """Make an operator of this role, who logs in."""
    email = f"{role}-{secrets.token_hex(4)}@platform.example"
    password_hash = await PasswordHasher(memory_kib=8192, time_cost=1).hash(PASSWORD)
    await tenancy.store.operators.add(email, password_hash, role, SYSTEM)
    answer = await log_in(api, email)
    assert answer.status_code == 200, answer.text
    return OperatorClient(api, email, answer.json())
