"""Keeps the embedded server running while this process answers for it: a killed one is started again."""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from app.postgres.server import PostgresServer

POLL_S: Final = 0.5
RESTARTS_MAX: Final = 5
RESTARTS_WITHIN_S: Final = 600.0
"""A server that falls more often than that has a trouble that a start does not cure: a full disk, no memory."""

RETRY_S: Final = 2.0

log = logging.getLogger(__name__)


@contextmanager
def kept_running(server: PostgresServer) -> Iterator[None]:
    """Start the server again whenever it is found dead in this block, `RESTARTS_MAX` times in `RESTARTS_WITHIN_S`.

    Nothing of it goes on after the block, so that the server can be stopped in order.
    """
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(server, ended), daemon=True)
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join()


def _watch(server: PostgresServer, ended: threading.Event) -> None:
    tries: deque[float] = deque(maxlen=RESTARTS_MAX)
    while not ended.wait(POLL_S):
        if not _has_died(server):
            continue
        if len(tries) == RESTARTS_MAX and tries[0] > time.monotonic() - RESTARTS_WITHIN_S:
            log.error(
                "PostgreSQL is down and was started %d times in vain: see its log, then restart this program",
                RESTARTS_MAX,
            )
            return
        tries.append(time.monotonic())
        log.warning("PostgreSQL has died: starting it again")
        try:
            server.revive()
        except Exception as error:  # noqa: BLE001  # whatever it is, a watch that ends unseen is worse
            log.warning(
                "PostgreSQL could not be started again: %s: %s", type(error).__name__, error
            )
            ended.wait(RETRY_S)
        else:
            log.warning("PostgreSQL runs again")


def _has_died(server: PostgresServer) -> bool:
    """Return whether the server is known to be dead: where it cannot be told, it is asked again."""
    try:
        return server.has_died
    except Exception as error:  # noqa: BLE001  # as above
        log.warning("PostgreSQL could not be looked at: %s: %s", type(error).__name__, error)
        return False
