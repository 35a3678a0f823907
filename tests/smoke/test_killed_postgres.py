"""The embedded PostgreSQL is killed under `clinic serve`: it comes back by itself, and meanwhile the answer is 503."""

import asyncio
import os
import secrets
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from app.postgres.record import ServerRecord, read_record
from app.postgres.watch import RESTARTS_MAX
from served import Served, SignedUp, serving, wait_until_gone
from servers import throw_away_directory

BACK_S_MAX = 60.0
DOWN_S_MAX = 20.0

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes by /proc")


def kill_postgres(served: Served) -> ServerRecord:
    record = read_record(served.data_dir)
    assert record is not None
    os.kill(record.pid, signal.SIGKILL)
    wait_until_gone(record.pid, Path(record.cluster))
    return record


async def write_until_it_works(clinic: SignedUp, written: list[str]) -> Counter[tuple[int, str]]:
    """Write until the server works again; return what was answered, and add to `written` what was accepted."""
    told: Counter[tuple[int, str]] = Counter()
    in_a_row, deadline = 0, time.monotonic() + BACK_S_MAX
    while in_a_row < 20:
        assert time.monotonic() < deadline, told
        person = {"given_names": "Luis", "family_name": secrets.token_hex(6)}
        answer = await clinic.post("/api/v1/patients", person)
        told[answer.status_code, answer.json().get("code", "")] += 1
        in_a_row = in_a_row + 1 if answer.status_code == 201 else 0
        if answer.status_code == 201:
            written.append(answer.json()["id"])
        else:
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["retry-after"]) >= 1
            await asyncio.sleep(0.05)
    return told


async def test_killed_postgresql_comes_back_and_what_was_answered_is_kept() -> None:
    with throw_away_directory() as directory, serving(directory) as served:
        workers = set(served.workers())
        async with httpx.AsyncClient(base_url=served.url, timeout=30) as http:
            clinic = await SignedUp(http, f"c{secrets.token_hex(5)}").sign_up()
            written: list[str] = []
            await write_until_it_works(clinic, written)
            for _ in range(2):
                killed = kill_postgres(served)
                told = await write_until_it_works(clinic, written)
                assert sum(n for (status, _), n in told.items() if status == 503) > 0
                again = read_record(directory)
                assert again is not None
                assert again.pid != killed.pid
                assert again.socket_directory == killed.socket_directory
            for patient_id in written:
                found = await clinic.get(f"/api/v1/patients/{patient_id}")
                assert found.status_code == 200, found.text
        assert set(served.workers()) == workers
        log = (directory / "served.log").read_text()
        assert log.count("PostgreSQL has died: starting it again") == 2
        assert log.count("PostgreSQL runs again") == 2
        assert served.stop() in {0, 143}
        wait_until_gone(again.pid, Path(again.cluster))
        assert read_record(directory) is None


async def test_postgresql_that_cannot_start_is_given_up_and_the_end_is_in_order() -> None:
    with throw_away_directory() as directory, serving(directory) as served:
        async with httpx.AsyncClient(base_url=served.url, timeout=30) as http:
            clinic = await SignedUp(http, f"c{secrets.token_hex(5)}").sign_up()
            record = read_record(directory)
            assert record is not None
            (Path(record.cluster) / "global/pg_control").rename(directory / "pg_control")
            kill_postgres(served)
            for path in ("/api/v1/branches", "/health/ready"):
                # Connections live on until they have noticed, and readiness is remembered for a moment.
                deadline = time.monotonic() + DOWN_S_MAX
                while (answer := await clinic.get(path)).status_code == 200:
                    assert time.monotonic() < deadline, path
                    await asyncio.sleep(0.1)
                assert (answer.status_code, answer.json()["code"]) == (503, "server_unavailable")
                assert "retry-after" in answer.headers
            assert (await http.get("/health/live")).status_code == 200
            deadline = time.monotonic() + BACK_S_MAX
            log = directory / "served.log"
            while "in vain" not in log.read_text():
                assert time.monotonic() < deadline, served.said()
                await asyncio.sleep(0.2)
            assert log.read_text().count("has died: starting it again") == RESTARTS_MAX
        assert served.stop() in {0, 143}
