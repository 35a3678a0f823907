"""The file by which other processes find the running server, and the proof that it still runs."""

import contextlib
import itertools
import os
import subprocess
from pathlib import Path

import msgspec
from msgspec import Struct

RECORD_NAME = "server.json"
POSTMASTER_FILE = "postmaster.pid"
POSTMASTER_LINES_MIN = 5  # pid, data directory, start time, port, socket directory
PROCESS_LIST_S_MAX = 10.0


class ServerRecord(Struct, frozen=True, kw_only=True):
    """A server that was started on a data directory, and by whom."""

    pid: int
    owner_pid: int
    cluster: str
    socket_directory: str
    port: int
    version: str
    temporary: bool = False

    @property
    def alive(self) -> bool:
        """Whether that very server still runs; a recycled pid does not count."""
        return serves(self.pid, Path(self.cluster))


def read_record(data_dir: Path) -> ServerRecord | None:
    """Return the record of a running server; None when there is none or it is stale."""
    try:
        record = msgspec.json.decode((data_dir / RECORD_NAME).read_bytes(), type=ServerRecord)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None
    return record if record.alive else None


def write_record(data_dir: Path, record: ServerRecord) -> None:
    """Replace the record at once: no reader sees half of it."""
    draft = data_dir / f".{RECORD_NAME}-{os.getpid()}"
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(record)) + b"\n")
    draft.replace(data_dir / RECORD_NAME)


def remove_record(data_dir: Path) -> None:
    """Forget the server."""
    (data_dir / RECORD_NAME).unlink(missing_ok=True)


def running_postmaster(cluster: Path, *, version: str) -> ServerRecord | None:
    """Return what PostgreSQL itself notes of the server on `cluster`, None unless it runs."""
    try:
        lines = (cluster / POSTMASTER_FILE).read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if len(lines) < POSTMASTER_LINES_MIN or not serves(int(lines[0]), cluster):
        return None
    return ServerRecord(
        pid=int(lines[0]),
        owner_pid=os.getpid(),
        cluster=str(cluster),
        socket_directory=lines[4].strip(),
        port=int(lines[3]),
        version=version,
    )


def drop_misleading_locks(cluster: Path, socket_directory: Path) -> None:
    """Remove PostgreSQL's lock files when their pid now belongs to something else, or to nobody but the process table.

    PostgreSQL sees a dead pid by itself, but takes any other process of its user for a server and refuses to start: as
    after a restart of a container, or while a killed server has not been reaped. Processes of a killed server that are
    still at work keep their shared memory, by which PostgreSQL knows them without these files.
    """
    for path in (cluster / POSTMASTER_FILE, *socket_directory.glob(".s.PGSQL.*.lock")):
        with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
            pid = abs(int(path.read_text(encoding="utf-8").splitlines()[0]))
            if _exists(pid) and not serves(pid, cluster):
                path.unlink()


def serves(pid: int, cluster: Path) -> bool:
    """Return whether process `pid` is a PostgreSQL server on this cluster, by its command line."""
    arguments = _command_line(pid)
    return any(
        first == "-D" and Path(second) == cluster for first, second in itertools.pairwise(arguments)
    )


def _command_line(pid: int) -> list[str]:
    """Return the arguments of a process, empty when it is gone or a zombie."""
    if pid <= 0:
        return []
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            return []
    listed = subprocess.run(  # noqa: S603  # systems without /proc, as macOS; the pid is a number
        ["/bin/ps", "-o", "command=", "-p", str(pid)],
        capture_output=True,
        text=True,
        timeout=PROCESS_LIST_S_MAX,
        check=False,
    )
    return listed.stdout.split()


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
