"""A set-up that loses a server in the middle is told that the server is unavailable: it may be tried again."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from set_ups import provisioner_of, seed, wanted
from tenancy.errors import ServerUnavailableError
from tenancy.registry.steps import ProvisioningRecords, Reservation
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName

Connect = Callable[..., Awaitable[asyncpg.Connection]]


async def test_server_without_room_is_unavailable(
    tenancy: Tenancy, administrator: Connect, placement: StrategyName
) -> None:
    server = await administrator()
    await server.execute("ALTER ROLE clinic_migrator CONNECTION LIMIT 0")
    try:
        with pytest.raises(ServerUnavailableError):
            await provisioner_of(tenancy).create(wanted(placement), seed)
    finally:
        await server.execute("ALTER ROLE clinic_migrator CONNECTION LIMIT -1")
        await server.close()
    await provisioner_of(tenancy).sweep()


async def test_lost_claim_does_not_hide_what_went_wrong(
    tenancy: Tenancy, administrator: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve = ProvisioningRecords.reserve

    async def reserve_and_fall(
        self: ProvisioningRecords, reservation: Reservation, done: str, started: str
    ) -> None:
        await reserve(self, reservation, done, started)
        server = await administrator()
        await server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename = 'clinic_registry' AND state = 'idle in transaction'"
        )
        await server.close()
        raise ConnectionResetError

    monkeypatch.setattr(ProvisioningRecords, "reserve", reserve_and_fall)
    with pytest.raises(ConnectionResetError):
        await provisioner_of(tenancy).create(wanted(), seed)
