"""In every state of a move's two homes writes are taken at one of them alone, whoever writes and whatever he believes."""

from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from sqlalchemy import select

from asleep import ended, sleep_at, work_claimed
from clinics import Clinic
from domain.operations.models import TenantSetting
from moves import mover_of
from setting_rows import holds_setting, write_setting
from tenancy.credentials import DatabaseRole
from tenancy.modes import Mode
from tenancy.mover.mover import MoveRequest
from tenancy.mover.phases import Phase
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import Placement, StrategyName

pytestmark = pytest.mark.usefixtures("no_move_left_open")

ROW, SCHEMA, DATABASE = StrategyName
WAYS = pytest.mark.parametrize(
    ("source", "target"), [(ROW, SCHEMA), (SCHEMA, DATABASE), (DATABASE, ROW)], ids=str
)
STATES = ("loading", "ready", "moved", "grace", "finished")
WRITES = (
    "INSERT INTO {schema}.tenant_setting (namespace, data, version) VALUES ('intruder', '{{}}', 1)",
    "UPDATE {schema}.tenant_setting SET version = version + 1",
    "DELETE FROM {schema}.tenant_setting",
)
TAKEN, REFUSED = "taken", "TNRET"
GONE = {
    asyncpg.InvalidCatalogNameError.sqlstate,
    asyncpg.UndefinedTableError.sqlstate,
}


async def states(
    tenancy: Tenancy, clinic: Clinic, target: StrategyName
) -> AsyncIterator[tuple[str, Placement, Placement]]:
    """Move the clinic; yield each of `STATES` with the home that serves in it and the one that does not."""
    mover = mover_of(tenancy)
    record = await mover.start(
        MoveRequest(tenant_id=clinic.tenant_id, strategy=target), actor=PlatformActor()
    )
    await sleep_at(tenancy, record.id, Phase.CAUGHT_UP)
    yield "loading", record.source, record.target
    await sleep_at(tenancy, record.id, Phase.BEFORE_DECIDE)
    yield "ready", record.source, record.target
    await sleep_at(tenancy, record.id, Phase.DECIDED)
    yield "moved", record.target, record.source
    await work_claimed(tenancy, record.id)
    yield "grace", record.target, record.source
    await ended(tenancy, record.id, "finish")
    yield "finished", record.target, record.source


async def said(tenancy: Tenancy, placement: Placement, epoch: int) -> set[str]:
    """Return what a home says to a session that says itself who it is, as `psql` can; nothing is kept."""
    home, answers = placement.home, set()
    try:
        connection = await tenancy.pools.connect(home.server, home.database, DatabaseRole.APP)
    except asyncpg.InvalidCatalogNameError as error:
        return {error.sqlstate}
    try:
        for write in WRITES:
            try:
                await connection.execute(
                    f"BEGIN; SET LOCAL app.tenant_id = '{placement.tenant_id}';"
                    f" SET LOCAL app.epoch = {epoch}; {write.format(schema=home.schema)}"
                )
            except asyncpg.PostgresError as error:
                answers.add(error.sqlstate)
            else:
                answers.add(TAKEN)
            await connection.execute("ROLLBACK")
    finally:
        await connection.close()
    return answers


@WAYS
async def test_a_session_that_came_past_the_gate_writes_at_the_home_that_serves_alone(
    tenancy: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    source: StrategyName,
    target: StrategyName,
):
    clinic = await make_clinic(source)
    await write_setting(tenancy, clinic.tenant_id, "before")
    seen = []
    async for state, serving, other in states(tenancy, clinic, target):
        seen.append(state)
        assert await said(tenancy, serving, serving.epoch) == {TAKEN}, state
        assert await said(tenancy, serving, serving.epoch + 1) == {REFUSED}, state
        epochs = {serving.epoch, other.epoch, serving.epoch + 2}
        if state == "ready":
            # It takes in the epoch that begins with the decision, which nobody can know of before.
            epochs.remove(other.epoch)
        for epoch in epochs:
            answers = await said(tenancy, other, epoch)
            assert answers <= {REFUSED, *GONE}, (state, epoch, answers)
    assert tuple(seen) == STATES


async def sleeper(make: Callable[..., Awaitable[Tenancy]], clinic: Clinic) -> Tenancy:
    """Return a worker that knows the clinic's place of now, and hears of nothing that comes."""
    worker = await make()
    async with worker.session(clinic.tenant_id, Mode.READ) as session:
        await session.scalar(select(TenantSetting.version).limit(1))
    return worker


@WAYS
async def test_a_worker_that_slept_writes_at_the_home_that_serves_alone(
    tenancy: Tenancy,
    another_tenancy: Callable[..., Awaitable[Tenancy]],
    make_clinic: Callable[..., Awaitable[Clinic]],
    source: StrategyName,
    target: StrategyName,
):
    clinic = await make_clinic(source)
    workers = {state: await sleeper(another_tenancy, clinic) for state in STATES}
    try:
        async for state, serving, other in states(tenancy, clinic, target):
            await write_setting(workers[state], clinic.tenant_id, state)
            assert await holds_setting(tenancy, serving, state), state
            assert not await holds_setting(tenancy, other, state), state
        for state in STATES:
            assert await holds_setting(tenancy, serving, state), f"{state} was lost"
    finally:
        for worker in workers.values():
            await worker.close()
