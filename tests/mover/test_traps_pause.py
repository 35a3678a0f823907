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
STUCK_S = 1.6
NO_LIMIT_MS = 30_000
WRITES_WAIT_MS_MAX = 2_000
BY_THE_MOVER = (cutover.FENCE_MS_MAX, NO_LIMIT_MS)
BY_THE_SERVER = (NO_LIMIT_MS, cutover.SERVER_FENCE_MS_MAX)


class StuckAtFirst:
    """Lets the first drain sleep with the fence, wake, and go on as if nothing had been."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, mover_ms: int, server_ms: int) -> None:
        self.drains = 0
        monkeypatch.setattr(cutover, "FENCE_MS_MAX", mover_ms)
        monkeypatch.setattr(cutover, "SERVER_FENCE_MS_MAX", server_ms)
        drain = ChangeStream.drain

        async def stuck(stream: ChangeStream, mark: str, *, deadline: float) -> None:
            self.drains += 1
            if self.drains == 1:
                await asyncio.sleep(STUCK_S)
            await drain(stream, mark, deadline=deadline)

        monkeypatch.setattr(ChangeStream, "drain", stuck)


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
        group.create_task(workload.run(stop))
        try:
            moved = await move(tenancy, clinic.tenant_id, SCHEMA)
            await asyncio.sleep(0.2)
        finally:
            stop.set()
    await workload.check()
    assert stuck.drains > 1
    assert (moved.status, moved.error) == (MoveStatus.GRACE, None)
    assert min(limits) * 0.9 < max(workload.write_ms) < WRITES_WAIT_MS_MAX


async def test_a_mover_that_wakes_without_its_fence_tries_again(
    tenancy: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    monkeypatch: pytest.MonkeyPatch,
):
    """Nobody writes, so nothing differs: it finds out at the decision alone."""
    clinic, stuck = await make_clinic(ROW), StuckAtFirst(monkeypatch, *BY_THE_SERVER)
    moved = await move(tenancy, clinic.tenant_id, SCHEMA)
    assert stuck.drains > 1
    assert (moved.status, moved.error) == (MoveStatus.GRACE, None)
