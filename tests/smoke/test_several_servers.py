"""`clinic servers add` on a second real server: clinics of each strategy live there, and its failures stay its own."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from clinic_walk import walk_through
from second_server import SecondServer, open_second_server, second_server
from served import Served, SignedUp, free_port, run_clinic, serving
from servers import throw_away_directory
from tenancy.tenant import StrategyName

CONNECTIONS = 100
"""Enough for two workers on the second server, not for three; the main server has enough for those too."""


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with throw_away_directory() as directory:
        yield directory


@pytest.fixture(scope="module")
def second() -> Iterator[SecondServer]:
    with second_server(max_connections=str(CONNECTIONS)) as server:
        yield server


@pytest.fixture(scope="module")
def added(data_dir: Path, second: SecondServer) -> dict[str, Any]:
    """What the command says of the second server."""
    assert run_clinic(data_dir, "migrate").returncode == 0
    return answer_of(data_dir, "servers", "add", "second", "--url", second.url)


def answer_of(data_dir: Path, *arguments: str) -> Any:
    done = run_clinic(data_dir, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def made_on(served: Served, server: str, strategy: StrategyName) -> SignedUp:
    """Make a clinic there by command, and log in as its administrator."""
    slug = f"c{secrets.token_hex(5)}"
    arguments = ["--name", f"Clinic {slug}", "--slug", slug, "--plan", "empresa"]
    arguments += ["--admin-email", f"admin@{slug}.example"]
    arguments += ["--strategy", strategy, "--server", server]
    made = answer_of(served.data_dir, "tenants", "create", *arguments)
    assert (made["server"], made["strategy"]) == (server, strategy)
    async with httpx.AsyncClient(base_url=served.url, timeout=30) as http:
        clinic = SignedUp(http, slug)
        clinic.password = made["temporary_password"]
        await clinic.enter()
        await clinic.change_password("a better password")
        await walk_through(clinic)
    return clinic


def refused(data_dir: Path, *arguments: str) -> str:
    done = run_clinic(data_dir, *arguments)
    assert done.returncode == 1, done.stdout
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "internal error" not in done.stderr
    return done.stderr


@pytest.mark.usefixtures("added")
def test_workers_must_fit_into_every_server(data_dir: Path) -> None:
    line = refused(data_dir, "serve", "--port", str(free_port()), "--workers", "3")
    assert "3 workers may need 120 connections and PostgreSQL of server second gives 97" in line


@pytest.mark.usefixtures("added")
async def test_server_that_is_down_takes_only_its_own_clinics_down(data_dir: Path) -> None:
    """The last test: it leaves a server registered that is gone."""
    async with open_second_server("third") as third:
        answer_of(data_dir, "servers", "add", "third", "--url", third.url)
        with serving(data_dir) as served:
            there = await made_on(served, "third", StrategyName.SCHEMA)
            here = await made_on(served, "main", StrategyName.ROW)
    said_before = (data_dir / "served.log").stat().st_size
    with serving(data_dir) as served:
        said = (data_dir / "served.log").read_text()[said_before:]
        warnings = [line for line in said.splitlines() if line.startswith("Server third ")]
        assert len(warnings) == 1, said
        assert "its 1 clinics are unavailable until it can" in warnings[0]
        async with httpx.AsyncClient(base_url=served.url, timeout=30) as http:
            assert (await here.login(http)).status_code == 200
            gone = await there.login(http)
            assert (gone.status_code, gone.json()["code"]) == (503, "server_unavailable")
    examined = run_clinic(data_dir, "doctor", "--json")
    assert examined.returncode == 1
    findings = json.loads(examined.stdout)["findings"]
    assert {finding["place"] for finding in findings} == {"third"}
    assert "cannot be reached" in findings[0]["problem"]
