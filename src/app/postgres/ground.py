"""Where an embedded server's files are: in the data directory, or beside it where the server's user may not go."""

import contextlib
import secrets
import shutil
import tempfile
from pathlib import Path

from app.postgres.account import Account
from app.postgres.binaries import SYSTEM_PLACE
from app.postgres.errors import PostgresSpaceError

GROUND_NAME = "postgres"
SOCKET_DIRECTORY_NAME = "socket"
SOCKET_PATH_BYTES_MAX = 103  # 107 on Linux, 103 on macOS
DRAFT_PREFIX = ".new-"
TRAVERSABLE = 0o011
PRIVATE_MODE = 0o700


def prepare_ground(data_dir: Path, account: Account) -> Path:
    """Return the folder that holds the clusters of `data_dir`, made if need be; `account` can reach it.

    The caller holds the data directory's lock. It is `postgres` in the data directory, or a symbolic link of that name to a folder of the system when the data
    directory lies where the server's user may not pass. Raises `PostgresSpaceError`.
    """
    try:
        ground = data_dir / GROUND_NAME
        if ground.is_symlink() and not ground.exists():
            raise PostgresSpaceError(f"{ground} points to {ground.readlink()}, which is gone")
        if not ground.exists():
            _make_ground(ground, account)
        if account.other and not ground.is_symlink():
            _open(data_dir)  # It is ours, and the umask or mkdtemp may have closed it.
            _open(ground)
        _remove_drafts(ground)
    except OSError as error:
        raise PostgresSpaceError(
            f"cannot use {error.filename or data_dir} as data directory: {error.strerror}"
        ) from error
    resolved = ground.resolve()
    if not account.may_enter(resolved):
        raise PostgresSpaceError(
            f"the server's user may not enter {resolved}: make every folder above it"
            " traversable (chmod o+x), or set CLINIC_DATA_DIR to another place"
        )
    return resolved


def _make_ground(ground: Path, account: Account) -> None:
    if account.may_enter(ground.parent.parent):
        ground.mkdir()
        return
    # Not named after the data directory's path: that may be moved or made anew, the link goes with it.
    place = SYSTEM_PLACE / "clusters" / secrets.token_hex(6)
    place.mkdir(parents=True)
    for folder in (place, place.parent, SYSTEM_PLACE):
        _open(folder)
    ground.symlink_to(place, target_is_directory=True)


def _open(folder: Path) -> None:
    """Let everybody pass through the folder, without seeing what is in it."""
    folder.chmod(folder.stat().st_mode | TRAVERSABLE)


def prepare_socket_directory(ground: Path, account: Account) -> Path:
    """Return a folder for the server's socket that only its user can enter, with a path short enough."""
    directory = ground / SOCKET_DIRECTORY_NAME
    if len(bytes(directory / ".s.PGSQL.65535")) <= SOCKET_PATH_BYTES_MAX:
        directory.mkdir(mode=PRIVATE_MODE, exist_ok=True)
    else:
        directory = _temporary_directory(account)
    account.give(directory)
    return directory


def _temporary_directory(account: Account) -> Path:
    """Return a new folder of unguessable name under the first temporary folder that is short and open enough."""
    for parent in (Path(tempfile.gettempdir()).resolve(), Path("/tmp")):  # noqa: S108  # mkdtemp makes it private
        if len(bytes(parent)) <= SOCKET_PATH_BYTES_MAX // 2 and account.may_enter(parent):
            return Path(tempfile.mkdtemp(prefix="polyclinic-", dir=parent))
    raise PostgresSpaceError(
        "no temporary folder for the server's socket: set TMPDIR to a short path"
    )


def remove_socket_directory(ground: Path, directory: Path) -> None:
    """Remove a socket directory that was made outside `ground`."""
    if directory.parent != ground:
        shutil.rmtree(directory, ignore_errors=True)


def _remove_drafts(ground: Path) -> None:
    """Remove what an interrupted start left behind."""
    for draft in ground.glob(f"{DRAFT_PREFIX}*"):
        with contextlib.suppress(OSError):
            shutil.rmtree(draft)
