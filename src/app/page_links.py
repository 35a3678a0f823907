"""`Link: <...>; rel="next"` (RFC 8288) on every page that has a next one."""

from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from litestar.connection import Request
from litestar.response import Response
from litestar.response.base import ASGIResponse

from app.request_state import REQUEST_PATH
from domain.paging import Page

CURSOR = "cursor"


class LinkedResponse(Response[Any]):
    """What handlers' bare results are sent as."""

    def to_asgi_response(
        self, app: Any, request: Request[Any, Any, Any], **options: Any
    ) -> ASGIResponse:
        """Return the response, with the next page's address if its content is a page with a cursor."""
        if isinstance(self.content, Page) and self.content.next_cursor is not None:
            self.headers["Link"] = (
                f'<{_next_address(request, self.content.next_cursor)}>; rel="next"'
            )
        return super().to_asgi_response(app, request, **options)


def _next_address(request: Request[Any, Any, Any], cursor: str) -> str:
    """Return the address of this request with another cursor, relative to the host."""
    asked = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    parameters = [(name, value) for name, value in asked if name != CURSOR]
    path = request.scope["state"].get(REQUEST_PATH, request.scope["path"])
    return f"{quote(path)}?{urlencode([*parameters, (CURSOR, cursor)])}"
