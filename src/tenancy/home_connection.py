"""One connection for all that is done at a home while it is set up, instead of one for each step."""

import asyncio
from typing import Any, Final

import asyncpg

from tenancy.credentials import DatabaseRole
from tenancy.pools import Pools
from tenancy.tenant import Home

CLOSE_S_MAX: Final = 5.0
"""A server that does not take leave in this time finds the connection gone."""


class HomeConnection:
    """The migrator's connection to the database of one home, made once, ahead of its use where that saves waiting."""

    def __init__(self, pools: Pools, home: Home) -> None:
        self._pools = pools
        self._home = home
        self._connecting: asyncio.Task[Any] | None = None
        self._closing: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begin to connect; what goes wrong is raised by `get`."""
        if self._connecting is None:
            home = self._home
            self._connecting = asyncio.ensure_future(
                self._pools.connect(home.server, home.database, DatabaseRole.MIGRATOR)
            )

    async def get(self) -> Any:
        """Return the driver's connection; whoever asks leaves it outside a transaction and with its own role."""
        self.begin()
        assert self._connecting is not None
        return await self._connecting

    async def close(self) -> None:
        """Close it, if it was ever made."""
        self.begin_to_close()
        assert self._closing is not None
        await self._closing

    def begin_to_close(self) -> None:
        """Begin to close it: the server takes a while for it."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())

    async def _close(self) -> None:
        connecting, self._connecting = self._connecting, None
        if connecting is None:
            return
        connecting.cancel()
        await asyncio.wait([connecting])
        if not connecting.cancelled() and connecting.exception() is None:
            await _leave(connecting.result())


async def _leave(connection: Any) -> None:
    """Close in order, or else by force: what was done there is committed, or it is lost with the connection."""
    try:
        await connection.close(timeout=CLOSE_S_MAX)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()
