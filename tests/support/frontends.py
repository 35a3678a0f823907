"""The earlier systems' frontends, typed after their code and not after ours."""

from typing import Any

import httpx

API_HOST = "clinica-dental-backend.example"
"""Where the dental system's frontend calls: no clinic's own host name."""


class DjangoAuthClient:
    """`src/lib/auth/django-client.ts` and `src/lib/api-client.ts` of the occupational system.

    It stores the first refresh token and never another one: of a refresh it reads `access` alone.
    """

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.storage: dict[str, str] = {}
        self.location = "/"

    async def login(self, username: str, password: str) -> dict[str, Any]:
        response = await self._http.post(
            "/api/personnel/auth/login", json={"username": username, "password": password}
        )
        data = response.raise_for_status().json()
        self.storage = {"access": data["access"], "refresh": data["refresh"]}
        return dict(data)

    async def refresh(self) -> str:
        body = {"refresh": self.storage["refresh"]}
        response = await self._http.post("/api/personnel/auth/refresh", json=body)
        self.storage["access"] = response.raise_for_status().json()["access"]
        return self.storage["access"]

    async def get_current_user(self) -> dict[str, Any]:
        return dict((await self.call("GET", "/api/personnel/auth/me")).raise_for_status().json())

    async def logout(self) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.storage['access']}"}
        response = await self._http.post("/api/personnel/auth/logout", json={}, headers=headers)
        self.storage.clear()
        return dict(response.raise_for_status().json())

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request; after a 401, refresh once and send it again, or go to the login page."""
        response = await self._send(method, path, **options)
        if response.status_code != 401:
            return response
        try:
            await self.refresh()
        except httpx.HTTPStatusError:
            self.storage.clear()
            self.location = "/ingreso"
            raise
        return await self._send(method, path, **options)

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.storage['access']}"}
        return await self._http.request(method, path, headers=headers, **options)


class DentalFrontend:
    """The calls of the dental system's web and mobile frontends: one host for all, `X-Tenant-ID` says which clinic."""

    def __init__(self, api: httpx.AsyncClient, tenant_id: str) -> None:
        self._api = api
        self._headers = {
            "Host": API_HOST,
            "Content-Type": "application/json",
            "X-Tenant-ID": tenant_id,
        }

    async def login(self, email: str, password: str) -> httpx.Response:
        body = {"email": email, "password": password}
        answer = await self._api.post("/api/token/", headers=self._headers, json=body)
        if answer.is_success:
            self._headers["Authorization"] = f"Bearer {answer.json()['access']}"
        return answer

    async def create_cita(self, cita: dict[str, Any]) -> httpx.Response:
        return await self._api.post("/api/agenda/citas/", headers=self._headers, json=cita)

    async def get(self, path: str) -> httpx.Response:
        return await self._api.get(path, headers=self._headers)
