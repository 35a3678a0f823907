"""Finds the request's clinic after authentication and before its handler, or refuses the request."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from litestar.connection import Request
from litestar.datastructures import MutableScopeHeaders
from litestar.exceptions import SerializationException
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.request_state import RESOLVED, headers, resolved_of
from app.resolution import (
    Candidate,
    Directory,
    TenantMismatchError,
    TenantNotResolvedError,
    check_status,
    host_candidate,
    named_candidate,
    resolve,
)
from auth.route_options import NO_TENANT, PUBLIC, SESSION_MODE, TENANT_IN_BODY, WHILE_SUSPENDED
from tenancy.modes import Mode
from tenancy.tenant import ResolvedTenant, TenantStatus

NAMING_HEADERS: Final = (b"x-tenant-id", b"x-organization-id")
SUBSCRIPTION_HEADER: Final = "X-Subscription-Status"


class ResolveTenant(ASGIMiddleware):
    """Puts the `ResolvedTenant` that host, headers and token agree on into the request's state.

    Where the body may name the clinic too (login), `resolved_tenant` settles it when the body is read.
    """

    exclude_opt_key = NO_TENANT

    def __init__(self, directory: Directory, base_domains: Sequence[str]) -> None:
        self._directory = directory
        self._base_domains = tuple(base_domains)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Resolve the clinic and let the request on if its status allows."""
        resolved = await resolve(self._candidates(scope), self._directory)
        options: dict[str, Any] = scope["route_handler"].opt
        if not options.get(PUBLIC):
            _agree_with_token(resolved, scope)
        if resolved is not None:
            _admit(resolved, scope)
            if resolved.tenant.status is TenantStatus.PAST_DUE:
                send = _with_subscription_status(send)
        elif not options.get(TENANT_IN_BODY):
            raise TenantNotResolvedError
        await next_app(scope, receive, send)

    def _candidates(self, scope: Scope) -> list[Candidate | None]:
        hosts = [host_candidate(host, self._base_domains) for host in headers(scope, b"host")]
        named = [
            named_candidate(value, self._base_domains)
            for name in NAMING_HEADERS
            for value in headers(scope, name)
        ]
        return [*hosts, *named]


async def resolved_tenant(
    request: Request[Any, Any, Any], directory: Directory, base_domains: Sequence[str]
) -> ResolvedTenant:
    """Return the request's clinic, which a login's body may name; raise as the middleware does."""
    before = resolved_of(request.scope)
    if not request.scope["route_handler"].opt.get(TENANT_IN_BODY):
        if before is None:
            raise TenantNotResolvedError
        return before
    named = named_candidate(await _named_in_body(request), base_domains)
    found = await resolve([named], directory)
    if before is not None and found is not None and found.tenant.id != before.tenant.id:
        raise TenantMismatchError
    resolved = before or found
    if resolved is None:
        raise TenantNotResolvedError
    _admit(resolved, request.scope)
    return resolved


async def _named_in_body(request: Request[Any, Any, Any]) -> str | None:
    """Return the body's `tenant_id`; what is wrong with the body is for the handler's validation to say."""
    try:
        body = await request.json()
    except SerializationException:
        return None
    value = body.get("tenant_id") if isinstance(body, dict) else None
    return value if isinstance(value, str) else None


def _agree_with_token(resolved: ResolvedTenant | None, scope: Scope) -> None:
    signed: UUID | None = getattr(scope.get("user"), "tenant_id", None)
    if resolved is not None and resolved.tenant.id != signed:
        raise TenantMismatchError


def _admit(resolved: ResolvedTenant, scope: Scope) -> None:
    options: dict[str, Any] = scope["route_handler"].opt
    check_status(
        resolved.tenant.status,
        writes=options.get(SESSION_MODE) is Mode.WRITE and not options.get(WHILE_SUSPENDED),
        is_public=bool(options.get(PUBLIC)),
    )
    scope["state"][RESOLVED] = resolved


def _with_subscription_status(send: Send) -> Send:
    async def send_with_status(message: Message) -> None:
        if message["type"] == "http.response.start":
            response_headers = MutableScopeHeaders.from_message(message)
            response_headers[SUBSCRIPTION_HEADER] = TenantStatus.PAST_DUE.value
        await send(message)

    return send_with_status
