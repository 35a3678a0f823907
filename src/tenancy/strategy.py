"""What a strategy is: where a tenant's home is, how it is made, how it is removed.

A new one is a file in `strategies/` and a line in the table that names them.
"""

from typing import Protocol

from tenancy.tenant import Home, StrategyName, TenantId


class Strategy(Protocol):
    """One way to keep a tenant's rows apart. Every method may be called again after a crash."""

    name: StrategyName

    def home_for(self, tenant_id: TenantId, server: str) -> Home:
        """Return the home a tenant would have on `server`; names come from the id alone."""

    async def prepare(self, home: Home) -> None:
        """Make the empty place: a database, a schema, or nothing."""

    async def install(self, home: Home) -> None:
        """Bring the tables of the newest revision there, if they are not."""

    async def remove(self, tenant_id: TenantId, home: Home) -> None:
        """Undo `install` and `prepare`: after it nothing of the tenant is left at `home`."""
