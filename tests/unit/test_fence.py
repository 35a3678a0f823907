"""Who asks at the gate of a fenced clinic, and when the others may go."""

import asyncio
from uuid import uuid4

import pytest

from tenancy.errors import ClinicBusyError, TenantMovingError
from tenancy.fence import FenceQueues, Turn
from tenancy.tenant import TenantId

WAIT_S = 5.0


@pytest.fixture
def clinic() -> TenantId:
    return TenantId(uuid4())


async def waiting(queues: FenceQueues, clinic: TenantId, number: int) -> list[asyncio.Task[Turn]]:
    deadline = asyncio.get_running_loop().time() + WAIT_S
    tasks = [asyncio.create_task(queues.join(clinic, deadline)) for _ in range(number)]
    await asyncio.sleep(0)
    return tasks


async def test_once_one_is_in_all_others_may_go(clinic: TenantId) -> None:
    queues = FenceQueues(10)
    first, *others = await waiting(queues, clinic, 4)
    assert await first is Turn.FIRST
    assert not any(task.done() for task in others)
    queues.leave(clinic, has_entered=True)
    assert await asyncio.gather(*others) == [Turn.NOBODYS] * 3


async def test_whoever_is_refused_after_that_waits_anew(clinic: TenantId) -> None:
    queues = FenceQueues(10)
    first, *others = await waiting(queues, clinic, 3)
    assert await first is Turn.FIRST
    queues.leave(clinic, has_entered=True)
    again, behind = await waiting(queues, clinic, 2)
    assert await again is Turn.FIRST
    await asyncio.gather(*others)
    assert not behind.done()
    queues.leave(clinic, has_entered=True)
    assert await behind is Turn.NOBODYS


async def test_the_next_one_asks_when_the_first_gives_up(clinic: TenantId) -> None:
    queues = FenceQueues(10)
    first, second, third = await waiting(queues, clinic, 3)
    assert await first is Turn.FIRST
    queues.leave(clinic, has_entered=False)
    assert await second is Turn.NEXT
    assert not third.done()
    queues.leave(clinic, has_entered=True)
    assert await third is Turn.NOBODYS


async def test_nobody_waits_past_the_deadline(clinic: TenantId) -> None:
    queues = FenceQueues(10)
    now = asyncio.get_running_loop().time()
    assert await queues.join(clinic, now + WAIT_S) is Turn.FIRST
    with pytest.raises(TenantMovingError):
        await queues.join(clinic, now + 0.01)
    queues.leave(clinic, has_entered=True)
    assert await queues.join(clinic, now + WAIT_S) is Turn.FIRST


async def test_a_crowd_is_refused(clinic: TenantId) -> None:
    queues = FenceQueues(1)
    first, _second = await waiting(queues, clinic, 2)
    assert await first is Turn.FIRST
    with pytest.raises(ClinicBusyError):
        await queues.join(clinic, asyncio.get_running_loop().time() + WAIT_S)
    queues.leave(clinic, has_entered=True)
    await _second
