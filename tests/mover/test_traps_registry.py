"""A worker whose registry does not answer follows a clinic it knows: the old home tells where the new one is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from sqlalchemy import select

from asleep import ended, work_claimed
from clinics import Clinic
from domain.operations.models import TenantSetting
from moves import mover_of
from second_server import SecondServer
from setting_rows import holds_setting, write_setting
from tenancy.modes import Mode
from tenancy.mover.mover import MoveRequest
from tenancy.registry.errors import RegistryUnavailableError
from tenancy.registry.move_records import MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.registry.store import RegistryStore
from tenancy.runtime import Tenancy
from tenancy.tenant import Server, StrategyName
from workload import Workload

pytestmark = pytest.mark.usefixtures("no_move_left_open")

ROW, SCHEMA, DATABASE = StrategyName
NO_PORT = 1


@pytest.fixture
async def worker(another_tenancy: Callable[..., Awaitable[Tenancy]]) -> AsyncIterator[Tenancy]:
    """A process that hears no notice of the registry."""
    process = await another_tenancy()
    yield process
    await process.close()


async def lose_registry(worker: Tenancy, clinic: Clinic) -> None:
    """Let the registry's address lead nowhere, once the worker knows the clinic; what it knows is old at once."""
    async with worker.session(clinic.tenant_id, Mode.READ) as session:
        await session.scalar(select(TenantSetting.version).limit(1))
    await worker.registry_engine.dispose()
    main = worker.options.main_server
    worker.registry_engine = worker.pools.registry_engine(
        Server(name=main.name, host=main.host, port=NO_PORT), worker.options.registry_database
    )
    worker.directory._registry = RegistryStore(worker.registry_engine)
    worker.directory.expire_all()
    with pytest.raises(RegistryUnavailableError):
        await worker.directory.by_slug("a-clinic-it-never-met")


async def follow(
    tenancy: Tenancy, worker: Tenancy, clinic: Clinic, target: StrategyName, server: str
) -> None:
    """Move the clinic while the worker writes; what it writes is where the clinic lives, and not where it was."""
    workload, stop, mover = Workload(worker, clinic.tenant_id), asyncio.Event(), mover_of(tenancy)
    await workload.prepare()
    request = MoveRequest(tenant_id=clinic.tenant_id, strategy=target, server=server)
    record = await mover.start(request, actor=PlatformActor())
    async with asyncio.TaskGroup() as group:
        group.create_task(workload.run(stop))
        try:
            await work_claimed(tenancy, record.id)
            before = len(workload.acknowledged)
            await asyncio.sleep(0.3)
        finally:
            stop.set()
    assert len(workload.acknowledged) > before
    await workload.check()
    await write_setting(worker, clinic.tenant_id, "after")
    assert await holds_setting(tenancy, record.target, "after")
    assert not await holds_setting(tenancy, record.source, "after")
    assert (await ended(tenancy, record.id, "finish")).status is MoveStatus.FINISHED
    await write_setting(worker, clinic.tenant_id, "in the end")
    assert await holds_setting(tenancy, record.target, "in the end")


@pytest.mark.parametrize(
    ("source", "target"), [(ROW, SCHEMA), (SCHEMA, DATABASE), (DATABASE, ROW)], ids=str
)
async def test_a_clinic_is_followed_without_the_registry(
    tenancy: Tenancy,
    worker: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    source: StrategyName,
    target: StrategyName,
):
    clinic = await make_clinic(source)
    await lose_registry(worker, clinic)
    await follow(tenancy, worker, clinic, target, "main")


async def test_a_clinic_is_followed_to_a_server_that_was_known(
    tenancy: Tenancy,
    worker: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    elsewhere: SecondServer,
):
    clinic = await make_clinic(ROW)
    assert await worker.directory.server(elsewhere.address.name) is not None
    await lose_registry(worker, clinic)
    await follow(tenancy, worker, clinic, ROW, elsewhere.address.name)
