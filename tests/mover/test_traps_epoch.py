"""A decision that falls while somebody waits at the fence is seen by him: no write is taken in with an old epoch."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from clinics import Clinic
from hand_move import FENCE
from moves import placement_of
from tenancy.connection import Scope
from tenancy.credentials import DatabaseRole
from tenancy.errors import ForbiddenStatementError
from tenancy.modes import Mode
from tenancy.runtime import Tenancy
from tenancy.tenant import Placement, StrategyName

LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
PUT = "INSERT INTO {schema}.tenant_setting (namespace, data, version) VALUES ('late', '{{}}', 1)"
SCOPE = "SET LOCAL app.tenant_id = '{tenant}'; SET LOCAL app.epoch = {epoch}"
ENTER = "SELECT tenancy.enter('{tenant}', {epoch}, '{mode}', NULL, NULL)"
# What a session says before the fence is taken, and what while it is held; the decision falls meanwhile.
SHAPES = {
    "the guard alone": (f"BEGIN ISOLATION LEVEL {{level}}; {SCOPE}", PUT),
    "the guard after a look": (
        f"BEGIN ISOLATION LEVEL {{level}}; {SCOPE}; SELECT FROM tenancy.tenant_home",
        PUT,
    ),
    "the guard in a transaction of its statement": (
        "SET default_transaction_isolation = '{level}'; SET app.tenant_id = '{tenant}'; SET app.epoch = {epoch}",
        PUT,
    ),
    "the gate after a look": (
        "BEGIN ISOLATION LEVEL {level}; SELECT FROM tenancy.tenant_home",
        None,
    ),
}
STEP_S = 0.005
STEPS_MAX = 1_000
GATE_MODES = ("rw", "audit")


@pytest.fixture
async def clinic(make_clinic: Callable[..., Awaitable[Clinic]]) -> Clinic:
    return await make_clinic(StrategyName.ROW)


@asynccontextmanager
async def connected(
    tenancy: Tenancy, placement: Placement, role: DatabaseRole
) -> AsyncIterator[Any]:
    home = placement.home
    connection = await tenancy.pools.connect(home.server, home.database, role)
    try:
        yield connection
    finally:
        connection.terminate()


async def decide(mover: Any, placement: Placement) -> None:
    await mover.execute(
        "UPDATE tenancy.tenant_home SET state = 'moved', epoch = epoch + 1,"
        ' forward_to = \'{"server": "main", "database": "elsewhere", "schema": "s", "strategy": "schema"}\''
        " WHERE tenant_id = $1",
        placement.tenant_id,
    )


async def waits_or_is_done(writing: asyncio.Future[Any], mover: Any, pid: int) -> None:
    for _ in range(STEPS_MAX):
        if writing.done() or await mover.fetchval(
            "SELECT count(*) > 0 FROM pg_locks WHERE pid = $1 AND NOT granted", pid
        ):
            return
        await asyncio.sleep(STEP_S)
    raise AssertionError("nobody waits at the fence")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("shape", [name for name, (_, write) in SHAPES.items() if write])
async def test_who_waited_at_the_fence_reads_the_decision(
    tenancy: Tenancy, clinic: Clinic, shape: str, level: str
):
    placement = await placement_of(tenancy, clinic.tenant_id)
    words = {
        "tenant": clinic.tenant_id,
        "epoch": placement.epoch,
        "level": level,
        "schema": placement.home.schema,
    }
    before, write = SHAPES[shape]
    assert write is not None
    async with (
        connected(tenancy, placement, DatabaseRole.APP) as session,
        connected(tenancy, placement, DatabaseRole.MOVER) as mover,
        connected(tenancy, placement, DatabaseRole.MOVER) as watcher,
    ):
        await session.execute(before.format(**words))
        await mover.execute("BEGIN")
        await mover.execute(FENCE, placement.tenant_id)
        writing = asyncio.ensure_future(session.execute(write.format(**words)))
        await waits_or_is_done(writing, watcher, session.get_server_pid())
        await decide(mover, placement)
        await mover.execute("COMMIT")
        with pytest.raises(asyncpg.PostgresError) as refused:
            await writing
        assert refused.value.sqlstate == "TNRET"


@pytest.mark.parametrize("mode", GATE_MODES)
@pytest.mark.parametrize("level", LEVELS)
async def test_the_gate_lets_nobody_in_by_what_he_saw_before_the_decision(
    tenancy: Tenancy, clinic: Clinic, level: str, mode: str
):
    placement = await placement_of(tenancy, clinic.tenant_id)
    words = {"tenant": clinic.tenant_id, "epoch": placement.epoch, "level": level, "mode": mode}
    async with (
        connected(tenancy, placement, DatabaseRole.APP) as session,
        connected(tenancy, placement, DatabaseRole.MOVER) as mover,
    ):
        await session.execute(SHAPES["the gate after a look"][0].format(**words))
        await decide(mover, placement)
        with pytest.raises(asyncpg.PostgresError) as refused:
            await session.execute(ENTER.format(**words))
        assert refused.value.sqlstate in {"TNMOV", "TNRET"}


async def test_a_fenced_clinic_is_not_waited_for_at_the_gate(tenancy: Tenancy, clinic: Clinic):
    placement = await placement_of(tenancy, clinic.tenant_id)
    async with (
        connected(tenancy, placement, DatabaseRole.APP) as session,
        connected(tenancy, placement, DatabaseRole.MOVER) as mover,
    ):
        await mover.execute("BEGIN")
        await mover.execute(FENCE, placement.tenant_id)
        words = {"tenant": clinic.tenant_id, "epoch": placement.epoch}
        await session.execute("SET statement_timeout = '2s'")
        with pytest.raises(asyncpg.PostgresError) as refused:
            await session.execute(ENTER.format(mode="rw", **words))
        assert refused.value.sqlstate == "TNRET"
        # Reads go on.
        await session.execute(ENTER.format(mode="ro", **words))


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_no_session_begins_with_a_snapshot_older_than_its_look_at_the_home(level: str):
    scope = Scope(None, 1, Mode.WRITE, None)  # type: ignore[arg-type]  # it gets no further
    with pytest.raises(ForbiddenStatementError):
        scope.prelude(f"BEGIN ISOLATION LEVEL {level}")


async def test_entering_writes_no_log_and_holds_one_lock(tenancy: Tenancy, clinic: Clinic):
    placement = await placement_of(tenancy, clinic.tenant_id)
    words = {"tenant": clinic.tenant_id, "epoch": placement.epoch}
    async with connected(tenancy, placement, DatabaseRole.APP) as session:
        for mode in ("rw", "ro"):
            await session.execute(f"BEGIN; {ENTER.format(mode=mode, **words)}")
            assert await session.fetchval("SELECT pg_current_xact_id_if_assigned() IS NULL")
            locks = "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'"
            assert await session.fetchval(locks) == 1
            await session.execute("ROLLBACK")


async def test_a_connection_that_was_a_clinics_before_belongs_to_nobody(
    tenancy: Tenancy, clinic: Clinic
):
    """A setting that was local to a transaction reads as an empty text ever after, which is no uuid."""
    placement = await placement_of(tenancy, clinic.tenant_id)
    words = {"tenant": clinic.tenant_id, "epoch": placement.epoch}
    schema = placement.home.schema
    async with connected(tenancy, placement, DatabaseRole.APP) as session:
        await session.execute(f"BEGIN; {ENTER.format(mode='rw', **words)}; COMMIT")
        assert await session.fetchval("SELECT current_setting('app.tenant_id')") == ""
        assert await session.fetch(f"SELECT 1 FROM {schema}.user_account") == []
        with pytest.raises(asyncpg.PostgresError) as refused:
            await session.execute(PUT.format(schema=schema))
        assert refused.value.sqlstate == "TNRET"
