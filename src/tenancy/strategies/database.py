"""A database of its own for each clinic, on the server of its choice."""

from tenancy.installer import Installer
from tenancy.tenant import Home, ServerTier, StrategyName, TenantId

CLINIC_SCHEMA = "clinic"
OWN_DATABASE = "clinic_t_"


class DatabaseStrategy:
    """The home is the schema `clinic` of a database named by the tenant's id."""

    name = StrategyName.DATABASE
    is_dedicated = True
    server_tiers: tuple[ServerTier, ...] = (ServerTier.DEDICATED, ServerTier.SHARED)

    def __init__(self, installer: Installer) -> None:
        self._installer = installer

    def shared_homes(self, server: str) -> tuple[Home, ...]:  # each tenant has its own
        """Return nothing: every database is made for its tenant."""
        return ()

    def is_own_database(self, database: str) -> bool:
        """Return whether the name is made as ours are."""
        return database.startswith(OWN_DATABASE)

    def home_for(self, tenant_id: TenantId, server: str) -> Home:
        """Return schema `clinic` in database `clinic_t_<id>`."""
        return Home(server, f"{OWN_DATABASE}{tenant_id.hex}", CLINIC_SCHEMA)

    async def prepare(self, home: Home) -> None:
        """Create the database with the homes and the gate."""
        await self._installer.create_database(home.server, home.database)
        await self._installer.equip_database(home.server, home.database)

    async def install(self, home: Home) -> None:
        """Create the tables of the newest revision."""
        await self._installer.install_schema(home)

    async def remove(
        self, tenant_id: TenantId, home: Home
    ) -> None:  # the database is the tenant's alone
        """Drop the database."""
        await self._installer.drop_database(home.server, home.database)
