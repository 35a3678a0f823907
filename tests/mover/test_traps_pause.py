"""A cut-over that gets no further is given up within a second: by the mover, or by the server if the mover has stopped."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from clinics import Clinic
from moves import move
from tenancy.mover import cutover
from tenancy.mover.stream import ChangeStream
from tenancy.registry.move_records import MoveStatus
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName
from workload import Workload

pytestmark = pytest.mark.usefixtures("no_move_left_open")

ROW, SCHEMA, DATABASE = StrategyName
ASLEEP_S = 1.6
IN_FLIGHT_S = 0.3
WRITERS = 4
STEP_S = 0.05
STEPS_MAX = 100
NO_LIMIT_MS = 30_000
BY_THE_MOVER = (cutover.FENCE_MS_MAX, NO_LIMIT_MS)
BY_THE_SERVER = (NO_LIMIT_MS, cutover.SERVER_FENCE_MS_MAX)


class StuckAtFirst:
    """Lets the first drain sleep with the fence, wake, and go on as if nothing had been."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, mover_ms: int, server_ms: int) -> None:
        self.drains = 0
        self.is_stuck = asyncio.Event()
        self.wakes = asyncio.Event()
        monkeypatch.setattr(cutover, "FENCE_MS_MAX", mover_ms)
        monkeypatch.setattr(cutover, "SERVER_FENCE_MS_MAX", server_ms)
        drain = ChangeStream.drain

        async def stuck(stream: ChangeStream, mark: str, *, deadline: float) -> None:
            self.drains += 1
            if self.drains == 1:
                self.is_stuck.set()
                await self.wakes.wait()
            await drain(stream, mark, deadline=deadline)

        monkeypatch.setattr(ChangeStream, "drain", stuck)

    async def sleep(self) -> None:
        """Wake it when its fence has certainly fallen."""
        await self.is_stuck.wait()
        await asyncio.sleep(ASLEEP_S)
        self.wakes.set()

    async def until_written(self, workload: Workload) -> None:
        """Wake it when the clinic has gone on writing without it, or after a while if it does not."""
        await self.is_stuck.wait()
        await asyncio.sleep(IN_FLIGHT_S)
        before = len(workload.acknowledged)
        for _ in range(STEPS_MAX):
            if len(workload.acknowledged) > before + WRITERS:
                break
            await asyncio.sleep(STEP_S)
        else:
            workload.failures.append(AssertionError("the fence was not let go of"))
        self.wakes.set()


@pytest.mark.parametrize(
    "limits", [BY_THE_MOVER, BY_THE_SERVER], ids=["by the mover", "by the server"]
)
async def test_a_fence_that_leads_to_nothing_is_let_go_of(
    tenancy: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    monkeypatch: pytest.MonkeyPatch,
    limits: tuple[int, int],
):
    clinic, stuck = await make_clinic(ROW), StuckAtFirst(monkeypatch, *limits)
    workload, stop = Workload(tenancy, clinic.tenant_id), asyncio.Event()
    await workload.prepare()
    async with asyncio.TaskGroup() as group:
        group.create_task(workload.run(stop, writers=WRITERS))
        try:
            group.create_task(stuck.until_written(workload))
            moved = await move(tenancy, clinic.tenant_id, SCHEMA)
        finally:
            stop.set()
    await workload.check()
    assert stuck.drains > 1
    assert (moved.status, moved.error) == (MoveStatus.GRACE, None)


async def test_a_mover_that_wakes_without_its_fence_tries_again(
    tenancy: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    monkeypatch: pytest.MonkeyPatch,
):
    """Nobody writes, so nothing differs: it finds out at the decision alone."""
    clinic, stuck = await make_clinic(ROW), StuckAtFirst(monkeypatch, *BY_THE_SERVER)
    async with asyncio.TaskGroup() as group:
        group.create_task(stuck.sleep())
        moved = await move(tenancy, clinic.tenant_id, SCHEMA)
    assert stuck.drains > 1
    assert (moved.status, moved.error) == (MoveStatus.GRACE, None)
