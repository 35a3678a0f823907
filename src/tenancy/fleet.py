"""Brings every home of the fleet to the newest revision, one after another, going on past a home that fails."""

from collections.abc import AsyncIterator, Callable

import asyncpg
from msgspec import Struct, structs

from tenancy.bootstrap import make_ready, upgrade_home
from tenancy.errors import TenancyError
from tenancy.runtime import Tenancy
from tenancy.strategy import shared_homes
from tenancy.tenant import Home, Placement

PLACEMENT_PAGE = 500


class HomeMigration(Struct, frozen=True, kw_only=True):
    """What became of one home; `error` is None when it is at the newest revision."""

    home: Home
    before: str | None = None
    after: str | None = None
    error: str | None = None
    note: str | None = None
    """What else came of it: the way back of a clinic that has just moved does not outlive a migration."""


MigrationProgress = Callable[[HomeMigration, int, int], None]
"""Called after each home with its result, how many are done and how many there are."""


async def every_placement(tenancy: Tenancy) -> AsyncIterator[Placement]:
    """Yield the placement of every tenant in the registry."""
    after = None
    while page := await tenancy.store.tenants.page(limit=PLACEMENT_PAGE, after=after):
        for record in page:
            if record.placement is not None:
                yield record.placement
        after = page[-1].id


async def every_home(tenancy: Tenancy) -> list[Home]:
    """Return each home once: those that tenants of a server share, then those of one tenant."""
    strategies = tenancy.strategies.values()
    servers = await tenancy.store.servers.all()
    homes = [home for server in servers for home in shared_homes(strategies, server.name)]
    placed = [placement.home async for placement in every_placement(tenancy)]
    return list(dict.fromkeys([*homes, *placed]))


async def migrate_fleet(tenancy: Tenancy, progress: MigrationProgress) -> list[HomeMigration]:
    """Bring every home to the newest revision; a failing one is reported and the others go on."""
    homes = await every_home(tenancy)
    results = []
    equipped: set[tuple[str, str]] = set()
    for home in homes:
        result = await _migrate(tenancy, home, equipped)
        result = structs.replace(result, note=await ways_back_ended(tenancy, result))
        results.append(result)
        progress(result, len(results), len(homes))
    for server in await tenancy.store.servers.all():
        await make_ready(tenancy.strategies.values(), server.name)
    return results


async def ways_back_ended(tenancy: Tenancy, result: HomeMigration) -> str | None:
    """Return which moves cannot go back any more now that one of their homes was brought on; None if there is none.

    Nothing is done about them here: whoever keeps a way back, or is asked to go it, looks at the tables.
    """
    if result.error is not None or result.before == result.after:
        return None
    ended = [
        str(record.id)
        for record in await tenancy.store.moves.in_grace()
        if result.home in {record.source.home, record.target.home}
    ]
    return f"ends the way back of moves in grace: {', '.join(ended)}" if ended else None


async def _migrate(tenancy: Tenancy, home: Home, equipped: set[tuple[str, str]]) -> HomeMigration:
    """Bring on one home, and before the first of a database the homes and the gate that all of it share."""
    database = (home.server, home.database)
    try:
        if database not in equipped:
            await tenancy.installer.equip_database(*database)
            # Not before: tables are never brought on behind a gate that could not be.
            equipped.add(database)
        before, after = await upgrade_home(tenancy.pools, home)
    except (TenancyError, asyncpg.PostgresError, OSError) as error:
        return HomeMigration(home=home, error=f"{type(error).__name__}: {error}")
    return HomeMigration(home=home, before=before, after=after)
