"""Fills clinics with rows: those of one model clinic, which came in through the API, under other ids.

Every clinic so has the same data in every strategy, in the reference and in the rival; only ids differ from clinic to
clinic, in the same way everywhere.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import Struct

CLINIC_NUMBER_MAX = 0xFFFF
TENANT = "tenant_id"

COLUMNS = """
SELECT c.table_name, c.column_name, c.udt_name = 'uuid' AS is_uuid
  FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
 WHERE c.table_schema = $1 AND t.table_type = 'BASE TABLE' AND c.is_generated = 'NEVER'
 ORDER BY c.table_name, c.ordinal_position
"""


class ModelTable(Struct, frozen=True):
    """The model clinic's rows of one table."""

    name: str
    columns: tuple[str, ...]
    uuid_columns: frozenset[str]
    rows: tuple[tuple[Any, ...], ...]


class Destination(Struct, frozen=True):
    """Where one copy goes: the clinic's number, which makes its ids, and its tenant id there."""

    number: int
    tenant_id: UUID | None
    """None where the tables have no such column."""


def numbered(identifier: UUID, number: int) -> UUID:
    """Return the id that clinic `number` has in place of one of the model's; keeps the order of time."""
    assert 0 <= number <= CLINIC_NUMBER_MAX
    return UUID(int=identifier.int ^ number)


async def read_model(
    connection: asyncpg.Connection, schema: str, tenant_id: UUID
) -> list[ModelTable]:
    """Return all rows of the model clinic."""
    columns: dict[str, list[asyncpg.Record]] = {}
    for column in await connection.fetch(COLUMNS, schema):
        columns.setdefault(column["table_name"], []).append(column)
    tables = []
    for table, described in columns.items():
        names = tuple(column["column_name"] for column in described)
        if TENANT not in names:
            continue
        selected = ", ".join(f'"{name}"' for name in names)
        rows = await connection.fetch(
            f'SELECT {selected} FROM "{schema}"."{table}" WHERE tenant_id = $1', tenant_id
        )
        uuids = frozenset(c["column_name"] for c in described if c["is_uuid"])
        tables.append(ModelTable(table, names, uuids, tuple(tuple(row) for row in rows)))
    return tables


async def write_copies(
    connection: asyncpg.Connection,
    schema: str,
    model: Iterable[ModelTable],
    destinations: Sequence[Destination],
) -> None:
    """Add a copy of the model for each destination; `connection` is a superuser's, past triggers and policies."""
    async with connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        for table in model:
            records = [row for to in destinations for row in _copied(table, to)]
            if records:
                columns = [c for c in table.columns if c != TENANT or _has_tenant(destinations)]
                await connection.copy_records_to_table(
                    table.name, schema_name=schema, columns=columns, records=records
                )


def _has_tenant(destinations: Sequence[Destination]) -> bool:
    return destinations[0].tenant_id is not None


def _copied(table: ModelTable, to: Destination) -> Iterable[tuple[Any, ...]]:
    for row in table.rows:
        yield tuple(
            _value(name, value, table, to)
            for name, value in zip(table.columns, row, strict=True)
            if name != TENANT or to.tenant_id is not None
        )


def _value(name: str, value: Any, table: ModelTable, to: Destination) -> Any:
    if name == TENANT:
        return to.tenant_id
    if value is None or name not in table.uuid_columns:
        return value
    return numbered(value, to.number)
