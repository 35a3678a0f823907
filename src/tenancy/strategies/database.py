"""A database of its own for each clinic, on the server of its choice."""

from tenancy.installer import Installer
from tenancy.tenant import Home, StrategyName, TenantId

CLINIC_SCHEMA = "clinic"


class DatabaseStrategy:
    """The home is the schema `clinic` of a database named by the tenant's id."""

    name = StrategyName.DATABASE

    def __init__(self, installer: Installer) -> None:
        self._installer = installer

    def home_for(self, tenant_id: TenantId, server: str) -> Home:
        """Return schema `clinic` in database `clinic_t_<id>`."""
        return Home(server, f"clinic_t_{tenant_id.hex}", CLINIC_SCHEMA)

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
