"""Hears what changes in the registry (LISTEN), over a connection of its own that comes back by itself."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import asyncpg

from tenancy.errors import TenancyError

CHANNEL: Final = "clinic_registry"

BACKOFF_S_FIRST: Final = 0.1
BACKOFF_S_MAX: Final = 5.0
PROBE_S: Final = 30.0
"""How often a silent connection is asked whether it is still alive."""

PROBE_S_MAX: Final = 5.0

Connect = Callable[[], Awaitable[Any]]

_FAILURES = (OSError, TimeoutError, TenancyError, asyncpg.PostgresError, asyncpg.InterfaceError)


class RegistryNotices:
    """Passes every notification to `hear`, and says by `missed` that some may have been lost."""

    def __init__(
        self, connect: Connect, hear: Callable[[str], None], missed: Callable[[], None]
    ) -> None:
        self._connect = connect
        self._pass_on = hear
        self._missed = missed
        self._task: asyncio.Task[None] | None = None
        self._is_listening = asyncio.Event()

    async def start(self) -> None:
        """Begin to listen; returns at once, whether the registry answers or not."""
        self._task = asyncio.create_task(self._run(), name="registry notices")

    async def stop(self) -> None:
        """Stop listening and close the connection."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def listening(self) -> None:
        """Return once notifications are heard."""
        await self._is_listening.wait()

    async def _run(self) -> None:
        backoff_s = BACKOFF_S_FIRST
        while True:
            try:
                connection = await self._connect()
            except _FAILURES:
                # Jitter keeps many workers from coming back all at once.
                await asyncio.sleep(backoff_s * random.uniform(0.5, 1.0))  # noqa: S311  # jitter
                backoff_s = min(backoff_s * 2, BACKOFF_S_MAX)
                continue
            try:
                await self._listen(connection)
                backoff_s = BACKOFF_S_FIRST
            except _FAILURES:
                await asyncio.sleep(backoff_s)
            finally:
                self._is_listening.clear()
                connection.terminate()

    async def _listen(self, connection: Any) -> None:
        """Pass notifications on until the connection ends."""
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _: ended.set())
        await connection.add_listener(CHANNEL, self._hear)
        # What changed while nobody listened is unknown.
        self._missed()
        self._is_listening.set()
        while not ended.is_set():
            with suppress(TimeoutError):
                # Not wait_for: Python 3.11's loses a cancellation that comes together with the end, and nobody could stop us.
                async with asyncio.timeout(PROBE_S):
                    await ended.wait()
            if not ended.is_set():
                await connection.execute("SELECT 1", timeout=PROBE_S_MAX)

    def _hear(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        self._pass_on(str(payload))
