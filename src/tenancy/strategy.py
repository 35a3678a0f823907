"""What a strategy is: where a tenant's home is, how it is made, how it is removed, and what others must know of it.

A new one is a file in `strategies/` and a line in the table that names them. Nobody else compares names of strategies,
schemas or databases: they ask.
"""

from collections.abc import Iterable
from typing import Any, Protocol

from tenancy.home_connection import HomeConnection
from tenancy.tenant import Home, ServerTier, StrategyName, TenantId


class Strategy(Protocol):
    """One way to keep a tenant's rows apart. Every method may be called again after a crash."""

    name: StrategyName

    is_dedicated: bool
    """Whether a home's database is one tenant's alone: its pool of connections may be small and short-lived."""

    server_tiers: tuple[ServerTier, ...]
    """The tiers of servers on which tenants are put, the preferred one first."""

    def shared_homes(self, server: str) -> tuple[Home, ...]:
        """Return the homes that a server has before any tenant is on it, since many share them."""

    def is_own_database(self, database: str) -> bool:
        """Return whether a database of this name can only be one tenant's: without a placement it is an orphan."""

    async def prepare_server(self, server: str) -> None:
        """Make ready what makes new homes on the server quick; nothing depends on it."""

    async def server_problems(self, connection: Any) -> dict[str, str]:
        """Return what is wrong with what `prepare_server` made, by database; `connection` is on the server."""

    def home_for(self, tenant_id: TenantId, server: str) -> Home:
        """Return the home a tenant would have on `server`; names come from the id alone."""

    async def prepare(self, home: Home) -> None:
        """Make the empty place: a database, a schema, or nothing."""

    async def install(self, home: Home, through: HomeConnection | None = None) -> None:
        """Bring the tables of the newest revision there, if they are not; `through` a connection of the caller's."""

    async def remove(self, tenant_id: TenantId, home: Home) -> None:
        """Undo `install` and `prepare`: after it nothing of the tenant is left at `home`.

        Raises `HomeServesError`, with nothing removed, while the home takes the tenant in.
        """


def shared_homes(strategies: Iterable[Strategy], server: str) -> tuple[Home, ...]:
    """Return every home that a server has before any tenant is on it, each once."""
    homes = [home for strategy in strategies for home in strategy.shared_homes(server)]
    return tuple(dict.fromkeys(homes))
