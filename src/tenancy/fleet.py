"""Brings every home of the fleet to the newest revision, one after another, going on past a home that fails."""

from collections.abc import AsyncIterator, Callable

import asyncpg
from msgspec import Struct

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
        results.append(result)
        progress(result, len(results), len(homes))
    for server in await tenancy.store.servers.all():
        await make_ready(tenancy.strategies.values(), server.name)
    return results


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
