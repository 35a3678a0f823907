"""Keeps the tables that a clinic leaves as they are until the decision; asked under the transaction of the fence."""

from typing import Any

import asyncpg

from tenancy.installer import quoted
from tenancy.mover.errors import TablesChangedError
from tenancy.mover.tables import Shapes, read_shapes


async def holds_tables(fence: Any, schema: str, shapes: Shapes) -> bool:
    """Lock the tables in the fence's transaction; raise `TablesChangedError` where they are not as at first.

    No stream and no copy tells of a change of tables. ACCESS SHARE is in the way of nobody else; somebody who waits to
    change one keeps the clinic waiting already: then return False, so that the mover makes room and tries again.
    """
    names = ", ".join(f"{quoted(schema)}.{quoted(name)}" for name in shapes)
    try:
        await fence.execute(f"LOCK TABLE {names} IN ACCESS SHARE MODE")
        is_same = await read_shapes(fence, schema) == shapes
    except asyncpg.LockNotAvailableError:
        return False
    except asyncpg.UndefinedTableError as error:
        raise TablesChangedError from error
    if not is_same:
        raise TablesChangedError
    return True
