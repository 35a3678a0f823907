"""Makes a PostgreSQL data directory: complete or not at all."""

import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from app.postgres.account import Account
from app.postgres.binaries import Binaries
from app.postgres.errors import PostgresError, PostgresSpaceError, PostgresVersionError
from app.postgres.ground import DRAFT_PREFIX

SUPERUSER = "postgres"
INITDB_S_MAX = 120.0
NO_SPACE = "No space left on device"

# Written into postgresql.conf, where an operator may change them.
SETTINGS = {
    "wal_level": "logical",
    "max_connections": "200",
    # A live move takes two of each, one for the copy and one for the way back; a backup takes senders too.
    "max_wal_senders": "40",
    "max_replication_slots": "40",
    # An abandoned slot must not fill the disk: a move that loses its slot starts again.
    "max_slot_wal_keep_size": "8GB",
    "max_locks_per_transaction": "512",
    "shared_buffers": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "unix_socket_permissions": "0700",
    "logging_collector": "on",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    "log_checkpoints": "off",
    "log_lock_waits": "on",
    # The log must never hold what belongs to a patient: neither values nor statements nor the details of an error.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}


def refuse_other_majors(ground: Path, binaries: Binaries) -> None:
    """Raise `PostgresVersionError` when the ground holds a cluster that this PostgreSQL cannot read."""
    if (ground / str(binaries.major)).exists():
        return
    others = sorted(folder.name for folder in ground.glob("[0-9]*") if folder.is_dir())
    if others:
        raise PostgresVersionError(
            f"{ground} was made by PostgreSQL {others[-1]} and this release brings {binaries.version}: write a dump"
            " with the release that made it (pg_dumpall), then restore it into an empty CLINIC_DATA_DIR;"
            " or run that PostgreSQL yourself and set CLINIC_DATABASE_URL"
        )


def make_cluster(
    ground: Path, account: Account, binaries: Binaries, *, password: str, synchronous: bool
) -> Path:
    """Return the cluster of this release under `ground`, initialised if it is missing.

    It is made under another name and renamed, so that a crash or a full disk leaves no half of it. Raises
    `PostgresSpaceError` or `PostgresError`.
    """
    cluster = ground / str(binaries.major)
    if cluster.exists():
        return cluster
    draft = ground / f"{DRAFT_PREFIX}{secrets.token_hex(4)}"
    try:
        draft.mkdir(mode=0o700)
        account.give(draft)
        password_file = draft / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(f"{password}\n", encoding="ascii")
        account.give(password_file)
        options = [] if synchronous else ["--no-sync"]
        _run_initdb(account, binaries, draft / "cluster", password_file, options)
        (draft / "cluster").rename(cluster)
    except OSError as error:
        raise PostgresSpaceError(f"cannot make {cluster}: {error.strerror}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return cluster


def _run_initdb(
    account: Account, binaries: Binaries, target: Path, password_file: Path, options: Sequence[str]
) -> None:
    command: list[str | Path] = [binaries.program("initdb"), "-D", target, "-U", SUPERUSER]
    command += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--no-instructions", *options]
    # C.UTF-8 of the server itself: the same order and case on every machine, whatever its C library.
    command += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
    command += ["--builtin-locale=C.UTF-8"]
    for name, value in SETTINGS.items():
        command += ["-c", f"{name}={value}"]
    done = account.run(command, timeout_s=INITDB_S_MAX)
    if done.returncode == 0:
        return
    if NO_SPACE in done.stderr:
        raise PostgresSpaceError(f"the disk that holds {target.parent.parent} is full")
    raise PostgresError(f"initdb failed: {last_line(done.stderr)}")


def last_line(output: str) -> str:
    """Return the line of a program's output that says most: the last error, else the last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "FATAL:" in line or "PANIC:" in line or "error:" in line]
    return (errors or lines or ["no output"])[-1]
