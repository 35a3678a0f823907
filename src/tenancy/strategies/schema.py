"""A schema of its own for each clinic, in the server's pool database."""

from tenancy.installer import Installer
from tenancy.tenant import Home, StrategyName, TenantId


class SchemaStrategy:
    """The home is a schema named by the tenant's id."""

    name = StrategyName.SCHEMA

    def __init__(self, installer: Installer, pool_database: str) -> None:
        self._installer = installer
        self._pool_database = pool_database

    def home_for(self, tenant_id: TenantId, server: str) -> Home:
        """Return `t_<id>` in the server's pool database."""
        return Home(server, self._pool_database, f"t_{tenant_id.hex}")

    async def prepare(self, home: Home) -> None:
        """Nothing apart: the schema comes with its tables, in one transaction."""

    async def install(self, home: Home) -> None:
        """Create the schema with the tables of the newest revision."""
        await self._installer.install_schema(home)

    async def remove(
        self, tenant_id: TenantId, home: Home
    ) -> None:  # the schema is the tenant's alone
        """Drop the schema."""
        await self._installer.drop_schema(home)
