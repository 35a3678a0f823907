"""Which web pages may call the API from a browser: those of registered clinics and of configured origins."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from sqlalchemy.exc import SQLAlchemyError

from app.request_state import header
from app.resolution import Directory, find, host_candidate
from tenancy.errors import TenancyError
from tenancy.registry.hostnames import normalise_hostname

ORIGIN_LENGTH_MAX: Final = 300
SCHEMES: Final = frozenset({"http", "https"})
DEVELOPMENT_DOMAIN: Final = "localhost"

ALLOWED_HEADERS: Final = (
    b"Authorization, Content-Type, X-Tenant-ID, X-Organization-ID, If-Match, If-None-Match, "
    b"Idempotency-Key, Accept-Language, X-Request-ID"
)
EXPOSED_HEADERS: Final = (
    b"ETag, Link, Location, Retry-After, X-Request-ID, Idempotency-Replayed, X-Subscription-Status"
)
ALLOWED_METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
PREFLIGHT_KEPT_S: Final = b"600"

Headers = list[tuple[bytes, bytes]]


class RegisteredOrigins:
    """Knows whether an origin belongs to a clinic, to a base domain or to the configured ones."""

    def __init__(
        self, directory: Directory, base_domains: Sequence[str], configured: Sequence[str]
    ) -> None:
        self._directory = directory
        self._base_domains = tuple(base_domains)
        self._configured = frozenset(origin.rstrip("/").lower() for origin in configured)

    async def allows(self, origin: str) -> bool:
        """Return whether pages of this origin may read answers; a port is for development domains only."""
        if origin.lower() in self._configured:
            return True
        hostname = _hostname_of(origin)
        return hostname is not None and (
            hostname in self._base_domains or await self._is_registered(hostname)
        )

    async def _is_registered(self, hostname: str) -> bool:
        candidate = host_candidate(hostname, self._base_domains)
        if candidate is None:
            return False
        try:
            return await find(candidate, self._directory) is not None
        except (TenancyError, SQLAlchemyError, OSError):
            # Without the registry nobody new is let in; the request itself is answered all the same.
            return False


def _hostname_of(origin: str) -> str | None:
    """Return the host name of a web origin (RFC 6454); None for what is none or has a port it may not have."""
    try:
        parts = urlsplit(origin[:ORIGIN_LENGTH_MAX])
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in SCHEMES or parts.path or parts.query or parts.fragment or parts.username:
        return None
    hostname = normalise_hostname(parts.hostname or "")
    if hostname is None:
        return None
    is_development = hostname == DEVELOPMENT_DOMAIN or hostname.endswith(f".{DEVELOPMENT_DOMAIN}")
    return hostname if port is None or is_development else None


class CrossOrigin:
    """Answers preflights and marks the answers that a page of another origin may read."""

    def __init__(self, app: ASGIApp, origins: RegisteredOrigins) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; a preflight (Fetch, 3.2.2) is answered here."""
        origin = header(scope, b"origin") if scope["type"] == ScopeType.HTTP else None
        if origin is None:
            await self._app(scope, receive, send)
            return
        is_allowed = await self._origins.allows(origin)
        headers = _cors_headers(origin, is_allowed=is_allowed)
        asked = header(scope, b"access-control-request-method")
        if scope.get("method") == "OPTIONS" and asked is not None:
            await _answer_preflight(send, headers, is_allowed=is_allowed)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *headers]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _cors_headers(origin: str, *, is_allowed: bool) -> Headers:
    headers: Headers = [(b"vary", b"Origin")]
    if is_allowed:
        headers += [
            (b"access-control-allow-origin", origin.encode()),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", EXPOSED_HEADERS),
        ]
    return headers


async def _answer_preflight(send: Send, headers: Headers, *, is_allowed: bool) -> None:
    allowed: Headers = [
        (b"access-control-allow-methods", ALLOWED_METHODS),
        (b"access-control-allow-headers", ALLOWED_HEADERS),
        (b"access-control-max-age", PREFLIGHT_KEPT_S),
    ]
    status = 204 if is_allowed else 403
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, *(allowed if is_allowed else ())],
        }
    )
    await send({"type": "http.response.body", "body": b"", "more_body": False})
