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
    keys = list(order)
    if request.cursor is not None:
        types = [python_type(column) for column in keys]
        seen = decode_cursor(request.cursor, types)
        bound = tuple_(*keys)
        statement = statement.where(bound < seen if descending else bound > seen)
    ordered = statement.order_by(*(k.desc() if descending else k.asc() for k in keys))
    rows = (await session.execute(ordered.limit(request.limit + 1))).all()
    items = rows[: request.limit]
    more = len(rows) > request.limit
    last = encode_cursor([items[-1]._mapping[k] for k in keys]) if more else None  # noqa: SLF001
    return Page(items=[make(row) for row in items], next_cursor=last)


def python_type(column: ColumnElement[Any]) -> type:
    """Return the type that a cursor's JSON value is converted to for this column."""
    python_type = column.type.python_type
    return python_type if python_type in {UUID, datetime, int} else str
