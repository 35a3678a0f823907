"""The folder of the server processes' numbers: gone in the end, also after a kill, and never somebody else's."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from app.cli.metrics_directory import PREFIX, metrics_directory

SOURCE = Path(__file__).parents[2] / "src"
HOLDER = """
import sys, tempfile, time
tempfile.tempdir = sys.argv[1]
from app.cli.metrics_directory import metrics_directory
with metrics_directory() as directory:
    (directory / "counter_1.db").touch()
    print(directory, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_folder_of_a_killed_server_goes_and_that_of_a_living_one_stays(temporary: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(temporary)],
        env={"PYTHONPATH": str(SOURCE)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    with holder.stdout as output:
        theirs = Path(output.readline().strip())
        try:
            with metrics_directory() as ours:
                assert theirs.is_dir()
                assert ours != theirs
        finally:
            holder.send_signal(signal.SIGKILL)
            holder.wait(10)
    assert not ours.exists()
    assert (theirs / "counter_1.db").exists()
    with metrics_directory() as ours:
        assert list(temporary.iterdir()) == [ours]
    assert list(temporary.iterdir()) == []


def test_what_is_not_ours_is_left_alone(temporary: Path) -> None:
    kept = temporary / "kept"
    kept.mkdir()
    (kept / "server.lock").touch()
    (temporary / f"{PREFIX}link").symlink_to(kept)
    (temporary / f"{PREFIX}unlocked").mkdir()
    with metrics_directory():
        pass
    assert sorted(path.name for path in temporary.iterdir()) == [
        "kept",
        f"{PREFIX}link",
        f"{PREFIX}unlocked",
    ]
    assert (kept / "server.lock").exists()
