"""Whether a clinic can still go back: only where both homes and the stream between them have the same tables.

The old home is frozen while its way back is kept, so a migration does not reach it, and a table that is new is in no
publication: rows written into it since would be lost on the way.
"""

from typing import Any, Final

from tenancy.credentials import DatabaseRole
from tenancy.migrations import TENANT_TREE, current_revision
from tenancy.mover.plan import MovePlan, StreamNames
from tenancy.mover.tables import fingerprint, read_shapes
from tenancy.pools import Pools
from tenancy.tenant import Home

PUBLISHED: Final = """
SELECT tablename::text FROM pg_catalog.pg_publication_tables WHERE pubname = $1 AND schemaname = $2
"""


class WayBack:
    """The tables of both homes of one move, and what the reverse stream carries of them."""

    def __init__(self, pools: Pools, plan: MovePlan) -> None:
        self._pools = pools
        self._plan = plan

    async def tables(self) -> str:
        """Return one word for revision and tables of both homes, to be held against later."""
        revision, shapes, _ = await self._look(self._plan.source.home)
        other, others, _ = await self._look(self._plan.target.home)
        return f"{revision} {fingerprint(shapes)} {other} {fingerprint(others)}"

    async def obstacle(self, tables_before: str | None) -> str | None:
        """Return why the clinic cannot go back, None when it can; `tables_before` are those when it moved."""
        _, old, _ = await self._look(self._plan.source.home)
        _, new, published = await self._look(self._plan.target.home)
        if fingerprint(old) != fingerprint(new):
            return "the tables of the two homes differ: one was migrated since the move"
        if published != set(new):
            missing = ", ".join(sorted(published ^ set(new)))
            return f"the stream to the old home does not carry the same tables: {missing}"
        if tables_before is not None and await self.tables() != tables_before:
            return "the tables were migrated since the move"
        return None

    async def _look(self, home: Home) -> tuple[str | None, Any, set[str]]:
        connection = await self._pools.connect(home.server, home.database, DatabaseRole.MIGRATOR)
        try:
            names = StreamNames.reverse(self._plan.move_id)
            return (
                await current_revision(connection, TENANT_TREE, home.schema),
                await read_shapes(connection, home.schema),
                {name for (name,) in await connection.fetch(PUBLISHED, names.name, home.schema)},
            )
        finally:
            await connection.close()
