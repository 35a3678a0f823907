"""A database of its own for each clinic, on the server of its choice."""

from typing import Any

from tenancy.home_connection import HomeConnection
from tenancy.installer import Installer
from tenancy.pools import Pools
from tenancy.template import Templates, template_problems
from tenancy.tenant import Home, ServerTier, StrategyName, TenantId

CLINIC_SCHEMA = "clinic"
OWN_DATABASE = "clinic_t_"


class DatabaseStrategy:
    """The home is the schema `clinic` of a database named by the tenant's id."""

    name = StrategyName.DATABASE
    is_dedicated = True
    server_tiers: tuple[ServerTier, ...] = (ServerTier.DEDICATED, ServerTier.SHARED)

    def __init__(self, installer: Installer, pools: Pools) -> None:
        self._installer = installer
        self._templates = Templates(pools, installer, CLINIC_SCHEMA)

    def shared_homes(self, server: str) -> tuple[Home, ...]:  # each tenant has its own
        """Return nothing: every database is made for its tenant."""
        return ()

    def is_own_database(self, database: str) -> bool:
        """Return whether the name is made as ours are."""
        return database.startswith(OWN_DATABASE)

    async def prepare_server(self, server: str) -> None:
        """Make the template that new databases are copied from; drop those of other releases."""
        await self._templates.prepare(server)

    async def server_problems(self, connection: Any) -> dict[str, str]:
        """Return what is wrong with the template."""
        return await template_problems(connection, self._templates.name)

    def home_for(self, tenant_id: TenantId, server: str) -> Home:
        """Return schema `clinic` in database `clinic_t_<id>`."""
        return Home(server, f"{OWN_DATABASE}{tenant_id.hex}", CLINIC_SCHEMA)

    async def prepare(self, home: Home) -> None:
        """Copy the template; without one, create the database with the homes and the gate."""
        is_copied = await self._installer.create_database(
            home.server, home.database, template=self._templates.name
        )
        if not is_copied:
            await self._installer.equip_database(home.server, home.database)

    async def install(self, home: Home, through: HomeConnection | None = None) -> None:
        """Create the tables of the newest revision, if they did not come with the template."""
        await self._installer.install_schema(home, through)

    async def remove(
        self, tenant_id: TenantId, home: Home
    ) -> None:  # the database is the tenant's alone
        """Drop the database."""
        await self._installer.drop_database(home.server, home.database)
