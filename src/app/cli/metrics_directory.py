"""The folder in which the server processes share their numbers for Prometheus; those of killed servers are removed."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from app.postgres.ownership import LOCK_NAME, OwnerLock

PREFIX: Final = "polyclinic-metrics-"
DRAFT_PREFIX: Final = f".{PREFIX}"


@contextmanager
def metrics_directory() -> Iterator[Path]:
    """Yield a new folder that is removed at the end; what servers that were killed have left is removed first."""
    parent = Path(tempfile.gettempdir())
    for leftover in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            _remove_if_dead(leftover)
    draft = Path(tempfile.mkdtemp(prefix=DRAFT_PREFIX, dir=parent))
    lock = OwnerLock(draft)
    lock.take()
    # Under its final name it is locked from the first moment on, so that nobody takes it for a leftover.
    directory = draft.rename(parent / draft.name.removeprefix("."))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        lock.release()


def _remove_if_dead(directory: Path) -> None:
    """Remove a folder of our user whose owner is gone; its lock tells, as a pid may be another's by now."""
    status = directory.lstat()
    is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
    if not is_ours or not (directory / LOCK_NAME).is_file():
        return
    lock = OwnerLock(directory)
    if lock.take():
        shutil.rmtree(directory, ignore_errors=True)
        lock.release()
