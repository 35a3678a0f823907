"""A PostgreSQL of our own under the data directory: started, found again and stopped, one owner at a time."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from app.postgres.account import Account, server_account
from app.postgres.binaries import Binaries, find_binaries
from app.postgres.cluster import SUPERUSER, make_cluster, refuse_other_majors
from app.postgres.errors import (
    PostgresNotRunningError,
    PostgresSpaceError,
    PostgresUnavailableError,
)
from app.postgres.ground import (
    prepare_ground,
    prepare_socket_directory,
    remove_socket_directory,
)
from app.postgres.ownership import OwnerLock
from app.postgres.pg_ctl import start_postmaster, stop_postmaster
from app.postgres.record import (
    ServerRecord,
    drop_misleading_locks,
    read_record,
    remove_record,
    running_postmaster,
    write_record,
)
from app.postgres.server import MAIN_SERVER
from app.secret_files import kept_secret
from tenancy.tenant import Server

OWNER_WAIT_S_MAX = 60.0
OWNER_POLL_S = 0.1
PASSWORD_NAME = "postgres.password"  # noqa: S105  # the name of a file
SOCKET_PORT = 5432
WAL_SEGMENT_BYTES = 16 * 1024 * 1024


class EmbeddedServer:
    """The server of one data directory. Whoever holds its lock answers for it; the others only use it."""

    def __init__(
        self,
        data_dir: Path,
        *,
        name: str = MAIN_SERVER,
        tuning: Mapping[str, str] | None = None,
        tcp_port: int | None = None,
        temporary: bool = False,
    ) -> None:
        """Prepare nothing yet.

        `tuning` are PostgreSQL settings for this run; `tcp_port` opens 127.0.0.1 too. A `temporary` server is there for
        one command: nobody else attaches to it, they wait for its end.
        """
        self.name = name
        self.data_dir = data_dir.absolute()
        self._tuning = dict(tuning or {})
        self._tcp_port = tcp_port
        self._temporary = temporary
        self._lock = OwnerLock(self.data_dir)
        self._record: ServerRecord | None = None

    @property
    def host(self) -> str:
        """The directory of the server's socket."""
        return self._known().socket_directory

    @property
    def port(self) -> int:
        """The port in the socket's name."""
        return self._known().port

    @property
    def address(self) -> Server:
        """Where the server listens."""
        return Server(name=self.name, host=self.host, port=self.port)

    @property
    def version(self) -> str:
        """The PostgreSQL release that was started."""
        return self._known().version

    @property
    def owned(self) -> bool:
        """Whether this object answers for the server, and `stop` would stop it."""
        return self._lock.held

    @property
    def is_disk_full(self) -> bool:
        """Whether the disk of the running server has no room for another segment of its log."""
        status = os.statvfs(self._known().cluster)
        return status.f_bavail * status.f_frsize < WAL_SEGMENT_BYTES

    @property
    def administrator(self) -> dict[str, Any]:
        """`asyncpg.connect` arguments of the superuser."""
        return {
            "host": self.host,
            "port": self.port,
            "user": SUPERUSER,
            "password": kept_secret(self.data_dir / PASSWORD_NAME),
            "database": "postgres",
        }

    def start(self) -> None:
        """Start the server and own it, adopt a running one whose owner died, or use one that another process owns."""
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            if not self._own_or_attach():
                return
        except OSError as error:
            raise PostgresSpaceError(
                f"cannot use {self.data_dir} as data directory: {error.strerror}"
            ) from error
        try:
            account = server_account()
            self._start_as_owner(account, prepare_ground(self.data_dir, account))
        except OSError as error:
            self.stop()
            raise PostgresSpaceError(
                f"cannot write {error.filename or self.data_dir}: {error.strerror}"
            ) from error
        except BaseException:
            self.stop()
            raise

    def attach(self) -> None:
        """Find the running server through its record; raise `PostgresNotRunningError`."""
        try:
            self._record = read_record(self.data_dir)
        except OSError as error:
            raise PostgresNotRunningError(
                f"cannot read {error.filename}: {error.strerror}"
            ) from error
        if self._record is None:
            raise PostgresNotRunningError(
                f"no server runs on {self.data_dir}: start `clinic serve`"
            )

    def stop(self) -> None:
        """Stop the server in order if we own it: running statements are broken off, nothing is lost."""
        record, self._record = self._record, None
        if not self.owned:
            return
        try:
            running = record and _running(record)
            if running is not None:
                account = server_account()
                stop_postmaster(account, find_binaries(account), running)
            remove_record(self.data_dir)
            if record is not None:
                ground = Path(record.cluster).parent
                remove_socket_directory(ground, Path(record.socket_directory))
        finally:
            self._lock.release()

    @property
    def has_died(self) -> bool:
        """Whether we own a server that runs no more, as after a kill -9; a recycled pid does not count."""
        return self.owned and self._record is not None and not self._record.alive

    def revive(self) -> None:
        """Start the server that died again: it recovers what was committed, behind the same socket. Raises `PostgresError`."""
        known = self._known()
        cluster, sockets = Path(known.cluster), Path(known.socket_directory)
        record = _running(known)
        if record is None:
            account = server_account()
            record = self._launch_at(account, find_binaries(account), cluster, sockets)
        self._record = msgspec.structs.replace(record, temporary=self._temporary)
        write_record(self.data_dir, self._record)

    def _known(self) -> ServerRecord:
        if self._record is None:
            raise PostgresNotRunningError
        return self._record

    def _own_or_attach(self) -> bool:
        """Return True as soon as we are the owner, False once we are attached to another's server."""
        deadline = time.monotonic() + OWNER_WAIT_S_MAX
        while not self._lock.take():
            record = read_record(self.data_dir)
            if record is not None and not record.temporary:
                self._record = record
                return False
            if time.monotonic() > deadline:
                raise PostgresUnavailableError(
                    f"another command has been working on {self.data_dir} for"
                    f" {OWNER_WAIT_S_MAX:.0f} s: wait for its end, or run `clinic serve` beside it"
                )
            time.sleep(OWNER_POLL_S)
        return True

    def _start_as_owner(self, account: Account, ground: Path) -> None:
        binaries = find_binaries(account)
        refuse_other_majors(ground, binaries)
        password = kept_secret(self.data_dir / PASSWORD_NAME)
        synchronous = self._tuning.get("fsync", "on") == "on"
        cluster = make_cluster(
            ground, account, binaries, password=password, synchronous=synchronous
        )
        running = running_postmaster(cluster, version=binaries.version)
        record = running or self._launch(account, binaries, cluster)
        self._record = msgspec.structs.replace(record, temporary=self._temporary)
        write_record(self.data_dir, self._record)

    def _launch(self, account: Account, binaries: Binaries, cluster: Path) -> ServerRecord:
        sockets = prepare_socket_directory(cluster.parent, account)
        try:
            return self._launch_at(account, binaries, cluster, sockets)
        except BaseException:
            remove_socket_directory(cluster.parent, sockets)
            raise

    def _launch_at(
        self, account: Account, binaries: Binaries, cluster: Path, sockets: Path
    ) -> ServerRecord:
        drop_misleading_locks(cluster, sockets)
        settings = {
            "unix_socket_directories": str(sockets),
            "listen_addresses": "127.0.0.1" if self._tcp_port else "",
            "port": str(self._tcp_port or SOCKET_PORT),
            **self._tuning,
        }
        start_postmaster(account, binaries, cluster, settings)
        record = running_postmaster(cluster, version=binaries.version)
        if record is None:
            raise PostgresUnavailableError(f"PostgreSQL stopped at once; see {cluster / 'log'}")
        return record


def _running(record: ServerRecord) -> ServerRecord | None:
    """Return the server that runs on the record's cluster: that one, or one whose start was given up while it recovered."""
    return (
        record if record.alive else running_postmaster(Path(record.cluster), version=record.version)
    )
