"""What every canonical route refuses before its handler runs: query parameters that nobody reads."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import ASGIApp, Receive, Scope, Send

from controllers.errors import UnknownQueryParameterError

STRICT_PREFIX: Final = "/api/v1/"
UNKNOWN_NAMES_MAX: Final = 10
"""Names of unknown parameters that one answer lists."""


class RefuseUnknownParameters(ASGIMiddleware):
    """Raises `UnknownQueryParameterError` on a canonical route for a name that its handler does not declare.

    No guard: Litestar copies the handler for every guard of every request.
    """

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass the request on, or refuse it."""
        query = scope["query_string"]
        if query and scope["path"].startswith(STRICT_PREFIX):
            known = scope["litestar_app"].state.declared_parameters.get(id(scope["route_handler"]))
            _refuse_unknown(query, known or frozenset())
        await next_app(scope, receive, send)


def _refuse_unknown(query: bytes, known: frozenset[str]) -> None:
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    unknown = tuple(name for name in dict.fromkeys(name for name, _ in pairs) if name not in known)
    if unknown:
        raise UnknownQueryParameterError(unknown[:UNKNOWN_NAMES_MAX])


def declared_parameters(routes: Iterable[BaseRoute]) -> dict[int, frozenset[str]]:
    """Return the query parameters that each handler and its dependencies declare, by the handler's identity."""
    declared: dict[int, frozenset[str]] = {}
    for route in routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler, parameters in route.route_handler_map.values():
            names = frozenset(p.field_alias for p in parameters.expected_query_params)
            declared[id(handler)] = declared.get(id(handler), frozenset()) | names
    return declared
