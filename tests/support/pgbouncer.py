"""A PgBouncer in transaction mode in front of a test's server, where the machine has one that knows prepared statements."""

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.postgres.account import server_account
from second_server import LOOPBACK, SecondServer, free_port
from servers import throw_away_directory
from tenancy.credentials import Credentials, DatabaseRole

RELEASE_MIN = (1, 21)
"""The first one with `max_prepared_statements`."""

SYSTEM_PLACES = ("/usr/sbin", "/usr/local/bin", "/usr/local/sbin")
START_S_MAX = 20.0
PREPARED_MAX = 20
SERVER_CONNECTIONS = 3


def installed() -> Path | None:
    """The first program on the search path that is new enough, or in the places of root's tools; None where none is."""
    places = [*os.get_exec_path(), *SYSTEM_PLACES]
    programs = [Path(place, "pgbouncer") for place in places]
    return next(
        (path for path in programs if path.is_file() and release_of(path) >= RELEASE_MIN), None
    )


def release_of(program: Path) -> tuple[int, int]:
    """The release of the program, as `(1, 24)`."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    release = re.search(r"PgBouncer (\d+)\.(\d+)", said.stdout)
    assert release is not None, said.stdout
    return int(release[1]), int(release[2])


@contextmanager
def pooler(program: Path, server: SecondServer, role_secret: str) -> Iterator[int]:
    """Yield the port of a PgBouncer in front of `server`, configured as the operators' documentation has it."""
    account, port = server_account(), free_port()
    with throw_away_directory() as directory:
        account.give(directory)
        password = Credentials(role_secret).password(DatabaseRole.APP)
        users, settings = directory / "userlist.txt", directory / "pgbouncer.ini"
        users.write_text(f'"{DatabaseRole.APP}" "{password}"\n')
        settings.write_text(
            f"""[databases]
* = host={server.address.host} port={server.address.port}
[pgbouncer]
listen_addr = {LOOPBACK}
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
max_prepared_statements = {PREPARED_MAX}
default_pool_size = {SERVER_CONNECTIONS}
max_client_conn = 200
"""
        )
        for path in (users, settings):
            account.give(path)
        with (directory / "log").open("w") as log:
            process = subprocess.Popen(
                [program, settings],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                user=account.uid if account.other else None,
                group=account.gid if account.other else None,
                extra_groups=[] if account.other else None,
            )
        try:
            _await_listening(process, port, directory / "log")
            yield port
        finally:
            process.terminate()
            process.wait(timeout=START_S_MAX)


def _await_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_S_MAX
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"PgBouncer did not start: {log.read_text()}")
