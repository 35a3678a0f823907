"""Ends what a process that worked on a move before still has open: it may be stopped, or out of reach, in mid-transaction.

Safety does not rest on it, as the homes refuse every attempt but the newest. But what such a process has locked nobody
else could take over, for as long as its server believes that it lives.
"""

from itertools import product
from typing import Final
from uuid import UUID

import asyncpg

from tenancy.credentials import DatabaseRole
from tenancy.errors import ServerUnavailableError
from tenancy.mover.plan import MovePlan
from tenancy.pools import Pools

ROLES: Final = (DatabaseRole.MOVER, DatabaseRole.MIGRATOR)
END_CONNECTIONS: Final = """
SELECT pg_catalog.pg_terminate_backend(pid, 2000) FROM pg_catalog.pg_stat_activity
 WHERE application_name = $1 AND usename = current_user AND pid <> pg_catalog.pg_backend_pid()
"""


def connections_name(move_id: UUID) -> str:
    """Return the name that the connections of a move carry at the servers."""
    return f"polyclinic move {move_id.hex}"


async def end_predecessors(pools: Pools, plan: MovePlan) -> None:
    """End every connection of this move to both homes; called by who has just claimed it.

    Indexes and publications are the migrator's work, the rest is the mover's; a role ends its own without any grant.
    """
    for home, role in product((plan.source.home, plan.target.home), ROLES):
        try:
            connection = await pools.connect(home.server, home.database, role)
        except (asyncpg.InvalidCatalogNameError, ServerUnavailableError):
            continue  # what is out of reach cannot hold anything that could be let go of
        try:
            await connection.execute(END_CONNECTIONS, connections_name(plan.move_id))
        finally:
            await connection.close()
