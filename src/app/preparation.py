"""What must be true before requests are served: roles, registry, pool, every home at the newest revision."""

from app.postgres import PostgresServer
from app.settings import Settings
from tenancy.admission import AdmissionLimits
from tenancy.bootstrap import prepare_homes, prepare_registry, prepare_roles
from tenancy.fleet.lane import HomeMigration
from tenancy.fleet.migration import FleetMigration, MigrationProgress, MigrationScope
from tenancy.pools import PoolLimits
from tenancy.runtime import Tenancy, TenancyOptions
from tenancy.tenant import Server, ServerTier

MAIN_SERVER_CAPACITY = 20_000
MAIN_SERVER_TIER = ServerTier.SHARED
EVERY_HOME = MigrationScope()


def tenancy_options(settings: Settings, main_server: Server) -> TenancyOptions:
    """Return the settings in tenancy's own terms."""
    return TenancyOptions(
        main_server=main_server,
        role_secret=settings.role_secret,
        registry_database=settings.registry_database,
        pool_database=settings.pool_database,
        pool_limits=PoolLimits(
            shared_size=settings.pool_size_shared,
            dedicated_size=settings.pool_size_dedicated,
            connections_max=settings.connections_max_per_worker,
            age_s_max=settings.connection_age_s_max,
        ),
        admission_limits=AdmissionLimits(
            concurrency_max=settings.concurrency_max,
            queue_max=settings.queue_max,
            wait_s_max=settings.queue_wait_s,
        ),
        move_wait_s_max=settings.move_wait_s,
        cache_s_max=settings.placement_cache_s,
    )


async def prepare_server(settings: Settings, server: PostgresServer) -> None:
    """Make the running server fit: roles, registry and pool exist at the newest revision, the registry knows it.

    Safe to run again and from several processes. Raises `ServerNotPreparedError` where an administrator must act first.
    """
    tenancy = Tenancy(tenancy_options(settings, server.address))
    try:
        await prepare_roles(server.administrator, server.address, tenancy.credentials)
        await prepare_registry(
            tenancy.pools, tenancy.installer, server.address.name, settings.registry_database
        )
        await prepare_homes(
            tenancy.pools, tenancy.installer, tenancy.strategies.values(), server.address.name
        )
        await tenancy.store.servers.remember_address(
            server.address, tier=MAIN_SERVER_TIER, capacity=MAIN_SERVER_CAPACITY
        )
    finally:
        await tenancy.close()


async def migrate_everything(
    settings: Settings,
    server: PostgresServer,
    progress: MigrationProgress,
    scope: MigrationScope = EVERY_HOME,
) -> list[HomeMigration]:
    """Prepare the server, then bring the homes in scope to the newest revision; return what became of each.

    Homes that are known to be at it are not among them.
    """
    await prepare_server(settings, server)
    tenancy = Tenancy(tenancy_options(settings, server.address))
    try:
        return await FleetMigration(tenancy, scope, progress).run()
    finally:
        await tenancy.close()
