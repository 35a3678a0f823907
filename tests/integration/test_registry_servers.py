"""Database servers in the registry: how many clinics they take, which one a new clinic gets."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from registry_rows import NOWHERE, add_server, make_tenant, remove_servers
from set_ups import provisioner_of
from tenancy.credentials import DatabaseRole
from tenancy.registry.errors import ServerFullError, ServerNameTakenError, UnknownServerError
from tenancy.registry.records import SYSTEM, ServerRecord, TenantRecord
from tenancy.registry.store import RegistryStore
from tenancy.runtime import Tenancy
from tenancy.tenant import Server, ServerTier, StrategyName, TenantId, TenantStatus

ANY_CLINICS = (ServerTier.SHARED,)
BIG_CLINICS = (ServerTier.DEDICATED, ServerTier.SHARED)


@pytest.fixture(autouse=True)
async def no_server_left(tenancy: Tenancy) -> AsyncIterator[None]:
    yield
    await remove_servers(tenancy)


@pytest.fixture
def store(tenancy: Tenancy) -> RegistryStore:
    return tenancy.store


@pytest.fixture
async def server(store: RegistryStore) -> ServerRecord:
    """A server of the test's own, so that its capacity is."""
    return await add_server(store)


@pytest.fixture
async def owner(tenancy: Tenancy) -> Any:
    """A connection that acts as the owner of the registry's tables."""
    connection = await tenancy.pools.connect(
        "main", tenancy.options.registry_database, DatabaseRole.MIGRATOR
    )
    await connection.execute("SET ROLE clinic_owner")
    yield connection
    await connection.close()


async def test_server_takes_no_more_than_its_capacity(store: RegistryStore) -> None:
    small = await add_server(store, capacity=2)
    outcomes = await asyncio.gather(
        *(make_tenant(store, small) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(outcome, TenantRecord) for outcome in outcomes) == 2
    assert sum(isinstance(outcome, ServerFullError) for outcome in outcomes) == 2


async def test_draining_server_takes_no_clinic(
    store: RegistryStore, server: ServerRecord, owner: Any
) -> None:
    await owner.execute(
        "UPDATE registry.database_server SET status = 'draining' WHERE id = $1", server.id
    )
    with pytest.raises(ServerFullError):
        await make_tenant(store, server)


async def test_servers_are_unique_and_chosen_by_room_and_tier(store: RegistryStore) -> None:
    emptier = await add_server(store, capacity=1000)
    address = Server(name=emptier.name, host="other", port=1)
    with pytest.raises(ServerNameTakenError):
        await store.servers.add(address, tier="shared", capacity=1, actor=SYSTEM)
    assert (await store.servers.choose(BIG_CLINICS, None)).tier == "dedicated"
    assert (await store.servers.choose(ANY_CLINICS, None)).tier == "shared"
    assert await store.servers.choose(ANY_CLINICS, emptier.name) == emptier
    with pytest.raises(UnknownServerError):
        await store.servers.choose(ANY_CLINICS, "nowhere")


async def test_platforms_own_server_is_remembered_once(store: RegistryStore) -> None:
    name = f"s{secrets.token_hex(4)}"
    for port in (5432, 5432, 5433):
        address = Server(name=name, host=NOWHERE, port=port)
        await store.servers.remember_address(address, tier="shared", capacity=10)
    assert await store.server(name) == Server(name=name, host=NOWHERE, port=5433)


async def test_sweep_goes_past_a_server_that_is_down(
    tenancy: Tenancy, store: RegistryStore, server: ServerRecord
) -> None:
    unfinished = {"status": TenantStatus.PROVISIONING}
    stuck = await make_tenant(store, server, **unfinished)
    main = next(record for record in await store.servers.all() if record.name == "main")
    tenant_id = TenantId(uuid4())
    home = tenancy.strategies[StrategyName.ROW].home_for(tenant_id, "main")
    reachable = await make_tenant(store, main, home=home, strategy=StrategyName.ROW, **unfinished)
    assert await provisioner_of(tenancy).sweep() == [reachable.id]
    assert await store.tenants.by_id(stuck.id) is not None
