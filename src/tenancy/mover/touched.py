"""Compares in the pause what two homes hold of the touched rows, and the newest key of every table: one statement a side."""

import asyncio
from itertools import islice
from typing import Any, Final

from tenancy.installer import quoted
from tenancy.mover.apply import Touched
from tenancy.mover.errors import MismatchError
from tenancy.mover.tables import Shapes, TableShape
from tenancy.tenant import Home, TenantId

KEYS_A_QUERY_MAX: Final = 1_000
"""Of one table; more are looked at in the next round."""

# Planned once, before the pause: with its two dozen tables, the plan takes longer than the answer.
PLAN_ONCE = "SET plan_cache_mode = force_generic_plan"


class TouchedRows:
    """The rows that a stream has changed, as both ends hold them."""

    def __init__(self, shapes: Shapes, tenant_id: TenantId) -> None:
        self._shapes = shapes
        self._tenant_id = tenant_id
        self._sides: list[Any] = []

    async def prepare(self, here: tuple[Any, Home], there: tuple[Any, Home]) -> None:
        """Prepare the statements on a connection to each end."""
        self._sides = []
        for connection, home in (here, there):
            await connection.execute(PLAN_ONCE)
            self._sides.append(await connection.prepare(_query(self._shapes, home)))

    async def compare(self, touched: Touched) -> None:
        """Raise `MismatchError` unless both ends agree on the touched rows and on the newest key of every table.

        Both are asked at the same time.
        """
        waiting = {name: iter(self._keys(touched, name)) for name in self._shapes}
        while True:
            keys = {name: list(islice(rest, KEYS_A_QUERY_MAX)) for name, rest in waiting.items()}
            values = [column for name, some in keys.items() for column in self._columns(name, some)]
            mine, theirs = await asyncio.gather(
                *(side.fetch(self._tenant_id, *values) for side in self._sides)
            )
            # What a side has lost altogether is missing there, and what both have not is no difference.
            differing = [a["name"] for a, b in zip(mine, theirs, strict=True) if a != b]
            if differing:
                raise MismatchError(tuple(differing))
            if all(len(some) < KEYS_A_QUERY_MAX for some in keys.values()):
                return

    def _keys(self, touched: Touched, name: str) -> list[tuple[str | None, ...]]:
        return [key for table, key in touched if table == name]

    def _columns(self, name: str, keys: list[tuple[str | None, ...]]) -> list[list[str | None]]:
        return [[key[i] for key in keys] for i in range(len(self._shapes[name].key))]


def _query(shapes: Shapes, home: Home) -> str:
    parts, number = [], 2
    for shape in shapes.values():
        parts.append(_of_table(shape, home, number))
        number += len(shape.key)
    return " UNION ALL ".join(parts)


def _of_table(shape: TableShape, home: Home, first: int) -> str:
    """Return the look into one table: its newest key, and number and hash of the rows named by the parameters."""
    table = f"{quoted(home.schema)}.{quoted(shape.name)}"
    arrays = ", ".join(f"${first + i}::text[]" for i in range(len(shape.key)))
    names = ", ".join(f"k{i}" for i in range(len(shape.key)))
    same = " AND ".join(
        f"t.{quoted(name)} = k.k{i}::{shape.type_of(name)}" for i, name in enumerate(shape.key)
    )
    return (
        f"SELECT '{shape.name}' AS name, {_newest(shape, table)} AS newest, h.rows, h.hash FROM"
        f" (SELECT count(*) AS rows, coalesce(sum({shape.row_hash('t')}), 0)::text AS hash"
        f" FROM unnest({arrays}) AS k({names}) JOIN {table} t ON {same}) h"
    )


def _newest(shape: TableShape, table: str) -> str:
    if shape.key_order() != shape.key_names():
        # By a text key two databases may differ in what is newest, and without their own order it would be a sort.
        return "NULL::text"
    texts = " || ' ' || ".join(f"{quoted(name)}::text" for name in shape.key)
    descending = ", ".join(f"{quoted(name)} DESC" for name in shape.key)
    return f"(SELECT {texts} FROM {table} WHERE tenant_id = $1 ORDER BY {descending} LIMIT 1)"
