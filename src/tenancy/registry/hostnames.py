"""Host names as clients send them, in the one form in which the registry keeps them."""

import ipaddress
import re
from functools import lru_cache

import idna

HOSTNAME_LENGTH_MAX = 253
HEADER_LENGTH_MAX = 512
NAMES_REMEMBERED_MAX = 4_096
"""Names whose form is remembered: every request has one."""

_LABEL = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
_HOST_AND_PORT = re.compile(r"^([^:\[\]/@\s]+?)\.?(?::[0-9]{0,5})?$")


@lru_cache(NAMES_REMEMBERED_MAX)
def normalise_hostname(host: str) -> str | None:
    """Return the host name in lower case, IDNA-encoded (UTS 46), without port and trailing dot.

    Returns None for what is no host name: an address, an empty or malformed value.
    """
    match = _HOST_AND_PORT.fullmatch(host.strip()) if len(host) <= HEADER_LENGTH_MAX else None
    if match is None or _is_address(match[1]):
        return None
    name = match[1].lower()
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True, std3_rules=True).decode()
        except idna.IDNAError:
            return None
    if len(name) > HOSTNAME_LENGTH_MAX:
        return None
    return name if all(_LABEL.fullmatch(label) for label in name.split(".")) else None


def label_under(hostname: str, base_domain: str) -> str | None:
    """Return the one label that stands before `.base_domain`, or None: `evilejemplo.com` is not under `ejemplo.com`."""
    label, dot, rest = hostname.partition(".")
    return label if dot and rest == base_domain else None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
