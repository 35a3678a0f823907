"""The tenant session: scoped on BEGIN, follows its clinic, leaves nothing behind."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import insert, select, text
from uuid_utils.compat import uuid7

from clinics import Clinic
from domain.organisation.models import Specialty
from hand_move import FENCE, move_by_hand
from tenancy.credentials import DatabaseRole
from tenancy.errors import NoTenantError, TenantMovingError, UnknownTenantError
from tenancy.modes import Mode
from tenancy.runtime import Tenancy
from tenancy.tenant import Placement, StrategyName, TenantId

NEXT_STRATEGY = {
    StrategyName.ROW: StrategyName.SCHEMA,
    StrategyName.SCHEMA: StrategyName.DATABASE,
    StrategyName.DATABASE: StrategyName.ROW,
}

TenancyMaker = Callable[..., Awaitable[Tenancy]]


async def add_specialty(tenancy: Tenancy, clinic: Clinic, name: str) -> UUID:
    row_id = uuid7()
    async with tenancy.session(clinic.tenant_id, Mode.WRITE) as session:
        await session.execute(
            insert(Specialty).values(id=row_id, name=name, code=name[:60], version=1)
        )
    return row_id


async def specialty_names(tenancy: Tenancy, clinic: Clinic) -> list[str]:
    async with tenancy.session(clinic.tenant_id, Mode.READ) as session:
        return list((await session.execute(select(Specialty.name))).scalars())


async def placement_of(tenancy: Tenancy, clinic: Clinic) -> Placement:
    resolved = await tenancy.directory.by_id(clinic.tenant_id)
    assert resolved is not None
    return resolved.placement


async def test_each_clinic_sees_its_own_rows_alone(
    tenancy: Tenancy, clinic_a: Clinic, clinic_b: Clinic
) -> None:
    await add_specialty(tenancy, clinic_a, "only in a")
    await add_specialty(tenancy, clinic_b, "only in b")
    names_a, names_b = (
        await specialty_names(tenancy, clinic_a),
        await specialty_names(tenancy, clinic_b),
    )
    assert "only in a" in names_a
    assert "only in b" not in names_a
    assert "only in b" in names_b
    assert "only in a" not in names_b


async def test_session_without_a_tenant_is_refused(tenancy: Tenancy) -> None:
    with pytest.raises(NoTenantError):
        async with tenancy.session(None, Mode.READ):  # type: ignore[arg-type]
            pass


async def test_unknown_tenant_is_refused_at_the_first_statement(tenancy: Tenancy) -> None:
    async with tenancy.session(TenantId(uuid7()), Mode.READ) as session:
        with pytest.raises(UnknownTenantError):
            await session.execute(select(Specialty.id))


async def test_nothing_is_opened_before_the_first_statement(
    tenancy: Tenancy, clinic_a: Clinic
) -> None:
    async with tenancy.session(clinic_a.tenant_id, Mode.WRITE):
        assert tenancy._admission._lanes == {}


async def test_read_mode_cannot_write(tenancy: Tenancy, clinic_a: Clinic) -> None:
    async with tenancy.session(clinic_a.tenant_id, Mode.READ) as session:
        with pytest.raises(Exception, match="read-only transaction"):
            await session.execute(
                insert(Specialty).values(id=uuid7(), name="x", code="x", version=1)
            )


async def test_error_rolls_everything_back_and_travels_unchanged(
    tenancy: Tenancy, clinic_a: Clinic
) -> None:
    class OddError(Exception):
        pass

    with pytest.raises(OddError):
        async with tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
            await session.execute(
                insert(Specialty).values(id=uuid7(), name="gone", code="g", version=1)
            )
            raise OddError
    assert "gone" not in await specialty_names(tenancy, clinic_a)


async def test_moved_clinic_is_followed_under_load(
    tenancy: Tenancy, placement: StrategyName, make_clinic: Callable[..., Awaitable[Clinic]]
) -> None:
    clinic = await make_clinic(placement)
    before = await placement_of(tenancy, clinic)
    acknowledged: list[str] = []
    stop = asyncio.Event()

    async def write(worker: int) -> None:
        number = 0
        while not stop.is_set():
            name = f"w{worker}-{number}"
            await add_specialty(tenancy, clinic, name)
            acknowledged.append(name)
            assert name in await specialty_names(tenancy, clinic)
            number += 1

    writers = [asyncio.create_task(write(worker)) for worker in range(6)]
    await asyncio.sleep(0.2)
    after = await move_by_hand(tenancy, before, NEXT_STRATEGY[placement])
    written_before = len(acknowledged)
    await asyncio.sleep(0.3)
    stop.set()
    await asyncio.gather(*writers)
    assert len(acknowledged) > written_before > 0
    assert (await placement_of(tenancy, clinic)).home == after.home
    stored = [n for n in await specialty_names(tenancy, clinic) if n.startswith("w")]
    assert sorted(stored) == sorted(acknowledged)


async def test_worker_that_slept_through_two_moves_finds_its_way(
    tenancy: Tenancy,
    placement: StrategyName,
    make_clinic: Callable[..., Awaitable[Clinic]],
    another_tenancy: TenancyMaker,
) -> None:
    clinic = await make_clinic(placement)
    async with await another_tenancy() as sleeper:
        await add_specialty(sleeper, clinic, "zero")
        first = await move_by_hand(
            tenancy, await placement_of(tenancy, clinic), NEXT_STRATEGY[placement]
        )
        back = await move_by_hand(tenancy, first, placement)
        await add_specialty(sleeper, clinic, "two")
        assert (await placement_of(sleeper, clinic)).epoch == back.epoch
        assert sorted(await specialty_names(sleeper, clinic)) == ["two", "zero"]


async def test_stale_epoch_is_refused_by_the_gate_and_by_the_guard(
    tenancy: Tenancy, clinic_a: Clinic
) -> None:
    home = (await placement_of(tenancy, clinic_a)).home
    connection = await tenancy.pools.connect(home.server, home.database, DatabaseRole.APP)
    try:
        with pytest.raises(asyncpg.PostgresError) as refused:
            await connection.execute(
                f"BEGIN; SELECT tenancy.enter('{clinic_a.tenant_id}', 0, 'rw', NULL, NULL)"
            )
        assert refused.value.sqlstate == "TNMOV"
        await connection.execute("ROLLBACK")
        with pytest.raises(asyncpg.PostgresError) as guarded:
            await connection.execute(
                f"BEGIN; SET LOCAL search_path = {home.schema}; SET LOCAL app.epoch = 0;"
                f" SET LOCAL app.tenant_id = '{clinic_a.tenant_id}'; DELETE FROM specialty"
            )
        assert guarded.value.sqlstate == "TNRET"
    finally:
        await connection.close()


async def test_write_waits_at_the_fence_without_a_connection(
    tenancy: Tenancy, clinic_a: Clinic
) -> None:
    current = await placement_of(tenancy, clinic_a)
    mover = await tenancy.pools.connect(
        current.home.server, current.home.database, DatabaseRole.MOVER
    )
    pool = (await _pool(tenancy, current)).sync_engine.pool
    try:
        fence = mover.transaction()
        await fence.start()
        await mover.execute(FENCE, clinic_a.tenant_id)
        waiting = asyncio.create_task(add_specialty(tenancy, clinic_a, "after the fence"))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        seen = set()
        for _ in range(20):
            seen.add(pool.checkedout())  # type: ignore[attr-defined]
            await asyncio.sleep(0.003)
        assert 0 in seen
        assert "after the fence" not in await specialty_names(tenancy, clinic_a), (
            "reads do not wait"
        )
        await fence.rollback()
        await asyncio.wait_for(waiting, 1)
    finally:
        await mover.close()


async def test_fence_past_the_deadline_is_an_error_not_a_hang(
    clinic_a: Clinic, another_tenancy: TenancyMaker
) -> None:
    async with await another_tenancy(move_wait_s_max=0.2) as impatient:
        current = await placement_of(impatient, clinic_a)
        mover = await impatient.pools.connect(
            current.home.server, current.home.database, DatabaseRole.MOVER
        )
        try:
            async with mover.transaction():
                await mover.execute(FENCE, clinic_a.tenant_id)
                with pytest.raises(TenantMovingError):
                    await add_specialty(impatient, clinic_a, "never")
        finally:
            await mover.close()


async def test_after_a_refusal_the_connection_begins_real_transactions(
    tenancy: Tenancy,
    placement: StrategyName,
    make_clinic: Callable[..., Awaitable[Clinic]],
    another_tenancy: TenancyMaker,
) -> None:
    """The driver keeps a refused transaction as its outermost one; then BEGIN would become SAVEPOINT."""
    clinic = await make_clinic(placement)
    async with await another_tenancy(shared_size=1, dedicated_size=1) as narrow:
        await specialty_names(narrow, clinic)
        moved = await move_by_hand(
            tenancy, await placement_of(narrow, clinic), NEXT_STRATEGY[placement]
        )
        await move_by_hand(tenancy, moved, placement)
        await add_specialty(narrow, clinic, "one")
        await add_specialty(narrow, clinic, "two")
    assert sorted(await specialty_names(tenancy, clinic)) == ["one", "two"]


async def test_cancelled_request_gives_back_connection_and_place(
    tenancy: Tenancy, clinic_a: Clinic
) -> None:
    async def slow() -> None:
        async with tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
            await session.execute(select(text("pg_sleep(30)")))

    for delay_s in (0.0, 0.001, 0.003, 0.01, 0.05):
        task = asyncio.create_task(slow())
        await asyncio.sleep(delay_s)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert clinic_a.tenant_id not in tenancy._admission._lanes
    engine = await _pool(tenancy, await placement_of(tenancy, clinic_a))
    assert engine.sync_engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    await add_specialty(tenancy, clinic_a, "still at work")


async def test_dead_pooled_connections_are_replaced_without_an_error(
    tenancy: Tenancy, clinic_a: Clinic, administrator: Callable[[], Awaitable[asyncpg.Connection]]
) -> None:
    await asyncio.gather(*(specialty_names(tenancy, clinic_a) for _ in range(5)))
    connection = await administrator()
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'clinic_app'"
        )
    finally:
        await connection.close()
    await asyncio.gather(*(specialty_names(tenancy, clinic_a) for _ in range(5)))


async def _pool(tenancy: Tenancy, placement: Placement):
    lease = await tenancy.pools.lease(placement)
    try:
        return lease.engine
    finally:
        lease.release()
