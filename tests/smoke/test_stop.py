"""A server that is asked to end does so by itself and soon: no worker is killed, whatever its clients leave open."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from served import LOOPBACK, serving
from servers import throw_away_directory

KILLED = "refused to gracefully stop"
IDLE_STOP_S_MAX = 10.0
HALF_A_HEAD = b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with throw_away_directory() as directory:
        yield directory


@pytest.mark.parametrize("workers", ["1", "2"])
def test_idle_server_stops_soon(data_dir: Path, workers: str) -> None:
    with serving(data_dir, CLINIC_WORKERS=workers) as served:
        asked_at = time.monotonic()
        assert served.stop() == 0
    assert time.monotonic() - asked_at < IDLE_STOP_S_MAX
    assert KILLED not in served.said()


def test_request_that_never_gets_beyond_its_head_does_not_keep_a_worker(data_dir: Path) -> None:
    with (
        serving(data_dir, CLINIC_WORKERS="1") as served,
        socket.create_connection((LOOPBACK, served.port)) as client,
    ):
        client.sendall(HALF_A_HEAD)
        time.sleep(0.5)  # until the worker has read it
        assert served.stop() == 0
    assert KILLED not in served.said()
