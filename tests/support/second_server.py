"""Servers beside the main one: another embedded PostgreSQL 18, or one of the programs in any directory, both on TCP."""

import secrets
import socket
import subprocess
from asyncio import to_thread
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from app.postgres import EmbeddedServer
from app.postgres.account import server_account
from app.postgres.binaries import Binaries
from app.postgres.external import MAJOR_MIN
from app.postgres.pg_ctl import start_postmaster, stop_postmaster
from app.postgres.record import running_postmaster
from servers import FAST, throw_away_directory
from tenancy.tenant import Server

LOOPBACK = "127.0.0.1"
PROGRAM_S_MAX = 60.0
DEBIAN = Path("/usr/lib/postgresql")
# What a live move asks of both of its ends.
LOGICAL = {"wal_level": "logical", "max_replication_slots": "32", "max_wal_senders": "32"}


class SecondServer(NamedTuple):
    """A running server: its address for tenancy, `asyncpg.connect` arguments and URL of its administrator."""

    address: Server
    administrator: dict[str, Any]

    @property
    def url(self) -> str:
        """What `CLINIC_DATABASE_URL` and `clinic servers add --url` take."""
        access = self.administrator
        return (
            f"postgresql://{access['user']}:{quote(access['password'])}"
            f"@{access['host']}:{access['port']}/{access['database']}"
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@contextmanager
def second_server(name: str = "second", **tuning: str) -> Iterator[SecondServer]:
    """Yield a second embedded server, fit for a live move, on a directory of its own."""
    port = free_port()
    with throw_away_directory() as directory:
        server = EmbeddedServer(
            directory, name=name, tuning={**FAST, **LOGICAL, **tuning}, tcp_port=port
        )
        server.start()
        try:
            yield SecondServer(
                Server(name=name, host=LOOPBACK, port=port),
                {**server.administrator, "host": LOOPBACK, "port": port},
            )
        finally:
            server.stop()


@contextmanager
def server_of_binaries(
    programs: Path, name: str = "main", tuning: Mapping[str, str] = FAST
) -> Iterator[SecondServer]:
    """Yield a server run by the programs in this directory, whatever their release, on a cluster of its own."""
    account, port, password = server_account(), free_port(), secrets.token_urlsafe(16)
    binaries = Binaries(programs, release_of(programs))
    with throw_away_directory() as directory:
        account.give(directory)
        password_file = directory / "password"
        password_file.write_text(password)
        account.give(password_file)
        cluster = directory / "cluster"
        command = [binaries.program("initdb"), "-D", cluster, "-U", "postgres", "--no-sync"]
        command += ["--auth=scram-sha-256", f"--pwfile={password_file}"]
        made = account.run(
            [*command, "--encoding=UTF8", "--locale=C.UTF-8"], timeout_s=PROGRAM_S_MAX
        )
        assert made.returncode == 0, made.stderr
        listening = {
            "listen_addresses": LOOPBACK,
            "port": str(port),
            "unix_socket_directories": str(directory),
            "max_connections": "200",
            # As the embedded server has it: many clinics' schemas in one transaction.
            "max_locks_per_transaction": "512",
        }
        start_postmaster(account, binaries, cluster, {**listening, **LOGICAL, **tuning})
        record = running_postmaster(cluster, version=binaries.version)
        assert record is not None
        try:
            access = {"host": LOOPBACK, "port": port, "user": "postgres", "password": password}
            yield SecondServer(
                Server(name=name, host=LOOPBACK, port=port), {**access, "database": "postgres"}
            )
        finally:
            stop_postmaster(account, binaries, record)


@asynccontextmanager
async def open_second_server(name: str = "second", **tuning: str) -> AsyncIterator[SecondServer]:
    """As `second_server`, for a test whose loop must go on meanwhile."""
    opened = second_server(name, **tuning)
    server = await to_thread(opened.__enter__)
    try:
        yield server
    finally:
        await to_thread(opened.__exit__, None, None, None)


def release_of(programs: Path) -> str:
    """The release of the programs in a directory, as `15.14`."""
    said = subprocess.run(
        [programs / "postgres", "--version"], capture_output=True, text=True, check=True
    )
    return said.stdout.split()[2]


def installed_majors() -> dict[int, Path]:
    """The directories of the supported PostgreSQL releases that the machine itself has, by major."""
    found: dict[int, Path] = {}
    for programs in [*DEBIAN.glob("*/bin"), *_named_by_pg_config()]:
        if (programs / "postgres").is_file() and (programs / "initdb").is_file():
            major = int(release_of(programs).partition(".")[0])
            if major >= MAJOR_MIN:
                found.setdefault(major, programs)
    return found


def _named_by_pg_config() -> list[Path]:
    try:
        said = subprocess.run(
            ["pg_config", "--bindir"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return []
    return [Path(said.stdout.strip())] if said.returncode == 0 else []
