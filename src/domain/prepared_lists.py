"""Lists whose statement is built once for a form that many requests share; what differs is bound by name.

Building a select of six tables, and the key under which SQLAlchemy knows it, costs more than everything that tenancy
adds to a request. Nothing of a request may be inside such a statement: each value is a required parameter, so that one
that is forgotten is an error and never the value of the caller before.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Integer, Row, Select, bindparam
from sqlalchemy.orm import Session

from domain.paging import Keyset, Page, PageRequest
from tenancy.session import TenantSession

T = TypeVar("T")

FORMS_MAX: Final = 256
"""Forms of one list that are kept; the one unused for longest goes."""

ROWS: Final = "page_rows"


class PreparedList:
    """A keyset page over `statement`, ordered by `order`, whose last column must be unique and all selected."""

    def __init__(
        self,
        statement: Select[Any],
        *,
        order: Sequence[ColumnElement[Any]],
        descending: bool = False,
    ) -> None:
        self._keyset = keyset = Keyset(tuple(order), descending)
        self._first = keyset.ordered(statement).limit(bindparam(ROWS, type_=Integer))
        places = [bindparam(_after(n), type_=key.type) for n, key in enumerate(keyset.columns)]
        self._following = self._first.where(keyset.beyond(places))

    async def fetch(
        self,
        session: TenantSession,
        values: Mapping[str, Any],
        request: PageRequest,
        make: Callable[[Row[Any]], T],
    ) -> Page[T]:
        """Return one page with these values bound; raise `InvalidCursorError` for a cursor of another list."""
        statement, bound = self._first, {**values, ROWS: request.limit + 1}
        if request.cursor is not None:
            statement = self._following
            seen = self._keyset.seen(request.cursor)
            bound |= {_after(n): value for n, value in enumerate(seen)}
        rows = await session.run_sync(_read, statement, bound)
        return self._keyset.page(rows, request, make)


def _after(position: int) -> str:
    return f"after_{position}"


def _read(
    session: Session, statement: Select[Any], values: Mapping[str, Any]
) -> Sequence[Row[Any]]:
    """Return the rows as they are: columns need none of what a session does to make objects of them."""
    session.flush()
    return session.connection().execute(statement, values).all()
