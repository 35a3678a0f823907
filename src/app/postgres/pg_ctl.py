"""Starts and stops a PostgreSQL server on a cluster, each within a time, and says in one line why it could not."""

import contextlib
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from app.postgres.account import Account
from app.postgres.binaries import Binaries
from app.postgres.cluster import NO_SPACE, last_line
from app.postgres.errors import PostgresError, PostgresSpaceError, PostgresUnavailableError
from app.postgres.record import ServerRecord

START_S_MAX = 60
STOP_S_MAX = 30
PROGRAM_SLACK_S = 5
POLL_S = 0.1
START_LOG_NAME = "start.log"
# A killed server's last processes hold its memory for a moment; they notice and leave.
STILL_LEAVING = "is still in use"


def start_postmaster(
    account: Account, binaries: Binaries, cluster: Path, settings: Mapping[str, str]
) -> None:
    """Start the server and return when it takes connections; raise `PostgresError`."""
    options = " ".join(f"-c '{name}={value}'" for name, value in settings.items())
    log = cluster / START_LOG_NAME
    command: list[str | Path] = [binaries.program("pg_ctl"), "start", "-D", cluster, "-l", log]
    command += ["-w", "-t", str(START_S_MAX), "-s", "-o", options]
    started_at = datetime.now(UTC)
    deadline = time.monotonic() + START_S_MAX
    while True:
        done = _run(account, command, timeout_s=START_S_MAX + PROGRAM_SLACK_S)
        if done.returncode == 0:
            return
        reason = _logged_failure(cluster, started_at) or last_line(done.stderr)
        if STILL_LEAVING not in reason or time.monotonic() > deadline:
            raise _start_error(cluster, reason)
        time.sleep(POLL_S)


def stop_postmaster(account: Account, binaries: Binaries, record: ServerRecord) -> None:
    """End the server: fast, and if that takes too long at once, as after a loss of power, which it recovers from."""
    command: list[str | Path] = [binaries.program("pg_ctl"), "stop", "-D", record.cluster, "-w"]
    reason = ""
    for mode in ("fast", "immediate"):
        options = ["-s", "-t", str(STOP_S_MAX), "-m", mode]
        done = _run(account, [*command, *options], timeout_s=STOP_S_MAX + PROGRAM_SLACK_S)
        if done.returncode == 0 or not record.alive:
            return
        reason = last_line(done.stderr)
    raise PostgresUnavailableError(f"PostgreSQL (process {record.pid}) did not stop: {reason}")


def _run(
    account: Account, command: list[str | Path], *, timeout_s: float
) -> subprocess.CompletedProcess[str]:
    try:
        return account.run(command, timeout_s=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise PostgresUnavailableError(f"{command[0]} did not end within {timeout_s} s") from error
    except OSError as error:
        raise PostgresError(f"cannot run {command[0]}: {error.strerror}") from error


def _logged_failure(cluster: Path, started_at: datetime) -> str:
    """Return the line of the server's logs that says why it did not start, empty if none does."""
    since = started_at.strftime("%Y-%m-%d %H:%M:%S")  # every line begins with such a time
    lines: list[str] = []
    for path in (cluster / START_LOG_NAME, *(cluster / "log").glob("*")):
        with contextlib.suppress(OSError):
            text = path.read_text(encoding="utf-8", errors="replace")
            lines += [line for line in text.splitlines() if line >= since]
    errors = [line for line in lines if "FATAL:" in line or "PANIC:" in line]
    return errors[-1].partition(":  ")[2] if errors else ""


def _start_error(cluster: Path, reason: str) -> PostgresError:
    if NO_SPACE in reason:
        return PostgresSpaceError(f"the disk that holds {cluster} is full")
    return PostgresUnavailableError(
        f"PostgreSQL did not start: {reason} (logs: {cluster / START_LOG_NAME}, {cluster / 'log'})"
    )
