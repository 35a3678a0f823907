"""Answering with a problem without raising it, so that what the handler wrote is committed all the same."""

from typing import Any

from litestar import Request, Response

from domain.identity.login_schemas import Refused


def refusal(request: Request[Any, Any, Any], refused: Refused) -> Response[Any]:
    """Return the answer that the error would have got if it had been raised."""
    handlers = request.app.exception_handlers
    for kind in type(refused.error).__mro__:
        if kind in handlers:
            response: Response[Any] = handlers[kind](request, refused.error)
            return response
    # Nobody turns it into an answer: then it is an error like any other, and nothing is kept.
    raise refused.error
