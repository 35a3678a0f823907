"""Two clinics whose fences have the same number wait for each other at most: neither is moved, refused or emptied for the other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from clinics import Clinic
from domain.actor import Role
from hand_move import FENCE
from moves import contents, mover_of, placement_of
from tenancy.credentials import DatabaseRole
from tenancy.mover.mover import MoveRequest
from tenancy.mover.phases import Phase
from tenancy.registry import requests
from tenancy.registry.move_records import MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import Placement, StrategyName
from workload import Workload

pytestmark = pytest.mark.usefixtures("no_move_left_open")

OPERATOR = PlatformActor()
# Found by search: `uuid_hash` says the same of both.
TWINS = (
    UUID("00000000-0000-7000-8000-000000015176"),
    UUID("00000000-0000-7000-8000-000000034360"),
)
READS_BESIDE = 5
PAUSE_S = 0.1
WAIT_S_MAX = 5


@pytest.fixture(scope="module")
async def twins(make_clinic: Callable[..., Awaitable[Clinic]]) -> tuple[Clinic, Clinic]:
    """Two clinics of the pool; the ids of new clinics are chosen for them."""
    with pytest.MonkeyPatch.context() as chosen:
        ids = iter(TWINS)
        chosen.setattr(requests, "uuid7", lambda: next(ids))
        return await make_clinic(StrategyName.ROW), await make_clinic(StrategyName.ROW)


@asynccontextmanager
async def connected(
    tenancy: Tenancy, placement: Placement, role: DatabaseRole
) -> AsyncIterator[Any]:
    connection = await tenancy.pools.connect(placement.home.server, placement.home.database, role)
    try:
        yield connection
    finally:
        connection.terminate()


async def read_for_long(
    tenancy: Tenancy,
    placement: Placement,
    beside: Workload,
    begun: asyncio.Event,
    left: asyncio.Event,
) -> None:
    """Read at a home that is to be removed until somebody has read beside it, again and again."""
    async with connected(tenancy, placement, DatabaseRole.APP) as reader:
        # On a slow machine the move takes longer than the role may be idle.
        await reader.execute("SET idle_in_transaction_session_timeout = 0")
        await reader.execute(
            f"BEGIN READ ONLY; SELECT tenancy.enter('{placement.tenant_id}', {placement.epoch}, 'ro', NULL, NULL)"
        )
        begun.set()
        await left.wait()
        for _ in range(READS_BESIDE):
            await asyncio.sleep(PAUSE_S)
            await beside.read()
        assert await reader.fetchval("SELECT count(*) FROM user_account") > 0, "emptied while read"


async def test_the_clinic_beside_works_through_a_move_and_its_purge(
    tenancy: Tenancy, twins: tuple[Clinic, Clinic]
):
    moved, beside = twins
    home, its_home = [await placement_of(tenancy, clinic.tenant_id) for clinic in twins]
    async with connected(tenancy, home, DatabaseRole.MOVER) as connection:
        keys = await connection.fetch(
            "SELECT tenancy.fence_key(id) FROM unnest($1::uuid[]) id", TWINS
        )
        assert keys[0] == keys[1], "they are no twins on this server"
    workloads = [Workload(tenancy, clinic.tenant_id) for clinic in twins]
    for workload in workloads:
        await workload.prepare()
    begun, left, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def reached(phase: Phase) -> None:
        if phase is Phase.SLOT_DROPPED:
            left.set()

    mover = mover_of(tenancy, reached=reached)
    async with asyncio.TaskGroup() as group:
        for workload in workloads:
            group.create_task(workload.run(stop))
        try:
            request = MoveRequest(tenant_id=moved.tenant_id, strategy=StrategyName.SCHEMA)
            started = await mover.start(request, actor=OPERATOR)
            reading = group.create_task(read_for_long(tenancy, home, workloads[1], begun, left))
            await begun.wait()
            await mover.work(started.id, stays=False)
            await mover.want(started.id, "finish", actor=OPERATOR)
            ended = await mover.work(started.id)
            assert reading.done(), "the home was emptied while somebody read there"
        finally:
            stop.set()
    for workload in workloads:
        await workload.check()
    assert ended.status is MoveStatus.FINISHED
    assert await placement_of(tenancy, beside.tenant_id) == its_home


async def test_the_clinic_beside_waits_while_the_fence_is_held_and_no_longer(
    tenancy: Tenancy, twins: tuple[Clinic, Clinic]
):
    moved, beside = [await placement_of(tenancy, clinic.tenant_id) for clinic in twins]
    held = await contents(tenancy, beside)
    async with connected(tenancy, moved, DatabaseRole.MOVER) as mover:
        await mover.execute("BEGIN")
        await mover.execute(FENCE, beside.tenant_id)
        writing = asyncio.ensure_future(twins[1].add_user(Role.OPERATOR))
        await asyncio.wait({writing}, timeout=0.1)
        assert not writing.done()
        await mover.execute("ROLLBACK")
        await asyncio.wait_for(writing, WAIT_S_MAX)
    assert await contents(tenancy, beside) != held
