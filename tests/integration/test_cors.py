"""Browser pages of a registered clinic may call its API; others may not."""

import httpx

from clinics import Clinic


async def test_the_page_of_a_clinic_may_call(api: httpx.AsyncClient, clinic_a: Clinic) -> None:
    origin = f"http://{clinic_a.host}:5173"
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    preflight = await api.options("/api/personnel/auth/login", headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == origin
    answer = await clinic_a.get("/api/v1/settings/ai", headers={"Origin": origin})
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-credentials"] == "true"
    refused = await clinic_a.get("/api/v1/users", role=None, headers={"Origin": origin})
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == origin


async def test_the_page_of_nobody_may_not(clinic_a: Clinic) -> None:
    for origin in ("http://nobody.localhost:5173", "https://evil.example", "null"):
        answer = await clinic_a.get("/api/v1/settings/ai", headers={"Origin": origin})
        assert "access-control-allow-origin" not in answer.headers
