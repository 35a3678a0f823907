"""At which revision the homes of clinics are, asked of the homes themselves."""

from collections import defaultdict
from collections.abc import Iterable

import asyncpg

from app.cli.output import counted
from tenancy.credentials import DatabaseRole
from tenancy.errors import TenancyError
from tenancy.migrations import TENANT_TREE, current_revision
from tenancy.pools import Pools
from tenancy.registry.records import TenantRecord
from tenancy.tenant import Home

UNREACHABLE = "unreachable"


async def revision_of(pools: Pools, home: Home) -> str | None:
    """Return the revision of one home, None if it has none."""
    return (await _revisions_in(pools, home.server, home.database, {home}))[home]


async def revisions_of(pools: Pools, records: Iterable[TenantRecord]) -> dict[Home, str | None]:
    """Return the revision of every home of these clinics; a database that cannot be reached is no error here."""
    homes: dict[tuple[str, str], set[Home]] = defaultdict(set)
    for record in records:
        if record.placement is not None:
            home = record.placement.home
            homes[home.server, home.database].add(home)
    revisions: dict[Home, str | None] = {}
    with counted("Databases") as progress:
        for done, ((server, database), here) in enumerate(homes.items(), start=1):
            revisions |= await _revisions_in(pools, server, database, here)
            progress.update(progress.task_ids[0], completed=done, total=len(homes))
    return revisions


async def _revisions_in(
    pools: Pools, server: str, database: str, homes: set[Home]
) -> dict[Home, str | None]:
    try:
        connection = await pools.connect(server, database, DatabaseRole.MIGRATOR)
    except (TenancyError, asyncpg.PostgresError):
        return dict.fromkeys(homes, UNREACHABLE)
    try:
        return {
            home: await current_revision(connection, TENANT_TREE, home.schema) for home in homes
        }
    finally:
        await connection.close()
