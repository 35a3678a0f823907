"""Moves from the command line, as processes on a real data directory: with a server beside them and without."""

import asyncio
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from app.postgres import EmbeddedServer
from served import CLINIC, Served, environment, run_clinic, serving
from servers import throw_away_directory

STEP_S_MAX = 60


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with throw_away_directory() as directory:
        done = run_clinic(directory, "migrate")
        assert done.returncode == 0, done.stderr
        yield directory


@pytest.fixture(scope="module")
def served(data_dir: Path) -> Iterator[Served]:
    with serving(data_dir) as server:
        yield server


def made(data_dir: Path, slug: str, plan: str = "empresa") -> str:
    terms = ("--name", slug, "--slug", slug, "--admin-email", "a@b.example", "--plan", plan)
    answer_of(data_dir, "tenants", "create", *terms, "--strategy", "row")
    return slug


def answer_of(data_dir: Path, *arguments: str, code: int = 0) -> Any:
    done = run_clinic(data_dir, *arguments, "--json")
    assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


def refusal_of(data_dir: Path, *arguments: str) -> str:
    """The one line that a command fails with."""
    done = run_clinic(data_dir, *arguments)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("clinic: ")
    return line.removeprefix("clinic: ")


def strategy_of(data_dir: Path, slug: str) -> str:
    return str(answer_of(data_dir, "tenants", "show", slug)["strategy"])


def test_a_planned_move_is_given_up_without_a_server(data_dir: Path) -> None:
    slug = made(data_dir, "given-up")
    move = ("tenants", "move", slug, "--to", "schema")
    foreseen = run_clinic(data_dir, *move, "--dry-run")
    assert foreseen.returncode == 0, foreseen.stderr
    assert "Nothing speaks against it" in foreseen.stdout
    assert "takes  about 1.0 s" in foreseen.stdout
    assert "some tens of milliseconds for writes" in foreseen.stdout.replace(
        " (docs/soak-moves.md)", ""
    )
    assert answer_of(data_dir, "moves", "list") == []

    planned = run_clinic(data_dir, *move, "--detach")
    assert planned.returncode == 0, planned.stderr
    assert "moves resume" in planned.stderr
    assert "is running" in refusal_of(data_dir, *move)
    assert answer_of(data_dir, "moves", "abort", slug)["status"] == "aborted"
    assert strategy_of(data_dir, slug) == "row"
    assert answer_of(data_dir, "doctor")["findings"] == []


def test_a_clinic_is_moved_and_brought_back(served: Served) -> None:
    data_dir = served.data_dir
    slug = made(data_dir, "there-and-back")
    moved = answer_of(data_dir, "tenants", "move", slug, "--to", "schema")
    assert (moved["status"], moved["source"]["strategy"]) == ("grace", "row")
    assert moved["report"]["pause_ms"] > 0
    assert {table["name"]: table["rows"] for table in moved["report"]["tables"]}["branch"] == 1
    assert strategy_of(data_dir, slug) == "schema"
    found = httpx.get(
        f"{served.url}/api/tenants/validate", headers={"Host": f"{slug}.localhost"}, timeout=10
    )
    assert slug in found.text

    shown = answer_of(data_dir, "moves", "show", slug)
    assert (shown["id"], shown["status"]) == (moved["id"], "grace")
    assert moved["id"] in {row["id"] for row in answer_of(data_dir, "moves", "list")}
    told = run_clinic(data_dir, "moves", "show", moved["id"])
    assert f"clinic moves rollback {slug}" in told.stdout
    # Nothing is to be done for it: it says so and ends.
    assert answer_of(data_dir, "moves", "resume", slug)["status"] == "grace"

    back = answer_of(data_dir, "moves", "rollback", slug)
    assert (back["status"], back["report"]["rollback_pause_ms"] > 0) == ("rolled_back", True)
    assert strategy_of(data_dir, slug) == "row"
    assert refusal_of(data_dir, "moves", "rollback", slug) == "the move is rolled_back"
    assert "has ended" in refusal_of(data_dir, "moves", "resume", moved["id"])


def test_a_move_is_finished_and_nothing_is_left(served: Served) -> None:
    data_dir = served.data_dir
    slug = made(data_dir, "finished")
    moved = run_clinic(data_dir, "tenants", "move", slug, "--to", "database", "--grace", "1.5")
    assert moved.returncode == 0, moved.stderr
    for word in ("HASH", "pause", f"clinic moves finish {slug}"):
        assert word in moved.stdout
    kept = refusal_of(data_dir, "tenants", "move", slug, "--to", "row", "--keep-way-back")
    assert "is grace" in kept
    assert answer_of(data_dir, "moves", "finish", slug)["status"] == "finished"
    at_once = answer_of(data_dir, "tenants", "move", slug, "--to", "row", "--grace", "0")
    assert at_once["status"] == "finished"
    assert answer_of(data_dir, "doctor")["findings"] == []


def test_a_refused_move_says_why(served: Served) -> None:
    data_dir = served.data_dir
    slug = made(data_dir, "refused", plan="basico")
    move = ("tenants", "move", slug)
    why = "plan basico does not allow database"
    assert refusal_of(data_dir, *move, "--to", "database") == why
    foreseen = answer_of(data_dir, *move, "--to", "database", "--dry-run", code=1)
    assert foreseen["report"]["refusals"] == [why]
    told = run_clinic(data_dir, *move, "--to", "database", "--dry-run")
    assert (told.returncode, f"REFUSED  {why}" in told.stdout) == (1, True)
    assert refusal_of(data_dir, *move, "--to", "row") == "the clinic is there already"
    assert "server" in refusal_of(data_dir, *move, "--to", "schema", "--server", "nowhere")
    assert "No clinic" in refusal_of(data_dir, "tenants", "move", "nobody", "--to", "row")
    assert refusal_of(data_dir, "moves", "show", slug) == "the clinic was never moved"
    assert "neither" in refusal_of(data_dir, "moves", "abort", "nobody")
    assert run_clinic(data_dir, *move, "--to", "moon").returncode == 2
    of_no_use = refusal_of(data_dir, *move, "--to", "schema", "--offline", "--grace", "24")
    assert "no way back to keep" in of_no_use


def test_an_interrupted_move_can_be_resumed(served: Served) -> None:
    data_dir = served.data_dir
    slug = made(data_dir, "interrupted")
    with moves_held_up(data_dir):
        process = subprocess.Popen(
            [CLINIC, "tenants", "move", slug, "--to", "schema"],
            env=environment(data_dir, {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_for_phase(data_dir, slug, "published")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=STEP_S_MAX)
    assert process.returncode == 130, said
    assert "clinic moves resume" in said
    assert "Traceback" not in said
    assert answer_of(data_dir, "moves", "resume", slug)["status"] == "grace"
    assert strategy_of(data_dir, slug) == "schema"


@contextmanager
def moves_held_up(data_dir: Path) -> Iterator[None]:
    """A slot waits for every write that runs when it is made; this one runs until the end of the block."""
    server = EmbeddedServer(data_dir)
    server.attach()
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(**(server.administrator)))
        runner.run(connection.execute("BEGIN; SELECT pg_current_xact_id()"))
        try:
            yield
        finally:
            runner.run(connection.close())


def wait_for_phase(data_dir: Path, slug: str, phase: str) -> None:
    deadline = time.monotonic() + STEP_S_MAX
    while True:
        shown = run_clinic(data_dir, "moves", "show", slug, "--json")
        if shown.returncode == 0 and json.loads(shown.stdout)["phase"] == phase:
            return
        assert time.monotonic() < deadline, shown
