"""Keeps the tables of both homes as they are while a move runs: migrations and moves exclude each other."""

from contextlib import AsyncExitStack
from typing import Any, Self

from tenancy.credentials import DatabaseRole
from tenancy.migrations import MIGRATION_LOCK
from tenancy.mover.errors import MoveError, MoveRefusedError
from tenancy.pools import Pools
from tenancy.tenant import Home

HOLD = "SELECT pg_catalog.pg_try_advisory_lock_shared($1, pg_catalog.hashtext($2))"


class MigrationHold:
    """Shared locks on the schemas of two homes; a migration takes them exclusively and gives up after a short wait."""

    def __init__(self, pools: Pools, *homes: Home) -> None:
        self._pools = pools
        self._homes = homes
        self._connections: list[Any] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Take the locks; raise `MoveRefusedError` while a migration has one."""
        try:
            for home in self._homes:
                await self._hold(home)
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def _hold(self, home: Home) -> None:
        connection = await self._pools.connect(home.server, home.database, DatabaseRole.MOVER)
        self._stack.push_async_callback(connection.close)
        self._connections.append(connection)
        if not await connection.fetchval(HOLD, MIGRATION_LOCK, home.schema):
            raise MoveRefusedError((f"{home.server}/{home.schema} is being migrated",))

    async def __aexit__(self, *_error: object) -> None:
        """Let go of the locks."""
        await self._stack.aclose()

    def check(self) -> None:
        """Raise `MoveError` when a connection was lost, and a lock with it."""
        if any(connection.is_closed() for connection in self._connections):
            raise MoveError("a server was restarted; the tables may have changed since")
