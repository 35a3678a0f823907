"""Lets the machine notice that a server has fallen silent, where nothing else limits how long an answer may take."""

import os
import socket
from typing import Any, Final

PROBE_AFTER_S: Final = 15
PROBE_EVERY_S: Final = 5
PROBES_MAX: Final = 3
SILENCE_S_MAX: Final = PROBE_AFTER_S + PROBE_EVERY_S * PROBES_MAX
"""A server that is there answers a probe whatever it is busy with; after this the connection is broken."""

_LIMITS: Final = (
    # By name, as not every system has each of them.
    ("TCP_KEEPIDLE", PROBE_AFTER_S),
    ("TCP_KEEPINTVL", PROBE_EVERY_S),
    ("TCP_KEEPCNT", PROBES_MAX),
    ("TCP_USER_TIMEOUT", SILENCE_S_MAX * 1000),
)


def limit_silence(connection: Any) -> None:
    """Break this driver connection when its server's machine was not heard of for `SILENCE_S_MAX`.

    Without it, who waits for an answer when the way is cut waits for ever: nobody tells it. Sockets within one
    machine need none of it.
    """
    transport = connection._transport  # noqa: SLF001  # the driver has no public way to it
    found = transport.get_extra_info("socket")
    if found is None or found.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    # The loop's own stand-in for a socket takes no options.
    with socket.socket(fileno=os.dup(found.fileno())) as own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _LIMITS:
            if (option := getattr(socket, name, None)) is not None:
                own.setsockopt(socket.IPPROTO_TCP, option, value)
