"""What `clinic serve` cannot do it says in one line, ends with an error, and leaves nothing half-made."""

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from app.postgres.record import read_record
from served import CLINIC, LOOPBACK, environment, free_port, run_clinic, serving
from servers import FAST, running_server, throw_away_directory

SECRETS = {
    "CLINIC_SECRET_KEY": "signing key of the tests, long enough for every check",
    "CLINIC_ROLE_SECRET": "role secret of the tests, long enough for every check",
}


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with throw_away_directory() as directory:
        yield directory


def refusal(result: subprocess.CompletedProcess[str]) -> str:
    """The one line that a failed command has said."""
    assert result.returncode not in {0, None}, result.stdout
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("clinic: ")
    assert "Traceback" not in result.stderr
    assert "internal error" not in result.stderr
    assert result.stdout == ""
    return lines[0]


def serve(data_dir: Path, *options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return run_clinic(data_dir, "serve", "--port", str(free_port()), *options, **settings)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"CLINIC_WORKER": "2"}, "CLINIC_WORKER: there is no such setting; did you mean CLINIC_WORKERS"),
        ({"CLINIC_SIGNUP_STRATEGY": "shard"}, "row, schema, database"),
        ({"CLINIC_SECRET_KEY": "short"}, "CLINIC_SECRET_KEY"),
        ({"CLINIC_DATABASE_URL": "mysql://x@localhost/y", **SECRETS}, "CLINIC_DATABASE_URL"),
        ({"CLINIC_DATABASE_URL": "postgresql://u:p@127.0.0.1:1/x"}, "must be set"),
        ({"CLINIC_HOST": "no.such.host.invalid"}, "no.such.host.invalid"),
    ],
    ids=lambda value: "=".join(next(iter(value.items()))) if isinstance(value, dict) else "",
)  # fmt: skip
def test_setting_that_cannot_be_used_is_named(
    data_dir: Path, settings: dict[str, str], said: str
) -> None:
    line = refusal(serve(data_dir, **settings))
    assert said in line
    assert "short" not in line.replace("shorter", ""), "secrets are not repeated"
    assert not (data_dir / "postgres").exists()


@pytest.mark.parametrize(
    "arguments",
    [("serve", "--port", "70000"), ("serve", "--port", "x"), ("serve", "--no-such"), ("serv",)],
)
def test_argument_that_cannot_be_used_is_named(data_dir: Path, arguments: tuple[str, ...]) -> None:
    result = run_clinic(data_dir, *arguments)
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    assert not (data_dir / "postgres").exists()


def test_port_in_use_is_told_before_anything_is_started(data_dir: Path) -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        port = other.getsockname()[1]
        line = refusal(run_clinic(data_dir, "serve", "--port", str(port)))
    assert f"port {port}" in line
    assert "in use" in line
    assert not (data_dir / "postgres").exists()


def test_unreachable_postgresql_is_told(data_dir: Path) -> None:
    url = "postgresql://clinic:secret-password@127.0.0.1:1/postgres"
    line = refusal(serve(data_dir, CLINIC_DATABASE_URL=url, **SECRETS))
    assert "127.0.0.1" in line
    assert "secret-password" not in line


@pytest.fixture(scope="module")
def external() -> Iterator[str]:
    """An external server with a user who may do nothing, as a URL with a place for the user."""
    with throw_away_directory() as directory, running_server(directory, tuning=FAST) as server:
        run_sql(server.administrator, "CREATE ROLE nobody LOGIN PASSWORD 'pw'")
        yield f"postgresql://{{user}}@/postgres?host={server.address.host}"


def run_sql(access: dict[str, object], statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(**access)
        await connection.execute(statement)
        await connection.close()

    asyncio.run(run())


def test_database_user_without_privileges_is_told(data_dir: Path, external: str) -> None:
    url = external.format(user="nobody:pw")
    line = refusal(serve(data_dir, CLINIC_DATABASE_URL=url, **SECRETS))
    assert "nobody" in line or "role" in line or "permission" in line


def test_wrong_database_password_is_told(data_dir: Path, external: str) -> None:
    url = external.format(user="nobody:guess")
    line = refusal(serve(data_dir, CLINIC_DATABASE_URL=url, **SECRETS))
    assert "password authentication failed" in line
    assert "guess" not in line


def test_directory_that_cannot_be_written_is_named(data_dir: Path) -> None:
    (data_dir / "file").touch()
    line = refusal(serve(data_dir, CLINIC_DATA_DIR=str(data_dir / "file" / "var")))
    assert str(data_dir / "file") in line


def limited(bytes_max: int) -> Callable[[], None]:
    """Let no file grow beyond this: what a full disk is like, for one process and its children."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_max, bytes_max))

    return limit


@pytest.mark.skipif(sys.platform == "win32", reason="limits of processes")
def test_full_directory_is_told_and_leaves_nothing_half_made(data_dir: Path) -> None:
    result = subprocess.run(
        [CLINIC, "serve", "--port", str(free_port())],
        env=environment(data_dir, {}),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        preexec_fn=limited(200_000),  # nothing else runs in this process
    )
    refusal(result)
    assert read_record(data_dir) is None
    with serving(data_dir) as served:
        served.wait_until_ready()


def test_more_processes_than_postgresql_has_connections_for_are_refused(data_dir: Path) -> None:
    line = refusal(serve(data_dir, "--workers", "50"))
    assert "CLINIC_WORKERS" in line
    assert read_record(data_dir) is None, "PostgreSQL was stopped again"


def test_commands_refuse_a_directory_with_nothing_in_it(data_dir: Path) -> None:
    line = refusal(run_clinic(data_dir, "tenants", "list"))
    assert str(data_dir) in line
    assert list(data_dir.iterdir()) == []


def test_interrupt_while_starting_ends_in_order(data_dir: Path) -> None:
    process = subprocess.Popen(
        [CLINIC, "serve", "--port", str(free_port())],
        env=environment(data_dir, {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        while not (data_dir / "postgres").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
        assert process.returncode != 0
        assert b"Traceback" not in said
        assert read_record(data_dir) is None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    with serving(data_dir) as served:
        served.wait_until_ready()
