"""A schema of its own for each clinic, in the server's pool database."""

from typing import Any

from tenancy.home_connection import HomeConnection
from tenancy.installer import Installer
from tenancy.tenant import Home, ServerTier, StrategyName, TenantId


class SchemaStrategy:
    """The home is a schema named by the tenant's id."""

    name = StrategyName.SCHEMA
    is_dedicated = False
    server_tiers: tuple[ServerTier, ...] = (ServerTier.SHARED,)

    def __init__(self, installer: Installer, pool_database: str) -> None:
        self._installer = installer
        self._pool_database = pool_database

    def shared_homes(self, server: str) -> tuple[Home, ...]:  # each tenant has its own
        """Return nothing: the pool database is there for the rows already."""
        return ()

    def is_own_database(self, database: str) -> bool:  # all share one
        """Return False: no database is one tenant's."""
        return False

    async def prepare_server(self, server: str) -> None:
        """Nothing is kept ready."""

    async def server_problems(self, connection: Any) -> dict[str, str]:  # nothing is kept ready
        """Return nothing."""
        return {}

    def home_for(self, tenant_id: TenantId, server: str) -> Home:
        """Return `t_<id>` in the server's pool database."""
        return Home(server, self._pool_database, f"t_{tenant_id.hex}")

    async def prepare(self, home: Home) -> None:
        """Nothing apart: the schema comes with its tables, in one transaction."""

    async def install(self, home: Home, through: HomeConnection | None = None) -> None:
        """Create the schema with the tables of the newest revision."""
        await self._installer.install_schema(home, through)

    async def remove(
        self, tenant_id: TenantId, home: Home
    ) -> None:  # the schema is the tenant's alone
        """Drop the schema."""
        await self._installer.drop_schema(home)
