"""The embedded server for real: started, found, killed, adopted, refused."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

from app.postgres import (
    EmbeddedServer,
    ExternalServer,
    PostgresNotRunningError,
    PostgresSpaceError,
    PostgresUnavailableError,
    PostgresVersionError,
)
from app.postgres.record import read_record, serves
from servers import FAST, running_server, throw_away_directory

SOURCE = Path(__file__).parents[2] / "src"
OWNER_PROGRAM = """
import sys, time
from pathlib import Path
from app.postgres import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]), tuning={"fsync": "off"}, temporary=len(sys.argv) > 3)
server.start()
print(server.owned, flush=True)
time.sleep(float(sys.argv[2]))
server.stop()
"""


@pytest.fixture
def data_dir():
    with throw_away_directory() as directory:
        yield directory


def ask(server, sql):
    async def answer():
        connection = await asyncpg.connect(**server.administrator)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(answer())


def other_process(data_dir, seconds, *options):
    """Start a process that starts the server; return it and whether it owns the server."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER_PROGRAM, str(data_dir), str(seconds), *options],
        env={"PYTHONPATH": str(SOURCE), "PATH": os.defpath},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process.stdout as output:
        return process, output.readline().strip() == "True"


def wait_until_gone(pid, cluster):
    deadline = time.monotonic() + 10
    while serves(pid, cluster):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_data_outlives_a_restart_and_settings_fit_a_move(data_dir):
    with running_server(data_dir) as server:
        ask(server, "CREATE TABLE kept AS SELECT 7 AS number")
    with running_server(data_dir) as server:
        assert ask(server, "SELECT number FROM kept") == 7
        assert ask(server, "SHOW wal_level") == "logical"
        assert int(ask(server, "SHOW max_replication_slots")) >= 32
        assert int(ask(server, "SHOW max_wal_senders")) >= 32
        assert ask(server, "SHOW max_slot_wal_keep_size") == "8GB"
        assert int(ask(server, "SHOW max_connections")) == 200
        assert ask(server, "SHOW listen_addresses") == ""
        assert ask(server, "SELECT lower('ÑANDÚ')") == "ñandú"
        assert server.version.startswith("18.")


def test_password_is_needed_and_kept_private(data_dir):
    with running_server(data_dir) as server:
        wrong = {**server.administrator, "password": "guess"}
        with pytest.raises(asyncpg.InvalidPasswordError):
            asyncio.run(asyncpg.connect(**wrong))
    assert (data_dir / "postgres.password").stat().st_mode & 0o077 == 0


def test_log_holds_no_values(data_dir):
    with running_server(data_dir) as server:
        ask(server, "CREATE TABLE person (name text PRIMARY KEY)")
        ask(server, "INSERT INTO person VALUES ('Quispe')")
        with pytest.raises(asyncpg.UniqueViolationError):
            ask(server, "INSERT INTO person VALUES ('Quispe')")
        logs = [path.read_text() for path in (data_dir / "postgres/18/log").iterdir()]
    assert any("duplicate key" in log for log in logs)
    assert not any("Quispe" in log for log in logs)


def test_two_servers_run_side_by_side(data_dir):
    with (
        throw_away_directory() as second_dir,
        running_server(data_dir) as one,
        running_server(second_dir, name="two") as two,
    ):
        assert one.address.host != two.address.host
        assert two.address.name == "two"
        ask(one, "CREATE DATABASE only_here")
        assert ask(two, "SELECT count(*) FROM pg_database WHERE datname = 'only_here'") == 0


def test_second_process_uses_the_server_and_never_stops_it(data_dir):
    with running_server(data_dir) as server:
        process, owned = other_process(data_dir, 0)
        assert process.wait(20) == 0
        assert not owned
        assert ask(server, "SELECT 1") == 1
        guest = EmbeddedServer(data_dir)
        guest.attach()
        assert guest.address == server.address
        guest.stop()
        assert ask(server, "SELECT 1") == 1


def test_server_of_a_killed_owner_is_adopted_and_then_stopped(data_dir):
    process, owned = other_process(data_dir, 60)
    assert owned
    process.kill()
    process.wait(10)
    record = read_record(data_dir)
    assert record is not None
    with running_server(data_dir) as server:
        assert server.owned
        assert json.loads((data_dir / "server.json").read_text())["pid"] == record.pid
        assert ask(server, "SELECT 1") == 1
    wait_until_gone(record.pid, Path(record.cluster))
    assert not (data_dir / "server.json").exists()


def test_nobody_attaches_to_a_server_that_ends_with_a_command(data_dir):
    process, owned = other_process(data_dir, 1, "temporary")
    assert owned
    with running_server(data_dir) as server:
        assert process.wait(1) == 0
        assert server.owned
        assert ask(server, "SELECT 1") == 1


def test_killed_server_recovers_at_the_next_start(data_dir):
    server = EmbeddedServer(data_dir, tuning={"full_page_writes": "off"})
    server.start()
    ask(server, "CREATE TABLE kept AS SELECT 7 AS number")
    record = read_record(data_dir)
    os.kill(record.pid, signal.SIGKILL)
    wait_until_gone(record.pid, Path(record.cluster))
    with pytest.raises(PostgresNotRunningError):
        EmbeddedServer(data_dir).attach()
    server.stop()
    with running_server(data_dir) as again:
        assert ask(again, "SELECT number FROM kept") == 7


def test_records_of_a_recycled_pid_are_not_believed(data_dir):
    with running_server(data_dir):
        record = json.loads((data_dir / "server.json").read_text())
    (data_dir / "server.json").write_text(json.dumps({**record, "pid": os.getpid()}))
    pid_file = data_dir / "postgres/18/postmaster.pid"
    pid_file.write_text(f"{os.getppid()}\n{record['cluster']}\n1\n5432\n/nowhere\n")
    with pytest.raises(PostgresNotRunningError):
        EmbeddedServer(data_dir).attach()
    with running_server(data_dir) as server:
        assert ask(server, "SELECT 1") == 1


def test_interrupted_first_start_leaves_nothing_half_made(data_dir):
    draft = data_dir / "postgres/.new-dead/cluster"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18")
    with running_server(data_dir) as server:
        assert ask(server, "SELECT 1") == 1
    assert not draft.exists()


def test_place_that_the_server_user_may_not_enter_works(data_dir):
    private = data_dir / "private"
    private.mkdir(mode=0o700)
    inside = private / "var"
    with running_server(inside) as server:
        assert ask(server, "SELECT 1") == 1
    assert private.stat().st_mode & 0o077 == 0
    if (
        inside / "postgres"
    ).is_symlink():  # as root; what it points to was removed with the test's server
        with pytest.raises(PostgresSpaceError, match="which is gone"):
            EmbeddedServer(inside).start()


def test_long_path_gets_a_short_socket(data_dir):
    deep = data_dir / ("d" * 60) / ("e" * 60)
    with running_server(deep) as server:
        sockets = Path(server.address.host)
        assert ask(server, "SELECT 1") == 1
        assert deep not in sockets.parents
        assert sockets.stat().st_mode & 0o077 == 0
    assert not sockets.exists()


def test_data_of_another_major_is_refused_with_the_way_out(data_dir):
    (data_dir / "postgres/17").mkdir(parents=True)
    with pytest.raises(
        PostgresVersionError, match=r"PostgreSQL 17 .*pg_dumpall.*CLINIC_DATABASE_URL"
    ):
        EmbeddedServer(data_dir).start()
    assert sorted(path.name for path in (data_dir / "postgres").iterdir()) == ["17"]


def test_unusable_data_directory_is_one_clear_line(data_dir):
    (data_dir / "file").touch()
    with pytest.raises(
        PostgresSpaceError, match=r"cannot use .*file.* as data directory"
    ) as refusal:
        EmbeddedServer(data_dir / "file" / "var").start()
    assert "\n" not in str(refusal.value)


def test_bad_tuning_says_why_the_server_did_not_start(data_dir):
    with pytest.raises(PostgresUnavailableError, match="no_such_setting") as refusal:
        EmbeddedServer(data_dir, tuning={**FAST, "no_such_setting": "1"}).start()
    assert "\n" not in str(refusal.value)
    with running_server(data_dir) as server:
        assert ask(server, "SELECT 1") == 1


def test_external_server_is_checked_and_never_stopped(data_dir):
    with running_server(data_dir) as server:
        access = server.administrator
        url = f"postgresql://postgres:{quote(access['password'])}@/postgres?host={access['host']}"
        external = ExternalServer(url)
        external.start()
        assert external.version == server.version
        assert ask(external, "SELECT 1") == 1
        external.stop()
        assert ask(server, "SELECT 1") == 1


def test_external_server_that_refuses_is_one_clear_line(data_dir):
    with running_server(data_dir) as server:
        url = f"postgresql://postgres:guess@/postgres?host={server.address.host}"
        with pytest.raises(PostgresUnavailableError, match="password authentication failed"):
            ExternalServer(url).start()
    with pytest.raises(PostgresUnavailableError, match=r"cannot use the server at 127.0.0.1:1"):
        ExternalServer("postgresql://postgres:x@127.0.0.1:1/postgres").start()


def test_too_old_external_server_is_refused(data_dir, monkeypatch):
    with running_server(data_dir) as server:
        access = server.administrator
        url = f"postgresql://postgres:{quote(access['password'])}@/postgres?host={access['host']}"
        monkeypatch.setattr("app.postgres.external.MAJOR_MIN", 99)
        with pytest.raises(PostgresVersionError, match=r"is PostgreSQL 18.*99 or newer is needed"):
            ExternalServer(url).start()
