"""`clinic serve` for real: two server processes, one port, one embedded PostgreSQL, started and ended from outside."""

import asyncio
import json
import os
import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.postgres.record import read_record
from populate import Population, populate
from served import Served, SignedUp, run_clinic, serving, wait_until_gone
from servers import throw_away_directory

PARALLEL_BOOKINGS = 50
PARALLEL_REPEATS = 20
BOOKINGS_S_MAX = 5.0
FRESH_CONNECTIONS = 24
"""The kernel gives each connection to one of two processes: all to one of them happens once in eight million times."""

RESPAWN_S_MAX = 20.0
ORPHANS_S_MAX = 10.0

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="finds processes by /proc")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with throw_away_directory() as directory, serving(directory) as server:
        yield server


@pytest.fixture
async def http(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=PARALLEL_BOOKINGS)
    async with httpx.AsyncClient(base_url=served.url, limits=limits, timeout=30) as client:
        yield client


@pytest.fixture
async def clinic(http: httpx.AsyncClient) -> SignedUp:
    return await SignedUp(http, f"c{secrets.token_hex(5)}").sign_up()


async def on_fresh_connections(
    served: Served, ask: Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]
) -> list[httpx.Response]:
    """Ask on connections that were never used before, so that both processes answer."""
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(httpx.AsyncClient(base_url=served.url, timeout=30))
            for _ in range(FRESH_CONNECTIONS)
        ]
        return await asyncio.gather(*(ask(client) for client in clients))


async def test_clinic_that_signed_up_can_log_in_through_every_process_at_once(
    served: Served, http: httpx.AsyncClient
) -> None:
    """Also through those that have just remembered that there is no such clinic."""
    clinic = SignedUp(http, f"c{secrets.token_hex(5)}")
    unknown = await on_fresh_connections(served, clinic.login)
    assert {answer.status_code for answer in unknown} == {404}
    await clinic.sign_up()
    known = await on_fresh_connections(served, clinic.login)
    assert Counter(answer.status_code for answer in known) == {200: FRESH_CONNECTIONS}
    read = await on_fresh_connections(
        served, lambda client: clinic.get("/api/v1/branches", http=client)
    )
    assert {len(answer.json()["items"]) for answer in read} == {1}


async def test_logout_and_suspension_reach_every_process(served: Served, clinic: SignedUp) -> None:
    """The one within the request, the other as soon as the registry has told."""
    second = (await clinic.login()).json()["access"]
    assert (await clinic.post("/api/personnel/auth/logout", {})).status_code == 200
    answers = await on_fresh_connections(
        served, lambda client: clinic.get("/api/v1/auth/me", http=client)
    )
    assert {answer.status_code for answer in answers} == {401}

    clinic.access = second
    suspended = run_clinic(served.data_dir, "tenants", "suspend", clinic.slug)
    assert suspended.returncode == 0, suspended.stderr
    await asyncio.sleep(1)

    async def write(client: httpx.AsyncClient) -> httpx.Response:
        return await clinic.post("/api/v1/service-categories", {"name": "x"}, http=client)

    answers = await on_fresh_connections(served, write)
    assert {answer.json()["code"] for answer in answers} == {"tenant_suspended"}


async def test_head_over_the_wire_has_the_length_and_no_body(http: httpx.AsyncClient) -> None:
    """A body after all would be read as the beginning of the next answer on the connection."""
    got = await http.get("/docs")
    for path in ("/docs", "/nope", "/docs"):
        assert (head := await http.head(path)).content == b""
    assert head.headers["content-length"] == str(len(got.content))


async def patients_of(clinic: SignedUp, count: int) -> list[str]:
    person = {"given_names": "Luis", "family_name": "Rojas"}
    made = await asyncio.gather(*(clinic.post("/api/v1/patients", person) for _ in range(count)))
    assert {answer.status_code for answer in made} == {201}
    return [answer.json()["id"] for answer in made]


def booking(made: Population, patient_id: str) -> dict[str, Any]:
    return {
        "patient_id": patient_id,
        "practitioner_id": made.ids["practitioner"],
        "branch_id": made.ids["branch"],
        **made.slot(),
    }


async def test_one_of_fifty_parallel_bookings_wins_through_two_processes(
    clinic: SignedUp,
) -> None:
    made = await populate(clinic)
    patients = await patients_of(clinic, PARALLEL_BOOKINGS)
    slot = made.slot()
    bodies = [{**booking(made, patient), **slot} for patient in patients]
    begun = time.monotonic()
    answers = await asyncio.gather(*(clinic.post("/api/v1/appointments", body) for body in bodies))
    needed_s = time.monotonic() - begun
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses == {201: 1, 409: PARALLEL_BOOKINGS - 1}
    refused = [answer.json() for answer in answers if answer.status_code == 409]
    assert {problem["code"] for problem in refused} == {"appointment_conflict"}
    assert needed_s < BOOKINGS_S_MAX


async def test_parallel_repeats_under_one_key_are_one_booking(clinic: SignedUp) -> None:
    made = await populate(clinic)
    body = booking(made, made.ids["patient"])
    headers = {"Idempotency-Key": secrets.token_hex(16)}
    answers = await asyncio.gather(
        *(
            clinic.post("/api/v1/appointments", body, headers=headers)
            for _ in range(PARALLEL_REPEATS)
        )
    )
    assert Counter(answer.status_code for answer in answers) == {201: PARALLEL_REPEATS}
    assert len({answer.content for answer in answers}) == 1
    assert len({answer.headers["location"] for answer in answers}) == 1
    replayed = Counter(answer.headers.get("idempotency-replayed", "false") for answer in answers)
    assert replayed == {"false": 1, "true": PARALLEL_REPEATS - 1}
    found = await clinic.get("/api/v1/appointments", params={"from": body["starts_at"][:10]})
    starts = [item["starts_at"][:19] for item in found.json()["items"]]
    assert starts.count(body["starts_at"]) == 1


@linux_only
async def test_killed_process_is_replaced_and_no_data_are_lost(
    served: Served, clinic: SignedUp
) -> None:
    before = served.workers()
    assert len(before) == 2
    os.kill(before[0], signal.SIGKILL)
    deadline = time.monotonic() + RESPAWN_S_MAX
    while len(set(served.workers()) - {before[0]}) < 2:
        assert time.monotonic() < deadline, served.said()
        await asyncio.sleep(0.1)
    served.wait_until_ready()
    answers = await on_fresh_connections(served, clinic.login)
    assert {answer.status_code for answer in answers} == {200}


async def test_commands_act_on_the_running_server(served: Served, clinic: SignedUp) -> None:
    listed = run_clinic(served.data_dir, "tenants", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    assert clinic.slug in [row["slug"] for row in json.loads(listed.stdout)]
    slug = f"c{secrets.token_hex(5)}"
    made = run_clinic(
        served.data_dir, "tenants", "create", "--name", slug, "--slug", slug,
        "--admin-email", "admin@test.com", "--strategy", "database", "--json",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    pings = await on_fresh_connections(
        served, lambda client: client.get("/me", headers={"Host": f"{slug}.localhost"})
    )
    assert {answer.status_code for answer in pings} == {200}
    doctor = run_clinic(served.data_dir, "doctor")
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr
    assert read_record(served.data_dir) is not None, "the commands have left it running"


async def test_second_server_does_not_share_the_port(served: Served) -> None:
    """The processes of one server do, so the system would let a stranger in among them."""
    with throw_away_directory() as directory:
        refused = run_clinic(directory, "serve", "--port", str(served.port))
        assert refused.returncode != 0
        assert f"port {served.port} on 127.0.0.1 is in use" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
        assert list(directory.glob("postgres*")) == []


async def signed_up_at(served: Served) -> SignedUp:
    async with httpx.AsyncClient(base_url=served.url, timeout=30) as http:
        return await SignedUp(http, f"c{secrets.token_hex(5)}").sign_up()


async def logs_in_at(served: Served, clinic: SignedUp) -> bool:
    async with httpx.AsyncClient(base_url=served.url, timeout=30) as http:
        return (await clinic.login(http)).status_code == 200


async def patients_written_while_stopping(served: Served, clinic: SignedUp) -> int:
    """Send many requests and stop the server among them; return how many of them were answered with a success."""
    body = {"given_names": "Luis", "family_name": "Rojas"}
    async with httpx.AsyncClient(base_url=served.url, timeout=30) as http:
        sent = [
            asyncio.create_task(clinic.post("/api/v1/patients", body, http=http))
            for _ in range(PARALLEL_BOOKINGS)
        ]
        await asyncio.wait(sent, return_when=asyncio.FIRST_COMPLETED)
        stopping = asyncio.create_task(asyncio.to_thread(served.stop))
        answers = await asyncio.gather(*sent, return_exceptions=True)
        assert await stopping in {0, 143}
    told = [answer for answer in answers if isinstance(answer, httpx.Response)]
    assert {answer.status_code for answer in told} <= {201, 503}
    return sum(answer.status_code == 201 for answer in told)


async def test_stop_ends_everything_and_loses_nothing() -> None:
    with throw_away_directory() as directory:
        with serving(directory) as served:
            clinic = await signed_up_at(served)
            record = read_record(directory)
            assert record is not None
            written = await patients_written_while_stopping(served, clinic)
            assert written > 0
            wait_until_gone(record.pid, Path(record.cluster))
            assert read_record(directory) is None
            async with httpx.AsyncClient(base_url=served.url) as http:
                with pytest.raises(httpx.ConnectError):
                    await http.get("/health/live")
        with serving(directory, port=served.port) as again:
            assert await logs_in_at(again, clinic)
            async with httpx.AsyncClient(base_url=again.url, timeout=30) as http:
                listed = await clinic.get("/api/v1/patients", params={"limit": 100}, http=http)
            assert len(listed.json()["items"]) >= written


@linux_only
async def test_next_start_after_a_kill_takes_over_what_still_runs() -> None:
    with throw_away_directory() as directory, serving(directory) as killed:
        clinic = await signed_up_at(killed)
        record = read_record(directory)
        workers = killed.workers()
        killed.process.kill()
        killed.process.wait()
        deadline = time.monotonic() + ORPHANS_S_MAX
        while any(is_alive(pid) for pid in workers):
            assert time.monotonic() < deadline, "the server processes outlive their parent"
            await asyncio.sleep(0.1)
        with serving(directory, port=killed.port) as again:
            assert read_record(directory).pid == record.pid, "PostgreSQL went on running"
            assert await logs_in_at(again, clinic)
            assert again.stop() in {0, 143}
            wait_until_gone(record.pid, Path(record.cluster))


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that is dead and not yet reaped does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
