"""Describes the product's tenant tables for the rival, so that both have the same ones."""

from typing import Any

from sqlalchemy import Column, ForeignKeyConstraint, Index, Table, UniqueConstraint, types
from sqlalchemy.dialects import postgresql

TENANT = "tenant_id"
NAME_LENGTH_MAX = 30

TYPES: tuple[tuple[type[types.TypeEngine[Any]], str], ...] = (
    (types.Uuid, "uuid"),
    (postgresql.JSONB, "jsonb"),
    (types.Boolean, "boolean"),
    (types.SmallInteger, "smallint"),
    (types.BigInteger, "bigint"),
    (types.Integer, "integer"),
    (types.Float, "double"),
    (types.Numeric, "numeric"),
    (types.DateTime, "timestamptz"),
    (types.Date, "date"),
    (types.Time, "time"),
    (types.LargeBinary, "bytea"),
    (types.ARRAY, "text[]"),
    (types.String, "text"),
)


def described(tables: list[Table]) -> list[dict[str, Any]]:
    """Return the tables as plain values, without `tenant_id` and without columns that Django cannot have."""
    return [_table(table) for table in tables]


def type_name(column: Column[Any]) -> str | None:
    """Return the short name of a column's type, None for those that are left out."""
    if column.computed is not None:
        return None
    return next((name for kind, name in TYPES if isinstance(column.type, kind)), None)


def _table(table: Table) -> dict[str, Any]:
    targets = _targets(table)
    kept = [c for c in table.columns if c.name != TENANT and type_name(c) is not None]
    return {
        "name": table.name,
        "columns": [
            {
                "name": column.name,
                "type": type_name(column),
                "nullable": bool(column.nullable),
                "target": targets.get(column.name),
            }
            for column in kept
        ],
        **_indexes(table, {column.name for column in kept}),
    }


def _targets(table: Table) -> dict[str, str]:
    """Return the tables that single columns point to, the tenant being left out."""
    targets = {}
    for constraint in table.constraints:
        if isinstance(constraint, ForeignKeyConstraint):
            columns = [name for name in constraint.column_keys if name != TENANT]
            if len(columns) == 1:
                targets[columns[0]] = constraint.elements[0].target_fullname.split(".")[0]
    return targets


def _indexes(table: Table, known: set[str]) -> dict[str, list[dict[str, Any]]]:
    """Return unique constraints and indexes; those on expressions or on unknown columns are left out."""
    uniques, indexes = [], []
    constraints = [c for c in table.constraints if isinstance(c, UniqueConstraint)]
    for item in [*constraints, *table.indexes]:
        columns = [c.name for c in item.columns if c.name != TENANT]
        if not columns or not known.issuperset(columns) or _has_expressions(item):
            continue
        whole = isinstance(item, UniqueConstraint) or (item.unique and _condition(item) is None)
        (uniques if whole else indexes).append(columns)
    return {
        "uniques": [_named(table, "u", n, c) for n, c in enumerate(sorted(uniques))],
        "indexes": [_named(table, "i", n, c) for n, c in enumerate(sorted(indexes))],
    }


def _named(table: Table, kind: str, number: int, columns: list[str]) -> dict[str, Any]:
    suffix = f"_{kind}{number}"
    return {"name": table.name[: NAME_LENGTH_MAX - len(suffix)] + suffix, "columns": columns}


def _has_expressions(item: UniqueConstraint | Index) -> bool:
    return isinstance(item, Index) and not all(isinstance(e, Column) for e in item.expressions)


def _condition(index: Index) -> Any:
    return index.dialect_options["postgresql"].get("where")
