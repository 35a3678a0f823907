"""Slots and publications that moves have left: nobody reads them, and a slot keeps its server's log for ever."""

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

SLOTS: Final = """
SELECT slot_name::text FROM pg_catalog.pg_replication_slots
 WHERE slot_name ~ '^move_[0-9a-f]{32}_' AND NOT temporary ORDER BY slot_name
"""
PUBLICATIONS: Final = """
SELECT pubname::text FROM pg_catalog.pg_publication WHERE pubname ~ '^move_[0-9a-f]{32}_' ORDER BY pubname
"""


async def orphan_slots(connection: Any, open_moves: Collection[UUID]) -> list[str]:
    """Return what is wrong with the server's slots, given the moves that are not ended."""
    names = [name for (name,) in await connection.fetch(SLOTS)]
    return [f"orphan slot {n}: its move is not open" for n in names if _move(n) not in open_moves]


async def orphan_publications(connection: Any, open_moves: Collection[UUID]) -> list[str]:
    """Return what is wrong with a database's publications, given the moves that are not ended."""
    names = [name for (name,) in await connection.fetch(PUBLICATIONS)]
    return [
        f"orphan publication {n}: its move is not open" for n in names if _move(n) not in open_moves
    ]


def _move(name: str) -> UUID:
    return UUID(hex=name.split("_")[1])
