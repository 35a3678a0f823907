"""Somebody who talks to one clinic from an address of their own, so that login limits of tests do not meet."""

import secrets
from typing import Any

import httpx
from litestar import Litestar

from clinics import Clinic


class Visitor:
    """A client at a clinic's host name with the tokens of one login."""

    def __init__(self, app: Litestar, clinic: Clinic, address: str | None = None) -> None:
        self.clinic = clinic
        self.address = (
            address
            or f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{secrets.randbelow(256)}"
        )
        transport = httpx.ASGITransport(
            app=app, client=(self.address, 40_000), raise_app_exceptions=False
        )
        self.http = httpx.AsyncClient(transport=transport, base_url=f"http://{clinic.host}")
        self.access = ""
        self.refresh_token = ""

    async def try_login(
        self, name: str, password: str | None = None, path: str = "/api/v1/auth/login"
    ) -> httpx.Response:
        """Log in and keep the tokens of a success."""
        body = {"username": name, "password": password or self.clinic.password}
        answer = await self.http.post(path, json=body)
        if answer.status_code == 200:
            self.access, self.refresh_token = answer.json()["access"], answer.json()["refresh"]
        return answer

    async def login(self, name: str, password: str | None = None) -> "Visitor":
        answer = await self.try_login(name, password)
        assert answer.status_code == 200, answer.text
        return self

    async def exchange(self, token: str | None = None) -> httpx.Response:
        """Send a refresh token, the visitor's own unless another is given; keeps nothing."""
        body = {"refresh": token or self.refresh_token}
        return await self.http.post("/api/v1/auth/refresh", json=body)

    async def renew(self) -> "Visitor":
        """Refresh and keep the new tokens."""
        answer = await self.exchange()
        assert answer.status_code == 200, answer.text
        self.access, self.refresh_token = answer.json()["access"], answer.json()["refresh"]
        return self

    async def send(
        self, method: str, path: str, *, access: str | None = None, **options: Any
    ) -> httpx.Response:
        """Send a request with the visitor's access token, or with another one."""
        headers = {"Authorization": f"Bearer {access or self.access}", **options.pop("headers", {})}
        return await self.http.request(method, path, headers=headers, **options)

    async def me(self, access: str | None = None) -> httpx.Response:
        return await self.send("GET", "/api/v1/auth/me", access=access)
