"""Who answers for the embedded server of a data directory: whoever holds the lock file."""

import fcntl
from pathlib import Path
from typing import IO

LOCK_NAME = "server.lock"


class OwnerLock:
    """A lock that the kernel frees when its holder dies, however that happens."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / LOCK_NAME
        self._file: IO[bytes] | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds it."""
        return self._file is not None

    def take(self) -> bool:
        """Try to take it, without waiting; return whether that worked. Raises `OSError`."""
        file = self._path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Give it back, if it is held."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
