"""Runs the server processes until a signal, after what they need is there and checked."""

import errno
import multiprocessing
import os
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, Final

from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server as Granian

from app.cli.errors import CommandError
from app.cli.metrics_directory import metrics_directory
from app.metrics import MULTIPROCESS_VARIABLE
from app.settings import Settings

WORKER_APPLICATION: Final = "app.cli.worker:create_worker_app"
WORKER_STOP_S_MAX: Final = (
    20  # a request that takes longer is rolled back; service runners kill after 30 s
)
HEAD_READ_S_MAX: Final = 6
"""A worker that is asked to end waits for every request whose first bytes have come: this is how long one that never gets
any further can keep it. A connection that is kept alive is closed when it has been idle for as long."""

MS_PER_S: Final = 1000
READY_WAIT_S_MAX: Final = 120.0
READY_POLL_S: Final = 0.1
READY_ANSWER_S_MAX: Final = 5.0
ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # what people enter for "every address"
LOG_TO_STDERR: Final[dict[str, Any]] = {
    "handlers": {
        name: {
            "formatter": "generic",
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stderr",
        }
        for name in ("console", "access")
    }
}


def refuse_used_port(host: str, port: int) -> None:
    """Raise `CommandError` unless this process may listen there.

    The server processes share the port among themselves, so they would share it with a stranger too and notice nothing.
    """
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise CommandError(f"cannot listen on {host}: there is no such address") from error
    for family, kind, protocol, _, address in addresses:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                raise CommandError(_port_problem(host, port, error)) from error


def _port_problem(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use: choose another with --port or CLINIC_PORT"
    return f"cannot listen on port {port} of {host}: {error.strerror}"


def run_workers(settings: Settings, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is called once the first worker answers.

    Raises `SystemExit` when a worker cannot start.
    """
    # A new process for each, instead of a fork: it holds nothing of ours, not even the lock on the data directory.
    multiprocessing.set_start_method("spawn", force=True)
    with metrics_directory() as metrics:
        if settings.workers > 1:
            os.environ[MULTIPROCESS_VARIABLE] = str(metrics)
        threading.Thread(target=_announce, args=(settings, ready), daemon=True).start()
        Granian(
            WORKER_APPLICATION,
            address=settings.host,
            port=settings.port,
            interface=Interfaces.ASGI,
            workers=settings.workers,
            runtime_mode=RuntimeModes.st,
            loop=Loops.uvloop,
            http=HTTPModes.auto,
            http1_settings=HTTP1Settings(header_read_timeout=HEAD_READ_S_MAX * MS_PER_S),
            websockets=False,
            factory=True,
            log_level=LogLevels.warning,
            log_dictconfig=LOG_TO_STDERR,
            respawn_failed_workers=True,
            workers_kill_timeout=WORKER_STOP_S_MAX,
        ).serve()


def local_url(settings: Settings) -> str:
    """Return the address at which this machine reaches the server."""
    host = ANY_ADDRESS.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _announce(settings: Settings, ready: Callable[[], None]) -> None:
    deadline = time.monotonic() + READY_WAIT_S_MAX
    while time.monotonic() < deadline:
        try:
            url = f"{local_url(settings)}/health/ready"
            with urllib.request.urlopen(url, timeout=READY_ANSWER_S_MAX):  # noqa: S310  # our own address
                ready()
                return
        except (OSError, urllib.error.URLError):
            time.sleep(READY_POLL_S)
