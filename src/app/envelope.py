"""The outermost layer of every request: its id, its line in the log, its numbers, headers of every answer."""

import re
import time
from typing import Any, Final, cast
from uuid import uuid4

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.metrics import RequestMetrics
from app.request_state import REQUEST_ID, REQUEST_PATH, header, resolved_of
from app.telemetry import log, tenant_of
from controllers.etag import is_known

SANE_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
REQUEST_ID_HEADER: Final = b"x-request-id"
FORWARDED_PROTO: Final = b"x-forwarded-proto"
SCHEMES: Final = frozenset({"http", "https"})
GET: Final = "GET"
HEAD: Final = "HEAD"
ALLOW: Final = b"allow"
UNMATCHED: Final = "unmatched"
NO_STRATEGY: Final = "none"
SERVER_ERROR: Final = 500
OK: Final = 200
NOT_MODIFIED: Final = 304
PRIVATE_PREFIX: Final = "/api/"

SECURITY_HEADERS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
CONTENT_SECURITY_POLICY: Final = (
    b"content-security-policy",
    b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
)
NO_STORE: Final = (b"cache-control", b"no-store")
STRICT_TRANSPORT: Final = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
OF_THE_BODY: Final = frozenset({b"content-length", b"content-type"})

Headers = list[tuple[bytes, bytes]]


class Envelope:
    """Wraps the application; sees also what no route matches."""

    def __init__(
        self, app: ASGIApp, metrics: RequestMetrics, *, behind_proxy: bool = False
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._behind_proxy = behind_proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and its answer back with the headers that every answer has."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        scope["state"] = {
            **scope["state"],
            REQUEST_ID: _request_id(scope),
            REQUEST_PATH: scope["path"],
        }
        if self._behind_proxy:
            scope["scheme"] = _forwarded_scheme(scope)
        method: str = scope["method"]
        answer = _Answer(scope, send)
        if method == HEAD:
            # Everything within answers the GET (RFC 9110, 9.3.2): same handler, same guards, same audit event.
            scope["method"] = GET
        try:
            await self._app(scope, receive, answer.send)
        finally:
            self._record(scope, method, answer.status, time.perf_counter() - begun)

    def _record(self, scope: Scope, method: str, status: int, duration_s: float) -> None:
        route = scope.get("path_template") or UNMATCHED
        resolved = resolved_of(scope)
        strategy = resolved.placement.strategy.value if resolved else NO_STRATEGY
        self._metrics.observe(
            method=method, route=route, status=status, strategy=strategy, duration_s=duration_s
        )
        log.info(
            "request",
            method=method,
            route=route,
            status=status,
            duration_ms=round(duration_s * 1000, 2),
            request_id=scope["state"][REQUEST_ID],
            tenant_id=tenant_of(scope),
        )


class _Answer:
    """One answer on its way out: adds headers, and leaves out a body that is not asked for or known already."""

    __slots__ = ("_if_none_match", "_is_bodiless", "_scope", "_send", "status")

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._if_none_match = header(scope, b"if-none-match") if _reads(scope) else None
        self._is_bodiless = scope.get("method") == HEAD
        self.status = SERVER_ERROR

    async def send(self, message: Message) -> None:
        """Send the message on."""
        if message["type"] == "http.response.start":
            await self._send(self._started(message))
        elif not self._is_bodiless:
            await self._send(message)
        elif message["type"] == "http.response.body" and not message.get("more_body"):
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def _started(self, message: Any) -> Message:
        headers: Headers = [*message.get("headers", ()), *_added(self._scope, message)]
        self.status = message["status"]
        if self._if_none_match is not None and self.status == OK:
            etag = next((value for name, value in headers if name.lower() == b"etag"), b"")
            if etag and is_known(self._if_none_match, etag.decode()):
                self._is_bodiless = True
                self.status = NOT_MODIFIED
                headers = [h for h in headers if h[0].lower() not in OF_THE_BODY]
        headers = [(name, _with_head(value) if name == ALLOW else value) for name, value in headers]
        return cast("Message", {**message, "status": self.status, "headers": headers})


def _forwarded_scheme(scope: Scope) -> str:
    """Return the scheme that the caller used, as our proxy tells it."""
    told = (header(scope, FORWARDED_PROTO) or "").rpartition(",")[2].strip().lower()
    return told if told in SCHEMES else scope["scheme"]


def _reads(scope: Scope) -> bool:
    return scope.get("method") in {GET, HEAD}


def _with_head(allowed: bytes) -> bytes:
    """Return the methods of a route, with HEAD beside the GET that brings it."""
    methods = allowed.decode().split(", ")
    return ", ".join([HEAD, *methods] if GET in methods else methods).encode()


def _request_id(scope: Scope) -> str:
    """Return the caller's request id if it is harmless to log and echo, else a new one."""
    given = header(scope, REQUEST_ID_HEADER)
    return given if given and SANE_REQUEST_ID.fullmatch(given) else uuid4().hex


def _added(scope: Scope, message: Any) -> Headers:
    """Return the headers that this answer lacks."""
    present = {name.lower() for name, _ in message.get("headers", ())}
    added: Headers = [
        (REQUEST_ID_HEADER, scope["state"][REQUEST_ID].encode()),
        *SECURITY_HEADERS,
    ]
    if CONTENT_SECURITY_POLICY[0] not in present:
        added.append(CONTENT_SECURITY_POLICY)
    if scope["path"].startswith(PRIVATE_PREFIX) and NO_STORE[0] not in present:
        added.append(NO_STORE)
    if scope.get("scheme") == "https":
        added.append(STRICT_TRANSPORT)
    return added
