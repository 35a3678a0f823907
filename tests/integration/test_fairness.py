"""What goes wrong at one clinic stays there: the others log in, read and write as before."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import func, insert, select
from uuid_utils.compat import uuid7

from clinics import Clinic
from domain.organisation.models import Specialty
from hand_move import FENCE
from tenancy.credentials import DatabaseRole
from tenancy.errors import ServerUnavailableError
from tenancy.modes import Mode
from tenancy.runtime import Tenancy
from tenancy.tenant import Placement, StrategyName

MakeClinic = Callable[..., Awaitable[Clinic]]
PATIENCE_S = 4.0
"""Less than any time-out of the product: what takes longer has waited for somebody else."""


async def placement_of(tenancy: Tenancy, clinic: Clinic) -> Placement:
    resolved = await tenancy.directory.by_id(clinic.tenant_id)
    assert resolved is not None
    return resolved.placement


@asynccontextmanager
async def fenced(tenancy: Tenancy, clinic: Clinic) -> AsyncIterator[Any]:
    home = (await placement_of(tenancy, clinic)).home
    mover = await tenancy.pools.connect(home.server, home.database, DatabaseRole.MOVER)
    try:
        async with mover.transaction():
            await mover.execute(FENCE, clinic.tenant_id)
            yield mover
    finally:
        await mover.close()


async def write(tenancy: Tenancy, clinic: Clinic) -> None:
    async with tenancy.session(clinic.tenant_id, Mode.WRITE) as session:
        name = str(uuid7())
        await session.execute(insert(Specialty).values(id=uuid7(), name=name, code=name, version=1))


async def read(tenancy: Tenancy, clinic: Clinic) -> int:
    async with tenancy.session(clinic.tenant_id, Mode.READ) as session:
        return await session.scalar(select(func.count()).select_from(Specialty)) or 0


async def test_logins_at_a_fenced_clinic_hold_up_nobody_elses(
    tenancy: Tenancy, clinic_a: Clinic, clinic_b: Clinic
) -> None:
    async with fenced(tenancy, clinic_a):
        stuck = [asyncio.create_task(clinic_a.login(f"nobody-{n}")) for n in range(6)]
        await asyncio.sleep(0.2)
        answer = await asyncio.wait_for(clinic_b.login(clinic_b.admin_username), PATIENCE_S)
        assert answer.status_code == 200
        assert not any(task.done() for task in stuck)
    answers = await asyncio.gather(*stuck)
    assert {answer.status_code for answer in answers} <= {401, 429}


async def test_reads_of_a_fenced_clinic_pass_its_waiting_writers(
    tenancy: Tenancy, clinic_a: Clinic
) -> None:
    before = await read(tenancy, clinic_a)
    async with fenced(tenancy, clinic_a):
        writers = [asyncio.create_task(write(tenancy, clinic_a)) for _ in range(40)]
        await asyncio.sleep(0.2)
        for _ in range(10):
            assert await asyncio.wait_for(read(tenancy, clinic_a), PATIENCE_S) == before
        assert not any(task.done() for task in writers)
    await asyncio.wait_for(asyncio.gather(*writers), PATIENCE_S)
    assert await read(tenancy, clinic_a) == before + 40
    assert tenancy._fences._queues == {}
    assert clinic_a.tenant_id not in tenancy._admission._lanes


async def test_home_row_that_cannot_be_read_harms_its_own_clinic_alone(
    tenancy: Tenancy, make_clinic: MakeClinic, clinic_b: Clinic, placement: StrategyName
) -> None:
    broken = await make_clinic(placement)
    home = (await placement_of(tenancy, broken)).home
    migrator = await tenancy.pools.connect(home.server, home.database, DatabaseRole.MIGRATOR)
    try:
        await migrator.execute(
            "UPDATE tenancy.tenant_home SET state = 'moved', epoch = 2, forward_to = '{\"server\": \"main\"}'"
            " WHERE tenant_id = $1",
            broken.tenant_id,
        )
        for _ in range(15):
            with pytest.raises(Exception, match="missing required field"):
                await read(tenancy, broken)
        for _ in range(15):
            await read(tenancy, clinic_b)
        await migrator.execute(
            "UPDATE tenancy.tenant_home SET state = 'active', epoch = 1, forward_to = NULL WHERE tenant_id = $1",
            broken.tenant_id,
        )
    finally:
        await migrator.close()
    for _ in range(15):
        await read(tenancy, broken)


async def ask_a_stopped_server(tenancy: Tenancy, clinic: Clinic) -> None:
    async with tenancy.session(clinic.tenant_id, Mode.READ) as session:
        pid = await session.scalar(select(func.pg_backend_pid()))
        os.kill(pid, signal.SIGSTOP)
        try:
            await session.scalar(select(func.now()))
        finally:
            os.kill(pid, signal.SIGCONT)


async def test_server_that_stops_answering_is_given_up(
    another_tenancy: Callable[..., Awaitable[Any]], clinic_a: Clinic
) -> None:
    async with await another_tenancy(command_s_max=1.0, shared_size=1, dedicated_size=1) as worker:
        await read(worker, clinic_a)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask_a_stopped_server(worker, clinic_a), PATIENCE_S)
        assert await asyncio.wait_for(read(worker, clinic_a), PATIENCE_S) >= 0
        assert worker._admission._lanes == {}


async def test_two_noisy_clinics_leave_room_for_a_third(
    tenancy: Tenancy, make_clinic: MakeClinic, clinic_b: Clinic, placement: StrategyName
) -> None:
    async def occupy(clinic: Clinic) -> None:
        async with tenancy.session(clinic.tenant_id, Mode.READ) as session:
            await session.execute(select(func.pg_sleep(2)))

    noisy = [await make_clinic(placement) for _ in range(2)]
    crowd = [asyncio.create_task(occupy(clinic)) for clinic in noisy for _ in range(8)]
    await asyncio.sleep(0.3)
    try:
        await asyncio.wait_for(read(tenancy, clinic_b), 1.0)
    except ServerUnavailableError:
        pytest.fail("the third clinic found no connection")
    await asyncio.gather(*crowd)
