"""What a move must know of a home's tables: columns, keys, fingerprints. Read from the catalog, never assumed."""

import hashlib
from typing import Any

from msgspec import Struct

from tenancy.installer import quoted
from tenancy.migrations import TENANT_TREE
from tenancy.mover.errors import StreamError

TENANT_COLUMN = "tenant_id"


class Column(Struct, frozen=True):
    """One column; `type` is written as SQL casts to it."""

    name: str
    type: str
    is_generated: bool


class TableShape(Struct, frozen=True, kw_only=True):
    """One tenant table: its columns in order and the columns of its primary key."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def stored(self) -> tuple[Column, ...]:
        """The columns that are written; generated ones follow from them."""
        return tuple(column for column in self.columns if not column.is_generated)

    def type_of(self, name: str) -> str:
        """Return the SQL type of a column; raise `StreamError` for one that the table had not when it was looked at."""
        for column in self.columns:
            if column.name == name:
                return column.type
        raise StreamError(f"the stream names column {name} of {self.name}, unknown here")

    def names(self) -> str:
        """Return the written columns as a SQL list."""
        return ", ".join(quoted(column.name) for column in self.stored)

    def key_names(self) -> str:
        """Return the primary key as a SQL list."""
        return ", ".join(quoted(name) for name in self.key)

    def key_order(self) -> str:
        """Return the primary key as both ends order it alike, whatever the collation of their databases."""
        return ", ".join(
            f'{quoted(name)} COLLATE "C"' if self.type_of(name) == "text" else quoted(name)
            for name in self.key
        )

    def row_hash(self, alias: str | None = None) -> str:
        """Return the SQL expression of a row's 64-bit hash over every column, generated ones too."""
        prefix = "" if alias is None else f"{quoted(alias)}."
        every = ", ".join(f"{prefix}{quoted(column.name)}" for column in self.columns)
        return f"pg_catalog.hash_record_extended(ROW({every}), 0)"


Shapes = dict[str, TableShape]

_COLUMNS = """
SELECT c.relname::text AS name, array_agg(a.attname::text ORDER BY a.attname) AS names,
       array_agg(pg_catalog.format_type(a.atttypid, a.atttypmod) ORDER BY a.attname) AS types,
       array_agg(a.attgenerated <> '' ORDER BY a.attname) AS generated,
       (SELECT array_agg(k.attname::text ORDER BY array_position(i.indkey::int2[], k.attnum))
          FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute k ON k.attrelid = c.oid AND k.attnum = ANY (i.indkey)
         WHERE i.indrelid = c.oid AND i.indisprimary) AS key
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
 WHERE c.relnamespace = pg_catalog.to_regnamespace($1) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
   AND c.relname <> $2 AND a.attnum > 0 AND NOT a.attisdropped
 GROUP BY c.oid, c.relname ORDER BY c.relname
"""


async def read_shapes(connection: Any, schema: str) -> Shapes:
    """Return the tenant tables of a schema by name, none where it is gone; columns are sorted, so that two homes compare."""
    rows = await connection.fetch(_COLUMNS, quoted(schema), TENANT_TREE.version_table)
    return {
        row["name"]: TableShape(
            name=row["name"],
            columns=tuple(
                Column(*column)
                for column in zip(row["names"], row["types"], row["generated"], strict=True)
            ),
            key=tuple(row["key"] or ()),
        )
        for row in rows
    }


def uncovered(shapes: Shapes) -> list[str]:
    """Return the tables whose primary key does not begin with the tenant: a row filter on them would break updates."""
    return [
        shape.name for shape in shapes.values() if not shape.key or shape.key[0] != TENANT_COLUMN
    ]


async def odd_identities(connection: Any, schema: str) -> list[str]:
    """Return the tables whose replica identity is not the primary key: published, they would refuse updates."""
    rows = await connection.fetch(
        "SELECT relname::text FROM pg_catalog.pg_class WHERE relnamespace = pg_catalog.to_regnamespace($1)"
        " AND relkind IN ('r', 'p') AND relreplident <> 'd' ORDER BY relname",
        quoted(schema),
    )
    return [name for (name,) in rows]


def fingerprint(shapes: Shapes) -> str:
    """Return one word for tables, columns, types and keys: equal where rows can be moved as they are."""
    digest = hashlib.sha256()
    for name in sorted(shapes):
        shape = shapes[name]
        digest.update(repr((name, shape.key)).encode())
        digest.update(repr([(c.name, c.type, c.is_generated) for c in shape.columns]).encode())
    return digest.hexdigest()[:16]
