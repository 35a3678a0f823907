"""What a process closes at its end is closed in bounded time, whatever the servers do meanwhile."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tenancy.registry.notices import RegistryNotices
from tenancy.runtime import Tenancy, TenancyOptions
from tenancy.tenant import Server


class ListeningConnection:
    """Listens until `end`."""

    def __init__(self) -> None:
        self.ended: list[Callable[[Any], None]] = []

    def add_termination_listener(self, listener: Callable[[Any], None]) -> None:
        self.ended.append(listener)

    async def add_listener(self, *_: Any) -> None: ...

    def terminate(self) -> None: ...


@pytest.mark.parametrize("turns", range(5))
async def test_listener_stops_also_while_its_connection_ends(turns: int) -> None:
    connection = ListeningConnection()

    async def connect() -> ListeningConnection:
        return connection

    notices = RegistryNotices(connect, lambda _: None, lambda: None)
    await notices.start()
    await notices.listening()
    await asyncio.sleep(0)
    connection.ended[0](connection)
    for _ in range(turns):
        await asyncio.sleep(0)
    stopping = asyncio.create_task(notices.stop())
    _, hanging = await asyncio.wait([stopping], timeout=1)
    assert not hanging
    await stopping


async def test_servers_that_do_not_take_leave_are_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = Server(name="main", host="127.0.0.1", port=1)
    tenancy = Tenancy(TenancyOptions(main_server=nowhere, role_secret="x" * 32))

    async def hang() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("tenancy.runtime.CLOSE_S_MAX", 0.05)
    monkeypatch.setattr(tenancy.pools, "close", hang)
    async with asyncio.timeout(1):
        await tenancy.close()
    assert "connections could not be closed" in caplog.text
