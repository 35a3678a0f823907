"""A server is emptied while its clinics work; a run that was stopped is gone on with."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from clinics import Clinic
from moves import move, mover_of, placement_of
from second_server import SecondServer
from tenancy.fleet.drain import Drain, Drained
from tenancy.mover.phases import Phase
from tenancy.registry.errors import UnknownServerError
from tenancy.registry.records import SYSTEM
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName
from workload import Workload

pytestmark = pytest.mark.usefixtures("no_move_left_open")


@pytest.fixture
async def there(
    tenancy: Tenancy,
    elsewhere: SecondServer,
    make_clinic: Callable[..., Awaitable[Clinic]],
) -> AsyncIterator[dict[StrategyName, Clinic]]:
    """A clinic of each strategy on the second server, which is open again afterwards."""
    clinics = {}
    for strategy in StrategyName:
        clinics[strategy] = await make_clinic(strategy)
        await move(tenancy, clinics[strategy].tenant_id, strategy, elsewhere.address.name)
    yield clinics
    await tenancy.store.servers.set_status(elsewhere.address.name, "open", actor=SYSTEM)


async def drain(tenancy: Tenancy, server: str, drainer: Drain | None = None) -> list[Drained]:
    drainer = drainer or Drain(tenancy, mover_of(tenancy), actor=SYSTEM)
    return await drainer.run(server, to="main", at_once=2, grace_s=0, progress=lambda *_: None)


async def test_every_clinic_leaves_in_its_own_strategy_and_works_on(
    tenancy: Tenancy, elsewhere: SecondServer, there: dict[StrategyName, Clinic]
) -> None:
    stop = asyncio.Event()
    workloads = [Workload(tenancy, clinic.tenant_id) for clinic in there.values()]
    async with asyncio.TaskGroup() as group:
        for workload in workloads:
            await workload.prepare()
            group.create_task(workload.run(stop))
        results = await drain(tenancy, elsewhere.address.name)
        stop.set()
    assert {result.slug: result.error for result in results} == {
        clinic.slug: None for clinic in there.values()
    }
    for strategy, clinic in there.items():
        placement = await placement_of(tenancy, clinic.tenant_id)
        assert (placement.home.server, placement.strategy) == ("main", strategy)
    for workload in workloads:
        await workload.check()
    (server,) = [s for s in await tenancy.store.servers.all() if s.name == elsewhere.address.name]
    assert (server.status, server.placements) == ("draining", 0)


async def test_what_a_stopped_run_has_left_the_next_one_goes_on_with(
    tenancy: Tenancy, elsewhere: SecondServer, there: dict[StrategyName, Clinic]
) -> None:
    reached = asyncio.Event()

    def stop_here(phase: Phase) -> None:
        if phase is Phase.COPIED:
            reached.set()

    stopped = asyncio.create_task(
        drain(
            tenancy,
            elsewhere.address.name,
            Drain(tenancy, mover_of(tenancy, reached=stop_here), actor=SYSTEM),
        )
    )
    await reached.wait()
    stopped.cancel()
    await asyncio.gather(stopped, return_exceptions=True)
    results = await drain(tenancy, elsewhere.address.name)
    assert [result.error for result in results] == [None] * len(results)
    for clinic in there.values():
        assert (await placement_of(tenancy, clinic.tenant_id)).home.server == "main"


async def test_a_clinic_that_cannot_go_stays_and_is_reported(
    tenancy: Tenancy, elsewhere: SecondServer, there: dict[StrategyName, Clinic]
) -> None:
    drainer = Drain(tenancy, mover_of(tenancy), actor=SYSTEM)
    name = elsewhere.address.name
    results = await drainer.run(name, to=name, at_once=1, grace_s=0, progress=lambda *_: None)
    assert {result.slug for result in results} == {clinic.slug for clinic in there.values()}
    assert all(result.error for result in results)
    for clinic in there.values():
        assert (await placement_of(tenancy, clinic.tenant_id)).home.server == name


async def test_there_must_be_such_a_server(tenancy: Tenancy) -> None:
    with pytest.raises(UnknownServerError):
        await drain(tenancy, "nowhere")
