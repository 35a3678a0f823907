"""The query parameters of every list: `limit` and `cursor`."""

from typing import Annotated, Final

from litestar.params import QueryParameter

from domain.paging import PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX, PageRequest

__all__ = ["PAGE_LIMIT_DEFAULT", "Cursor", "Limit", "page_request"]

CURSOR_LENGTH_MAX: Final = 512

Limit = Annotated[
    int, QueryParameter(ge=1, le=PAGE_LIMIT_MAX, description="How many items a page may hold.")
]
Cursor = Annotated[
    str | None,
    QueryParameter(
        max_length=CURSOR_LENGTH_MAX, description="The `next_cursor` of the page before."
    ),
]


def page_request(limit: int, cursor: str | None) -> PageRequest:
    """Return what the domain's lists take; an empty cursor asks for the first page."""
    return PageRequest(limit=limit, cursor=cursor or None)
