"""What a database error means to a caller: by SQLSTATE and constraint name, never by its text."""

from functools import cache
from typing import Final

from sqlalchemy import Constraint, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm.exc import StaleDataError

from app.problems import INTERNAL, INVALID, RETRY, UNAVAILABLE, ProblemRow
from domain.tables import TenantBase

BY_SQLSTATE: Final[dict[str, ProblemRow]] = {
    "23505": ProblemRow(409, "duplicate"),
    "23503": ProblemRow(422, "invalid_reference"),
    "23502": INVALID,
    "23514": INVALID,
    "23P01": ProblemRow(409, "appointment_conflict"),
    "22001": INVALID,
    "22003": INVALID,
    "22007": INVALID,
    "22008": INVALID,
    "22021": INVALID,
    "22023": INVALID,
    "22P02": INVALID,
    "22P05": INVALID,
    "40P01": RETRY,
    "40001": RETRY,
    "55P03": RETRY,
    "57014": RETRY,
}
"""Violations; values that do not fit (too long, out of range, no date, NUL in a text); what another try may get past."""

BY_SQLSTATE_CLASS: Final[dict[str, ProblemRow]] = {
    "08": UNAVAILABLE,
    "53": UNAVAILABLE,
    "57": UNAVAILABLE,
    "TN": RETRY,
}
"""Connection lost, no resources, shutting down, a home that let nobody in."""

STALE: Final = ProblemRow(412, "stale_version")
TENANT_COLUMN: Final = "tenant_id"


def database_row(error: Exception) -> ProblemRow:
    """Return the row of an error of SQLAlchemy; what is neither the caller's nor the network's is our bug."""
    if isinstance(error, StaleDataError):
        return STALE
    if isinstance(error, PoolTimeoutError):
        return UNAVAILABLE
    if not isinstance(error, DBAPIError):
        return INTERNAL
    sqlstate = getattr(error.orig, "sqlstate", None) or ""
    row = BY_SQLSTATE.get(sqlstate) or BY_SQLSTATE_CLASS.get(sqlstate[:2])
    if row is not None:
        return row
    if error.connection_invalidated:
        return UNAVAILABLE
    return INVALID if _refused_by_driver(error) else INTERNAL


def violated_fields(error: Exception) -> tuple[str, ...]:
    """Return the columns, which are the names of JSON fields, of the constraint that was violated."""
    driver_error = _driver_error(error) if isinstance(error, DBAPIError) else None
    name = getattr(driver_error, "constraint_name", None)
    return _fields_by_constraint().get(name, ()) if name else ()


def _refused_by_driver(error: DBAPIError) -> bool:
    """Whether the driver itself found a value that its wire format cannot hold; a wrong type is our bug."""
    driver_error = _driver_error(error)
    reason = driver_error.__cause__ if driver_error is not None else None
    return isinstance(reason, OverflowError | ValueError)


def _driver_error(error: DBAPIError) -> BaseException | None:
    return error.orig.__cause__ if error.orig is not None else None


@cache
def _fields_by_constraint() -> dict[str, tuple[str, ...]]:
    """Return the columns of every constraint by its name in the database, where long names are cut."""
    preparer = postgresql.dialect().identifier_preparer  # type: ignore[no-untyped-call]  # SQLAlchemy does not annotate its dialects
    fields: dict[str, tuple[str, ...]] = {}
    for table in TenantBase.metadata.tables.values():
        for constraint in table.constraints:
            if isinstance(constraint, UniqueConstraint | ForeignKeyConstraint):
                fields[_name(preparer.format_constraint(constraint))] = _columns(constraint)
        for index in table.indexes:
            fields[_name(preparer.format_index(index))] = _columns(index)
    return fields


def _columns(constraint: Constraint | Index) -> tuple[str, ...]:
    columns = getattr(constraint, "columns", ())
    return tuple(column.name for column in columns if column.name != TENANT_COLUMN)


def _name(formatted: str | None) -> str:
    return (formatted or "").strip('"')
