"""Which homes there are, as the registry knows them."""

from collections.abc import AsyncIterator
from typing import Final

from tenancy.runtime import Tenancy
from tenancy.strategy import shared_homes
from tenancy.tenant import Home, Placement

PLACEMENT_PAGE: Final = 500


async def every_placement(tenancy: Tenancy) -> AsyncIterator[Placement]:
    """Yield the placement of every tenant in the registry."""
    after = None
    while page := await tenancy.store.tenants.page(limit=PLACEMENT_PAGE, after=after):
        for record in page:
            if record.placement is not None:
                yield record.placement
        after = page[-1].id


async def every_shared_home(tenancy: Tenancy) -> list[Home]:
    """Return the homes that servers have before any tenant is on them."""
    strategies = tenancy.strategies.values()
    servers = await tenancy.store.servers.all()
    return [home for server in servers for home in shared_homes(strategies, server.name)]


async def every_home(tenancy: Tenancy) -> list[Home]:
    """Return each home once: those that tenants of a server share, then those of one tenant."""
    placed = [placement.home async for placement in every_placement(tenancy)]
    return list(dict.fromkeys([*await every_shared_home(tenancy), *placed]))
