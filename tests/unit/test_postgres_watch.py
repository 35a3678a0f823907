"""The watch over the embedded PostgreSQL goes on, whatever goes wrong while it looks or starts the server."""

import time
from typing import Any

import pytest

from app.postgres import watch

WAIT_S_MAX = 10.0


class Server:
    """Dies once, and is revived at the second look and the second try."""

    def __init__(self, trouble: Exception) -> None:
        self._trouble = trouble
        self.looks = 0
        self.tries = 0
        self.runs = False

    @property
    def has_died(self) -> bool:
        self.looks += 1
        if self.looks == 1:
            raise self._trouble
        return not self.runs

    def revive(self) -> None:
        self.tries += 1
        if self.tries == 1:
            raise self._trouble
        self.runs = True


@pytest.mark.parametrize(
    "trouble",
    [ValueError("half a file"), PermissionError("no look at it"), KeyError("user")],
    ids=repr,
)
def test_watch_outlives_what_goes_wrong(
    monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    monkeypatch.setattr(watch, "POLL_S", 0.01)
    monkeypatch.setattr(watch, "RETRY_S", 0.01)
    server: Any = Server(trouble)
    deadline = time.monotonic() + WAIT_S_MAX
    with watch.kept_running(server):
        while not server.runs and time.monotonic() < deadline:
            time.sleep(0.01)
    assert (server.runs, server.tries) == (True, 2)
