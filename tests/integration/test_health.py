"""Probes, and the ping of one clinic's database."""

import httpx
import pytest

from clinics import Clinic


async def test_the_root_says_what_answers(api: httpx.AsyncClient) -> None:
    answer = await api.get("/")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert answer.json()["release"]


async def test_live_asks_nobody(api: httpx.AsyncClient) -> None:
    assert (await api.get("/health/live")).json() == {"status": "ok"}


async def test_ready_shows_release_postgresql_and_revisions(api: httpx.AsyncClient) -> None:
    answer = await api.get("/health/ready")
    assert answer.status_code == 200
    report = answer.json()
    assert report["status"] == "ready"
    assert int(report["postgresql"].split(".")[0]) >= 15
    for tree in ("registry", "tenant"):
        assert report[tree]["installed"] == report[tree]["newest"]


async def test_ping_reaches_the_database_of_the_host(clinic_a: Clinic) -> None:
    answer = await clinic_a.get("/me", role=None)
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}


async def test_ping_without_a_clinic_is_refused(api: httpx.AsyncClient) -> None:
    answer = await api.get("http://127.0.0.1/me")
    assert answer.status_code == 400
    assert answer.json()["code"] == "tenant_not_resolved"


async def test_ping_of_an_unknown_clinic_is_404(api: httpx.AsyncClient) -> None:
    answer = await api.get("/me", headers={"Host": "nobody-here.localhost"})
    assert answer.status_code == 404
    assert answer.json()["code"] == "tenant_not_found"


@pytest.mark.parametrize("path", ["/health/live", "/health/live/"])
async def test_a_trailing_slash_makes_no_difference(api: httpx.AsyncClient, path: str) -> None:
    assert (await api.get(path)).status_code == 200
