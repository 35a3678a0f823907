"""Keyset pages: `{items, next_cursor}`, stable under inserts, never an OFFSET."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Row, Select, tuple_

from domain.errors import InvalidFieldError
from tenancy.session import TenantSession

T = TypeVar("T")

PAGE_LIMIT_DEFAULT = 25
PAGE_LIMIT_MAX = 100


class Page(Struct, Generic[T], frozen=True):
    """One page of a list; `next_cursor` is None at the end."""

    items: list[T]
    next_cursor: str | None = None


class InvalidCursorError(InvalidFieldError):
    """The cursor does not belong to this list."""

    def __init__(self) -> None:
        super().__init__("/cursor", "invalid_cursor", type(self).__doc__ or "")


class PageRequest(Struct, frozen=True):
    """What the caller asked for: at most `limit` rows after `cursor`."""

    limit: int = PAGE_LIMIT_DEFAULT
    cursor: str | None = None


def encode_cursor(values: Sequence[Any]) -> str:
    """Return the values of the last row's order columns as base64url JSON without padding."""
    return base64.urlsafe_b64encode(msgspec.json.encode(list(values))).rstrip(b"=").decode()


def decode_cursor(cursor: str, types: Sequence[type]) -> tuple[Any, ...]:
    """Return the values inside a cursor; raise `InvalidCursorError` if they are not of these types."""
    try:
        raw = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
        values = msgspec.json.decode(raw, type=list[Any])
        if len(values) != len(types):
            raise InvalidCursorError
        return tuple(msgspec.convert(v, t) for v, t in zip(values, types, strict=True))
    except (binascii.Error, UnicodeEncodeError, ValueError, msgspec.MsgspecError) as error:
        raise InvalidCursorError from error


async def fetch_page(  # keyword-only; each is one part of a keyset page
    session: TenantSession,
    statement: Select[Any],
    *,
    order: Sequence[ColumnElement[Any]],
    request: PageRequest,
    make: Callable[[Row[Any]], T],
    descending: bool = False,
) -> Page[T]:
    """Run `statement` as one keyset page ordered by `order`, whose last column must be unique.

    The order columns must be among the selected ones and be of type str, int, uuid or timestamptz.
    """
    keyset = Keyset(tuple(order), descending)
    if request.cursor is not None:
        statement = statement.where(keyset.beyond(keyset.seen(request.cursor)))
    rows = await session.execute(keyset.ordered(statement).limit(request.limit + 1))
    return keyset.page(rows.all(), request, make)


class Keyset(Struct, frozen=True):
    """The columns by which a list is ordered and continued; the last one is unique."""

    columns: tuple[ColumnElement[Any], ...]
    descending: bool = False

    def ordered(self, statement: Select[Any]) -> Select[Any]:
        """Return the statement in this order."""
        return statement.order_by(*(c.desc() if self.descending else c.asc() for c in self.columns))

    def beyond(self, values: Sequence[Any]) -> ColumnElement[bool]:
        """Return the condition on the rows that come after the one with these values."""
        bound, seen = tuple_(*self.columns), tuple_(*values)
        return bound < seen if self.descending else bound > seen

    def seen(self, cursor: str) -> tuple[Any, ...]:
        """Return the values inside a cursor of this list; raise `InvalidCursorError` for that of another."""
        return decode_cursor(cursor, [python_type(column) for column in self.columns])

    def page(
        self, rows: Sequence[Row[Any]], request: PageRequest, make: Callable[[Row[Any]], T]
    ) -> Page[T]:
        """Return the page that begins `rows`, of which there is one more than it holds where a next page follows."""
        items = rows[: request.limit]
        more = len(rows) > request.limit
        last = encode_cursor([items[-1]._mapping[c] for c in self.columns]) if more else None  # noqa: SLF001
        return Page(items=[make(row) for row in items], next_cursor=last)


def python_type(column: ColumnElement[Any]) -> type:
    """Return the type that a cursor's JSON value is converted to for this column."""
    python_type = column.type.python_type
    return python_type if python_type in {UUID, datetime, int} else str
