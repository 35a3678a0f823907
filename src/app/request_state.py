"""What the frame notes on a request for its later parts: its id, its clinic, the caller's address."""

import ipaddress
from typing import Final

from litestar.types import Scope

from tenancy.tenant import ResolvedTenant

REQUEST_ID: Final = "request_id"
REQUEST_PATH: Final = "request_path"
"""The path as it was asked for; routing takes a trailing slash away."""

RESOLVED: Final = "resolved_tenant"
CLIENT_ADDRESS: Final = "client_address"
FORWARDED_FOR: Final = b"x-forwarded-for"


def header(scope: Scope, name: bytes) -> str | None:
    """Return the first value of the header, which may hold UTF-8 although the standard forbids it."""
    for key, value in scope["headers"]:
        if key == name:
            return value.decode("utf-8", "replace")
    return None


def headers(scope: Scope, name: bytes) -> list[str]:
    """Return all values of the header, in order."""
    return [value.decode("utf-8", "replace") for key, value in scope["headers"] if key == name]


def resolved_of(scope: Scope) -> ResolvedTenant | None:
    """Return the clinic that the request was found to be for, if that is settled."""
    resolved = scope["state"].get(RESOLVED)
    return resolved if isinstance(resolved, ResolvedTenant) else None


def client_address(scope: Scope, trusted_proxy_hops: int) -> str:
    """Return the address of the caller: the peer, or what the outermost trusted proxy saw.

    Of X-Forwarded-For only the last `trusted_proxy_hops` entries were written by proxies of ours.
    """
    client = scope.get("client")
    peer = str(client[0]) if client else "unknown"
    if trusted_proxy_hops == 0:
        return peer
    joined = ",".join(headers(scope, FORWARDED_FOR))
    hops = [entry.strip() for entry in joined.split(",") if entry.strip()]
    seen = hops[-trusted_proxy_hops] if len(hops) >= trusted_proxy_hops else peer
    try:
        return str(ipaddress.ip_address(seen))
    except ValueError:
        return peer
