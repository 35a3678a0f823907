"""`clinic servers add` on a second real server: clinics of each strategy live there, and its failures stay its own."""

import asyncio
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import asyncpg
import httpx
import pytest
from click.testing import CliRunner

from app.cli import clinic as clinic_command
from app.cli.edge import one_line
from clinic_walk import walk_through
from second_server import SecondServer, open_second_server, second_server
from served import Served, SignedUp, environment, free_port, run_clinic, serving
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


def ask(server: SecondServer, statement: str, *values: Any) -> Any:
    async def answer() -> Any:
        connection = await asyncpg.connect(**server.administrator)
        try:
            return await connection.fetchval(statement, *values)
        finally:
            await connection.close()

    return asyncio.run(answer())


def execute(server: SecondServer, script: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(**server.administrator)
        await connection.execute(script)
        await connection.close()

    asyncio.run(run())


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


def test_server_that_was_added_is_fully_prepared(
    added: dict[str, Any], second: SecondServer
) -> None:
    assert (added["name"], added["host"], added["clinics"]) == ("second", "127.0.0.1", 0)
    assert ask(second, "SELECT count(*) FROM pg_database WHERE datname = 'clinic_pool'") == 1
    powers = (
        "SELECT rolreplication AND rolbypassrls AND NOT rolsuper"
        " AND has_parameter_privilege(rolname, 'session_replication_role', 'SET')"
        " FROM pg_roles WHERE rolname = 'clinic_mover'"
    )
    assert ask(second, powers)
    assert ask(second, "SELECT pg_has_role('clinic_migrator', 'clinic_owner', 'MEMBER')")
    assert ask(second, "SHOW wal_level") == "logical"


@pytest.mark.usefixtures("added")
async def test_clinics_of_each_strategy_work_there(data_dir: Path) -> None:
    with serving(data_dir) as served:
        for strategy in StrategyName:
            await made_on(served, "second", strategy)
        await made_on(served, "main", StrategyName.ROW)
    diagnosis = answer_of(data_dir, "doctor")
    assert diagnosis["servers"] == ["main", "second"]
    assert diagnosis["clinics"] == 4
    assert diagnosis["findings"] == []
    homes = answer_of(data_dir, "migrate", "--every")
    assert [home["server"] for home in homes].count("second") == 3
    assert {home["error"] for home in homes} == {None}


def refused(data_dir: Path, *arguments: str) -> str:
    done = run_clinic(data_dir, *arguments)
    assert done.returncode == 1, done.stdout
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "internal error" not in done.stderr
    return done.stderr


@pytest.mark.usefixtures("added")
def test_server_that_cannot_be_added_is_told_why(data_dir: Path, second: SecondServer) -> None:
    add = ("servers", "add")
    nowhere = "postgresql://postgres:hush-hush@127.0.0.1:1/postgres"
    line = refused(data_dir, *add, "third", "--url", nowhere)
    assert "cannot use the server at 127.0.0.1:1" in line
    assert "hush-hush" not in line
    assert "'The Third' cannot be a server's name" in refused(
        data_dir, *add, "The Third", "--url", second.url
    )
    assert "there is a server second already" in refused(
        data_dir, *add, "second", "--url", second.url
    )
    # By another name of the same machine too.
    elsewhere = second.url.replace("127.0.0.1", "localhost")
    assert "is registered already, as second" in refused(
        data_dir, *add, "third", "--url", elsewhere
    )
    assert [row["name"] for row in answer_of(data_dir, "servers", "list")] == ["main", "second"]


def test_server_whose_roles_are_missing_or_that_is_too_small_is_refused() -> None:
    with throw_away_directory() as data_dir, second_server("small", max_connections="50") as small:
        assert run_clinic(data_dir, "migrate").returncode == 0
        add = ("servers", "add", "small", "--url")
        line = refused(data_dir, *add, small.url)
        assert "may need 84 connections and PostgreSQL of server small gives 47" in line
        # For one clinic it has room; who it is that adds it may do nothing.
        ask(small, "CREATE ROLE nobody LOGIN PASSWORD 'pw'")
        url = f"postgresql://nobody:pw@127.0.0.1:{small.address.port}/postgres"
        line = refused(data_dir, *add, url, "--capacity", "1", "--tier", "dedicated")
        assert "clinic servers roles-sql" in line
        assert ask(small, "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'clinic%'") == 0


def test_server_that_is_too_old_is_refused(
    data_dir: Path, added: dict[str, Any], second: SecondServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.postgres.external.MAJOR_MIN", 99)
    with mock.patch.dict(os.environ, environment(data_dir, {}), clear=True):
        done = CliRunner().invoke(clinic_command, ["servers", "add", "old", "--url", second.url])
    assert done.exception is not None
    place = f"the server at 127.0.0.1:{second.address.port}"
    assert one_line(done.exception).startswith(f"{place} is PostgreSQL 18.")
    assert "99 or newer is needed" in one_line(done.exception)


@pytest.mark.usefixtures("added")
def test_workers_must_fit_into_every_server(data_dir: Path) -> None:
    line = refused(data_dir, "serve", "--port", str(free_port()), "--workers", "3")
    assert "3 workers may need 126 connections and PostgreSQL of server second gives 97" in line


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
