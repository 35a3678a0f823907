"""Whom the embedded PostgreSQL runs as: ourselves, or an unprivileged system user when we are root."""

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from app.postgres.errors import PostgresAccountError

USER_NAME = "polyclinic-postgres"
USERADD_S_MAX = 30.0
# Root's tools are often not on the search path of a bare environment.
SYSTEM_DIRECTORIES = ("/usr/sbin", "/sbin", "/usr/bin", "/bin")
WAY_OUT = "start as an ordinary user, or set CLINIC_DATABASE_URL"


class Account(Struct, frozen=True):
    """A user of the operating system; `other` says that it is not the one of this process."""

    uid: int
    gid: int
    other: bool

    def run(
        self, command: Sequence[str | Path], *, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as this user, away from our directory, terminal and environment."""
        # The own session keeps a Ctrl-C meant for us from the server.
        return subprocess.run(  # noqa: S603  # programs and arguments are ours
            [str(part) for part in command],
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
            start_new_session=True,
            user=self.uid if self.other else None,
            group=self.gid if self.other else None,
            extra_groups=[] if self.other else None,
        )

    def give(self, path: Path) -> None:
        """Make this user the owner of `path`."""
        if self.other:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def may_enter(self, directory: Path) -> bool:
        """Return whether this user can pass through `directory` and everything above it."""
        if not self.other:
            return True
        resolved = directory.resolve()
        return all(self._may_pass(folder.stat()) for folder in (resolved, *resolved.parents))

    def _may_pass(self, status: os.stat_result) -> bool:
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def server_account() -> Account:
    """Return the account for the server; as root, make the system user first. Raises `PostgresAccountError`."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), other=False)
    entry = _entry() or _made_entry()
    account = Account(entry.pw_uid, entry.pw_gid, other=True)
    try:
        account.run(["/bin/sh", "-c", "exit 0"], timeout_s=USERADD_S_MAX)
    except (OSError, subprocess.SubprocessError) as error:
        raise PostgresAccountError(
            f"PostgreSQL refuses to run as root, and root may not become {USER_NAME} here"
            f" ({error}): {WAY_OUT}"
        ) from error
    return account


def _entry() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(USER_NAME)
    except KeyError:
        return None


def _made_entry() -> pwd.struct_passwd:
    useradd = shutil.which("useradd") or shutil.which(
        "useradd", path=os.pathsep.join(SYSTEM_DIRECTORIES)
    )
    if useradd is None:
        raise PostgresAccountError(
            f"PostgreSQL refuses to run as root, and there is no useradd to make the user {USER_NAME}: {WAY_OUT}"
        )
    command = [useradd, "--system", "--user-group", "--no-create-home"]
    command += ["--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", USER_NAME]
    made = subprocess.run(  # noqa: S603  # found in a system directory
        command, capture_output=True, text=True, timeout=USERADD_S_MAX, check=False
    )
    entry = _entry()  # Looked up whatever useradd says: another process may have been faster.
    if entry is None:
        raise PostgresAccountError(
            f"PostgreSQL refuses to run as root, and useradd could not make the user {USER_NAME}"
            f" ({made.stderr.strip() or made.returncode}): {WAY_OUT}"
        )
    return entry
