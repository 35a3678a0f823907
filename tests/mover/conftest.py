"""A second server that clinics can move to, prepared and registered as an operator would do it."""

from collections.abc import AsyncIterator

import pytest

from app.settings import Settings
from moves import end_open_moves
from second_server import SecondServer, open_second_server
from tenancy.bootstrap import prepare_homes, prepare_roles
from tenancy.registry.records import SYSTEM
from tenancy.runtime import Tenancy
from tenancy.tenant import ServerTier


@pytest.fixture(scope="session")
async def elsewhere(tenancy: Tenancy, settings: Settings) -> AsyncIterator[SecondServer]:
    """A second PostgreSQL with logical WAL, known to the registry as `elsewhere`."""
    async with open_second_server("elsewhere") as server:
        await prepare_roles(server.administrator, server.address, tenancy.credentials)
        await tenancy.store.servers.add(
            server.address, tier=ServerTier.SHARED.value, capacity=1000, actor=SYSTEM
        )
        await prepare_homes(
            tenancy.pools, tenancy.installer, tenancy.strategies.values(), server.address.name
        )
        yield server


@pytest.fixture
async def no_move_left_open(tenancy: Tenancy) -> AsyncIterator[None]:
    """Ends the moves of each test after it, so that none holds a slot, or the hands of a keeper, in the next."""
    yield
    await end_open_moves(tenancy)
