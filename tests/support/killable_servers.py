"""Two PostgreSQL servers that may be killed and started again at their old address."""

from app.postgres import EmbeddedServer
from app.preparation import tenancy_options
from app.settings import Settings
from servers import FAST
from tenancy.bootstrap import prepare_homes, prepare_roles
from tenancy.registry.records import SYSTEM
from tenancy.runtime import Tenancy

MAIN, SECOND = "main", "second"
# A server that is killed must not have promised what it had only in memory.
KILLABLE = {
    **FAST,
    "synchronous_commit": "on",
    "max_replication_slots": "40",
    # A case makes more than a hundred connections; with the default each costs both processes 10 ms of hashing.
    "scram_iterations": "1",
}


async def add_server(settings: Settings, main: EmbeddedServer, second: EmbeddedServer) -> None:
    """Make the second server fit and known, as `clinic servers add` does."""
    beside = Tenancy(tenancy_options(settings, second.address))
    try:
        await prepare_roles(second.administrator, second.address, beside.credentials)
        await prepare_homes(beside.pools, beside.installer, beside.strategies.values(), second.name)
    finally:
        await beside.close()
    tenancy = Tenancy(tenancy_options(settings, main.address))
    try:
        await tenancy.store.servers.add(second.address, tier="shared", capacity=1000, actor=SYSTEM)
    finally:
        await tenancy.close()
