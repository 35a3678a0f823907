"""A connection to a home is left in bounded time, and the set-up that used it is noted to its end."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tenancy.home_connection import HomeConnection
from tenancy.provisioning import Provisioner
from tenancy.tenant import Home


class DriverConnection:
    """Takes leave as long as `farewell` does."""

    def __init__(self, farewell: Exception | None) -> None:
        self._farewell = farewell
        self.is_terminated = False

    async def close(self, *, timeout: float) -> None:  # noqa: ASYNC109  # as the driver has it
        if self._farewell is not None:
            raise self._farewell
        async with asyncio.timeout(timeout):
            await asyncio.Event().wait()

    def terminate(self) -> None:
        self.is_terminated = True


@pytest.mark.parametrize("farewell", [None, ConnectionResetError()], ids=["silent", "lost"])
async def test_server_that_does_not_take_leave_is_left_by_force(
    farewell: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenancy.home_connection.CLOSE_S_MAX", 0.01)
    driver = DriverConnection(farewell)

    async def connect(*_place: Any) -> DriverConnection:
        return driver

    pools: Any = SimpleNamespace(connect=connect)
    held = HomeConnection(pools, Home("main", "clinic_pool", "shared"))
    assert await held.get() is driver
    async with asyncio.timeout(1):
        await held.close()
    assert driver.is_terminated


async def test_journal_is_closed_also_when_the_connection_cannot_be() -> None:
    closed = []

    async def fails(*_: Any) -> None:
        raise ConnectionResetError

    async def close_journal() -> None:
        closed.append("journal")

    records = SimpleNamespace(
        reserve=fails, journal=lambda _tenant: SimpleNamespace(close=close_journal)
    )
    connection = SimpleNamespace(begin=lambda: None, close=fails)
    parts: Any = SimpleNamespace(
        store=SimpleNamespace(provisioning=records),
        homes=SimpleNamespace(connection=lambda _home: connection),
        strategies={"row": SimpleNamespace(is_dedicated=False)},
    )
    plan: Any = SimpleNamespace(
        placement=SimpleNamespace(home=None, strategy="row"),
        draft=SimpleNamespace(id=None),
        reservation=None,
    )
    claim: Any = None
    with pytest.raises(ConnectionResetError):
        await Provisioner(parts)._run(claim, plan, fails)
    assert closed == ["journal"]
