"""Watches whether the servers of a move answer: a network that carries nothing, and tells nobody, would keep a mover for ever.

Its heartbeat goes to the registry, which may well be in reach; so nobody else would take the move over either.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final, TypeVar

import asyncpg

from tenancy.credentials import DatabaseRole
from tenancy.errors import ServerUnavailableError
from tenancy.home_failures import SERVER_GONE
from tenancy.pools import Pools
from tenancy.tenant import Home

Result = TypeVar("Result")

LOOK_S: Final = 1.0
ANSWER_S_MAX: Final = 3.0
SILENT_LOOKS_MAX: Final = 4
"""So many in a row without an answer and a server is out of reach. Looks are counted, not seconds: a process that was
stopped for a while has not looked."""

LEAVE_S_MAX: Final = 5.0
"""For work to end that is given up; what still waits for a silent server then is left behind, without its attempt."""


async def work_in_reach(
    working: asyncio.Future[Result], pools: Pools, homes: Iterable[Home]
) -> Result:
    """Wait for work that uses these pools; raise `ServerUnavailableError` when a server has fallen silent."""
    silent = asyncio.ensure_future(ServersInReach(pools, homes).until_silent())
    both: set[asyncio.Future[Any]] = {working, silent}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            # What it waits for fails now, and it ends in its own order.
            pools.sever()
            await asyncio.wait({working}, timeout=LEAVE_S_MAX)
            if not working.done() or working.exception() is not None:
                raise ServerUnavailableError
        return working.result()
    finally:
        silent.cancel()
        await asyncio.wait({silent})


class ServersInReach:
    """Asks each server of a move again and again for a sign of life, on connections of its own."""

    def __init__(self, pools: Pools, homes: Iterable[Home]) -> None:
        self._pools = pools
        # A database may be dropped on the way; one that clinics share is always there.
        self._homes = {home.server: home for home in homes}.values()

    async def until_silent(self) -> None:
        """Return once one of them is out of reach."""
        looking = {asyncio.ensure_future(self._until_silent(home)) for home in self._homes}
        try:
            await asyncio.wait(looking, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in looking:
                task.cancel()
            await asyncio.wait(looking)

    async def _until_silent(self, home: Home) -> None:
        connection, silent_looks = None, 0
        try:
            while silent_looks < SILENT_LOOKS_MAX:
                try:
                    async with asyncio.timeout(ANSWER_S_MAX):
                        connection = connection or await self._connect(home)
                        await connection.fetchval("SELECT 1")
                    silent_looks = 0
                except (OSError, TimeoutError, ServerUnavailableError, *SERVER_GONE):
                    silent_looks += 1
                    _leave(connection)
                    connection = None
                except asyncpg.PostgresError:
                    silent_looks = 0  # it says something, if nothing good
                await asyncio.sleep(LOOK_S)
        finally:
            _leave(connection)

    async def _connect(self, home: Home) -> Any:
        return await self._pools.connect(home.server, home.database, DatabaseRole.MOVER)


def _leave(connection: Any) -> None:
    """Drop a connection without a word: nobody may be there to hear it."""
    if connection is not None:
        with suppress(asyncpg.InterfaceError):
            connection.terminate()
