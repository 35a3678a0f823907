"""A mover whose servers have fallen silent gives the move away, though its heartbeat still reaches the registry."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from clinics import Clinic
from mover_process import DetouredTenancy
from moves import mover_of, placement_of
from second_server import SecondServer
from severed import SeverableWay
from tenancy.errors import ServerUnavailableError
from tenancy.mover import reach
from tenancy.mover.mover import MoveRequest
from tenancy.mover.phases import Phase
from tenancy.registry.move_records import MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import Server, StrategyName
from workload import Workload

pytestmark = pytest.mark.usefixtures("no_move_left_open")

ROW, SCHEMA, DATABASE = StrategyName
OPERATOR = PlatformActor()
ENDED_S_MAX = 20.0


@pytest.fixture
async def way(main_server: Server, tmp_path: Path) -> AsyncIterator[SeverableWay]:
    way = SeverableWay(main_server, tmp_path)
    await way.open()
    yield way
    way.heal()
    await way.close()


@pytest.fixture
async def far(tenancy: Tenancy, way: SeverableWay) -> AsyncIterator[Tenancy]:
    """A process that reaches the registry as before, and the clinics' main server by the way alone."""
    process = DetouredTenancy(tenancy.options, {"main": way.address})
    yield process
    way.cut()
    await process.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "LOOK_S", 0.1)
    monkeypatch.setattr(reach, "ANSWER_S_MAX", 0.3)
    monkeypatch.setattr(reach, "SILENT_LOOKS_MAX", 2)
    monkeypatch.setattr(reach, "LEAVE_S_MAX", 1.0)


@pytest.mark.parametrize(
    ("phase", "server"),
    [
        (Phase.ATTEMPT_SRC, "main"),  # the target is prepared
        (Phase.REVERSE_SLOT, "elsewhere"),  # the source does not answer the copy
        (Phase.APPLIED_NOT_CONFIRMED, "main"),  # both do
        (Phase.LOCKED, "elsewhere"),
        (Phase.REVERSE_STARTED, "elsewhere"),  # the target of the way back does
    ],
    ids=str,
)
async def test_a_mover_out_of_reach_of_a_home_leaves_the_move_to_others(
    tenancy: Tenancy,
    far: Tenancy,
    way: SeverableWay,
    elsewhere: SecondServer,
    make_clinic: Callable[..., Awaitable[Clinic]],
    phase: Phase,
    server: str,
    monkeypatch: pytest.MonkeyPatch,
):
    clinic = await make_clinic(ROW)
    workload, stop = Workload(tenancy, clinic.tenant_id), asyncio.Event()
    await workload.prepare()

    def reached(now: Phase) -> None:
        if now is phase:
            way.hush()

    mover = mover_of(far, worker="out of reach", reached=reached)
    request = MoveRequest(tenant_id=clinic.tenant_id, strategy=SCHEMA, server=server)
    started = await mover.start(request, actor=OPERATOR)
    async with asyncio.TaskGroup() as group:
        group.create_task(workload.run(stop, writers=2, readers=1))
        try:
            async with asyncio.timeout(ENDED_S_MAX):
                with pytest.raises(ServerUnavailableError):
                    await mover.work(started.id)
            left = await mover.move(started.id)
            assert (left.worker, left.status.is_ended) == (None, False)
            # Who is in reach is as patient as ever: a busy machine may answer late.
            monkeypatch.undo()
            taken = await mover_of(tenancy, worker="in reach").work(started.id, stays=False)
            assert taken.status is MoveStatus.GRACE
        finally:
            stop.set()
    await workload.check()
    assert (await placement_of(tenancy, clinic.tenant_id)).home == started.target.home
