"""Throw-away PostgreSQL servers for tests: our own embedded ones, started as the product starts them."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from app.postgres import EmbeddedServer

# Nothing in a test outlives the machine, so it need not wait for the disk.
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
}


@contextmanager
def throw_away_directory() -> Iterator[Path]:
    """Yield an empty data directory with a short path that the server's user can reach, unlike `tmp_path` as root."""
    with tempfile.TemporaryDirectory(prefix="polyclinic-") as directory:
        Path(directory).chmod(0o711)
        yield Path(directory).resolve()


@contextmanager
def running_server(
    data_dir: Path, *, name: str = "main", tuning: Mapping[str, str] = FAST
) -> Iterator[EmbeddedServer]:
    """Yield a server that runs on `data_dir`; it is stopped at the end.

    Its data stay in `data_dir`, unless the server's user may not go there: what was made elsewhere is removed.
    """
    server = EmbeddedServer(data_dir, name=name, tuning=tuning)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        ground = data_dir / "postgres"
        if ground.is_symlink():
            shutil.rmtree(ground.resolve())
