"""The command `clinic` as a process: it serves, other commands act on the same directory, it ends in order."""

import asyncio
import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import asyncpg
import httpx
import pytest

from app.cli import main
from app.postgres import EmbeddedServer
from servers import throw_away_directory

READY_S_MAX = 60
END_S_MAX = 40
SOURCE = Path(__file__).parents[2] / "src"
PROGRAM = [sys.executable, "-c", "from app.cli import main; main()"]


def environment(**variables):
    path = {"PYTHONPATH": str(SOURCE), "PATH": os.defpath}
    cheap = {"CLINIC_ARGON2_MEMORY_KIB": "8192", "CLINIC_ARGON2_TIME_COST": "1"}
    return {**path, **cheap, **variables}


class Ran(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def run(data_dir, *arguments, typed=""):
    """Run a command in this process: loading the program anew each time would cost seconds."""
    output, errors = io.StringIO(), io.StringIO()
    call = ["clinic", *arguments, "--data-dir", str(data_dir)]
    with (
        mock.patch.dict(os.environ, environment(), clear=True),
        mock.patch.object(sys, "argv", call),
        mock.patch.object(sys, "stdin", io.StringIO(typed)),
        mock.patch("signal.signal"),
        mock.patch("logging.basicConfig"),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
        pytest.raises(SystemExit) as end,
    ):
        main()
    return Ran(end.value.code, output.getvalue(), errors.getvalue())


def answer_of(data_dir, *arguments, **options):
    done = run(data_dir, *arguments, "--json", **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def change_pool(data_dir, sql):
    server = EmbeddedServer(data_dir)
    server.attach()

    async def change():
        arguments = {**server.administrator, "database": "clinic_pool"}
        connection = await asyncpg.connect(**arguments)
        await connection.execute(sql)
        await connection.close()

    asyncio.run(change())


class Served:
    """A `clinic serve` process with two workers."""

    def __init__(self, data_dir, port):
        self.url = f"http://127.0.0.1:{port}"
        self.log = data_dir.with_name("serve.log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*PROGRAM, "serve", "--data-dir", str(data_dir), "--port", str(port)],
                env=environment(
                    TMPDIR=str(data_dir.parent)
                ),  # one of them is killed and leaves files
                stdout=log,
                stderr=log,
            )

    def wait_until_ready(self):
        deadline = time.monotonic() + READY_S_MAX
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = self.get("/health/ready")
                if answer.status_code == 200:
                    return answer.json()
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def get(self, path, host=""):
        headers = {"Host": host} if host else {}
        return httpx.get(self.url + path, headers=headers, timeout=10)

    def end(self, number):
        self.process.send_signal(number)
        return self.process.wait(END_S_MAX)


@pytest.fixture(scope="module")
def data_dir():
    with throw_away_directory() as directory:
        yield directory / "var"


@pytest.fixture(scope="module")
def served(data_dir):
    server = Served(data_dir, free_port())
    server.wait_until_ready()
    yield server
    if server.process.poll() is None:
        server.end(signal.SIGTERM)


def test_served_release_tells_what_it_runs_on(served):
    report = served.wait_until_ready()
    assert report["postgresql"].startswith("18.")
    assert report["registry"]["installed"] == report["registry"]["newest"]


def test_clinic_made_by_command_is_served_at_once(served, data_dir):
    made = {}
    for strategy in ("row", "schema", "database"):
        names = ["--name", f"Clinic {strategy}", "--slug", f"at-{strategy}"]
        terms = ["--admin-email", "a@clinic.example", "--strategy", strategy, "--plan", "empresa"]
        created = answer_of(data_dir, "tenants", "create", *names, *terms)
        assert len(created["temporary_password"]) >= 14
        found = served.get("/api/tenants/validate", host=f"at-{strategy}.localhost")
        assert created["id"] in found.text
        made[created["slug"]] = (strategy, created["schema"], created["revision"])
    listed = answer_of(data_dir, "tenants", "list")
    assert {
        row["slug"]: (row["strategy"], row["schema"], row["revision"]) for row in listed
    } == made


@pytest.mark.usefixtures("served")
def test_suspended_clinic_can_be_resumed_once(data_dir):
    names = ["--name", "Clinic asleep", "--slug", "asleep", "--admin-email", "a@asleep.example"]
    answer_of(data_dir, "tenants", "create", *names)
    assert answer_of(data_dir, "tenants", "suspend", "asleep")["status"] == "suspended"
    assert answer_of(data_dir, "tenants", "resume", "asleep")["status"] == "trial"
    again = run(data_dir, "tenants", "resume", "asleep")
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr == "clinic: The clinic's present status does not allow this.\n"


def test_operator_logs_in_with_the_password_that_was_made_up(served, data_dir):
    created = answer_of(data_dir, "operators", "create", "--email", "op@clinic.example")
    login = {"email": "op@clinic.example", "password": created["password"]}
    answer = httpx.post(f"{served.url}/api/v1/platform/auth/login", json=login, timeout=10)
    assert answer.status_code == 200, answer.text
    weak = ["operators", "create", "--email", "b@clinic.example", "--password-stdin"]
    refused = run(data_dir, *weak, typed="ab\n")
    assert refused.returncode == 1
    assert "password_too_short" in refused.stderr


@pytest.mark.usefixtures("served")
def test_doctor_is_content_until_something_is_wrong(data_dir):
    assert answer_of(data_dir, "doctor")["findings"] == []
    change_pool(data_dir, "CREATE SCHEMA t_nobodys AUTHORIZATION clinic_owner")
    sick = run(data_dir, "doctor")
    assert sick.returncode == 1
    assert "orphan schema t_nobodys" in sick.stdout
    change_pool(data_dir, "DROP SCHEMA t_nobodys")


def test_second_server_on_the_port_is_refused_before_anything_starts(served, data_dir):
    port = served.url.rpartition(":")[2]
    done = run(data_dir, "serve", "--port", port)
    assert done.returncode == 1
    assert done.stderr.startswith(f"clinic: port {port} on 127.0.0.1 is in use")


def test_server_ends_in_order_and_recovers_from_a_kill(served, data_dir):
    """The last test: it ends what the others use."""
    assert served.end(signal.SIGTERM) == 0
    assert not (data_dir / "server.json").exists()

    port = int(served.url.rpartition(":")[2])
    second = Served(data_dir, port)
    second.wait_until_ready()
    second.end(signal.SIGKILL)
    time.sleep(1)  # its workers notice

    third = Served(data_dir, port)
    third.wait_until_ready()
    assert third.end(signal.SIGINT) == 0
    assert not (data_dir / "server.json").exists()
    # Without a server a command starts one for itself.
    assert answer_of(data_dir, "servers", "list")[0]["name"] == "main"
    assert not (data_dir / "server.json").exists()
