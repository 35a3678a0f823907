"""The directory over the real registry: told of changes by other processes, working without it, back by itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from registry_rows import add_server, make_tenant, remove_servers
from tenancy.credentials import DatabaseRole
from tenancy.errors import ServerUnavailableError
from tenancy.registry.directory import TenantDirectory
from tenancy.registry.errors import RegistryUnavailableError
from tenancy.registry.records import SYSTEM, TenantRecord
from tenancy.registry.store import RegistryStore
from tenancy.runtime import Tenancy
from tenancy.tenant import Home, Placement, Server, StrategyName

HEARD_S_MAX = 5.0


@pytest.fixture(autouse=True)
async def no_server_left(tenancy: Tenancy) -> AsyncIterator[None]:
    yield
    await remove_servers(tenancy)


async def new_tenant(store: RegistryStore) -> TenantRecord:
    return await make_tenant(store, await add_server(store))


class SwitchedLine:
    """The listening connection's way to the registry, which can be cut."""

    def __init__(self, tenancy: Tenancy) -> None:
        self._tenancy = tenancy
        self.is_cut = False
        self.connections: list[Any] = []

    async def connect(self) -> Any:
        if self.is_cut:
            raise ServerUnavailableError
        connection = await self._tenancy.pools.connect(
            "main", self._tenancy.options.registry_database, DatabaseRole.REGISTRY
        )
        self.connections.append(connection)
        return connection

    async def settled(self) -> None:
        """Return once what was committed before has been heard: the server sends it ahead of its next answer."""
        await self.connections[-1].execute("SELECT 1")

    def cut(self) -> None:
        self.is_cut = True
        self.connections[-1].terminate()


@pytest.fixture
def line(tenancy: Tenancy) -> SwitchedLine:
    return SwitchedLine(tenancy)


@pytest.fixture
async def elsewhere(tenancy: Tenancy, line: SwitchedLine) -> AsyncIterator[TenantDirectory]:
    """The directory of another process, which forgets nothing by the clock."""
    directory = TenantDirectory(tenancy.store, listen=line.connect, ttl_s=3600)
    await directory.open()
    async with asyncio.timeout(HEARD_S_MAX):
        await directory.listening()
    yield directory
    await directory.close()


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(HEARD_S_MAX):
        while not await holds():  # noqa: ASYNC110  # another process changes it, no event tells
            await asyncio.sleep(0.01)


async def name_of(directory: TenantDirectory, slug: str) -> str | None:
    found = await directory.by_slug(slug)
    return None if found is None else found.tenant.name


async def test_other_processes_hear_of_each_change(
    tenancy: Tenancy, elsewhere: TenantDirectory
) -> None:
    store = tenancy.store
    made, other = await new_tenant(store), await new_tenant(store)
    assert await name_of(elsewhere, made.slug) == made.name
    assert await name_of(elsewhere, other.slug) == other.name
    new_name = f"New {made.name}"
    await store.tenants.change(made.id, {"name": new_name}, version=1, actor=SYSTEM)

    async def is_renamed() -> bool:
        return await name_of(elsewhere, made.slug) == new_name

    await eventually(is_renamed)
    assert await name_of(elsewhere, other.slug) == other.name


async def test_new_clinic_is_found_though_it_was_asked_for_before(
    tenancy: Tenancy, elsewhere: TenantDirectory
) -> None:
    first = await new_tenant(tenancy.store)
    assert await elsewhere.by_slug("nobody-yet") is None
    assert await elsewhere.by_slug(first.slug) is not None
    second = await new_tenant(tenancy.store)
    assert await elsewhere.by_hostname(second.hostnames[0]) is not None


async def test_new_placement_is_heard_of(tenancy: Tenancy, elsewhere: TenantDirectory) -> None:
    made = await new_tenant(tenancy.store)
    assert await elsewhere.by_id(made.id) is not None
    assert made.placement is not None
    home = Home(made.placement.home.server, "elsewhere", "clinic")
    await tenancy.store.tenants.place(
        Placement(tenant_id=made.id, strategy=StrategyName.DATABASE, home=home, epoch=2)
    )

    async def is_moved() -> bool:
        found = await elsewhere.by_id(made.id)
        return found is not None and found.placement.home == home

    await eventually(is_moved)


async def test_changes_during_a_cut_are_seen_after_it(
    tenancy: Tenancy, elsewhere: TenantDirectory, line: SwitchedLine
) -> None:
    made = await new_tenant(tenancy.store)
    await line.settled()
    assert await name_of(elsewhere, made.slug) == made.name
    line.cut()
    new_name = f"New {made.name}"
    await tenancy.store.tenants.change(made.id, {"name": new_name}, version=1, actor=SYSTEM)
    await asyncio.sleep(0.1)
    assert await name_of(elsewhere, made.slug) == made.name
    line.is_cut = False

    async def is_renamed() -> bool:
        return await name_of(elsewhere, made.slug) == new_name

    await eventually(is_renamed)
    assert len(line.connections) == 2


async def test_registry_that_is_down_keeps_nobody_out_who_is_known(
    tenancy: Tenancy, another_tenancy: Callable[..., Awaitable[Tenancy]]
) -> None:
    made, stranger = await new_tenant(tenancy.store), await new_tenant(tenancy.store)
    async with await another_tenancy() as process:
        async with asyncio.timeout(HEARD_S_MAX):
            await process.directory.listening()
        await process.directory.by_slug(made.slug)
        await process.registry_engine.dispose()
        # From here on the registry's address leads nowhere.
        address = process.options.main_server
        dead = process.pools.registry_engine(
            Server(name=address.name, host=address.host, port=1), "clinic_registry"
        )
        process.directory._registry = RegistryStore(dead)
        process.directory.expire_all()
        assert await name_of(process.directory, made.slug) == made.name
        with pytest.raises(RegistryUnavailableError):
            await process.directory.by_slug(stranger.slug)
        await dead.dispose()


async def test_closing_stops_the_listening(tenancy: Tenancy, line: SwitchedLine) -> None:
    directory = TenantDirectory(tenancy.store, listen=line.connect, ttl_s=60)
    await directory.open()
    async with asyncio.timeout(HEARD_S_MAX):
        await directory.listening()
    await directory.close()
    assert line.connections[-1].is_closed()
