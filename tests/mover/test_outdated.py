"""A registry restored from a backup brings moves back that have ended: they end again, and no write goes astray."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import delete, insert, select

from clinics import Clinic
from moves import contents, move, mover_of, placement_of
from tenancy.mover.ends import HomeRows
from tenancy.mover.mover import MoveRequest
from tenancy.mover.phases import Phase
from tenancy.registry.models import PlacementRow
from tenancy.registry.move_models import MoveRow
from tenancy.registry.move_records import MoveRecord, MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName, TenantId

pytestmark = pytest.mark.usefixtures("no_move_left_open")

OPERATOR = PlatformActor()
ROW, SCHEMA, DATABASE = StrategyName
CODES = iter(range(1000))

Backup = tuple[list[dict[str, Any]], dict[str, Any]]


class DiedError(Exception):
    """The process of a mover has died, for the test."""


async def backed_up(tenancy: Tenancy, tenant_id: TenantId) -> Backup:
    """Return the registry's moves and placement of a clinic as they are."""
    async with tenancy.registry_engine.connect() as connection:
        moves = await connection.execute(
            select(MoveRow.__table__).where(MoveRow.tenant_id == tenant_id)
        )
        placement = await connection.execute(
            select(PlacementRow.__table__).where(PlacementRow.tenant_id == tenant_id)
        )
        return [dict(row) for row in moves.mappings()], dict(placement.mappings().one())


async def restore(tenancy: Tenancy, tenant_id: TenantId, backup: Backup) -> None:
    moves, placement = backup
    async with tenancy.registry_engine.begin() as connection:
        await connection.execute(delete(MoveRow).where(MoveRow.tenant_id == tenant_id))
        await connection.execute(delete(PlacementRow).where(PlacementRow.tenant_id == tenant_id))
        await connection.execute(insert(PlacementRow), placement)
        stale = [row | {"worker": None, "heartbeat_at": None} for row in moves]
        await connection.execute(insert(MoveRow), stale)
    tenancy.directory.forget(tenant_id)


async def write(clinic: Clinic) -> None:
    code = f"W{next(CODES)}"
    answer = await clinic.post("/api/v1/specialties", {"name": code, "code": code})
    assert answer.status_code == 201, answer.text


async def finish(tenancy: Tenancy, record: MoveRecord) -> None:
    mover = mover_of(tenancy)
    await mover.want(record.id, "finish", actor=OPERATOR)
    assert (await mover.settle(record.id)).status is MoveStatus.FINISHED


async def decided_and_left(tenancy: Tenancy, clinic: Clinic, target: StrategyName) -> MoveRecord:
    """Return a move whose worker died after it had noted its attempt, before the decision was told."""

    def dies(phase: Phase) -> None:
        if phase is Phase.DECIDED:
            raise DiedError

    mover = mover_of(tenancy, reached=dies)
    request = MoveRequest(tenant_id=clinic.tenant_id, strategy=target)
    started = await mover.start(request, actor=OPERATOR)
    with pytest.raises(DiedError):
        await mover.work(started.id)
    return started


CASES = [
    (MoveStatus.RUNNING, (ROW, SCHEMA, ROW)),
    (MoveStatus.GRACE, (ROW, SCHEMA, DATABASE)),
    (MoveStatus.GRACE, (DATABASE, SCHEMA, ROW)),
]


@pytest.mark.parametrize(("status", "way"), CASES, ids=["same home", "on", "database gone"])
async def test_a_move_that_came_back_with_a_backup_ends_and_the_registry_converges(
    tenancy: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    status: MoveStatus,
    way: tuple[StrategyName, StrategyName, StrategyName],
):
    clinic = await make_clinic(way[0])
    if status is MoveStatus.GRACE:
        first = await move(tenancy, clinic.tenant_id, way[1])
        backup = await backed_up(tenancy, clinic.tenant_id)
    else:
        first = await decided_and_left(tenancy, clinic, way[1])
        backup = await backed_up(tenancy, clinic.tenant_id)
        await mover_of(tenancy).work(first.id, stays=False)
    await finish(tenancy, first)
    second = await move(tenancy, clinic.tenant_id, way[2])
    await finish(tenancy, second)
    truth = await placement_of(tenancy, clinic.tenant_id)
    await restore(tenancy, clinic.tenant_id, backup)

    if way[0] is not DATABASE:
        # A database that is gone cannot tell where the clinic went: then the keeper must have found it.
        await write(clinic)
    held = await contents(tenancy, truth)
    ended = await mover_of(tenancy, worker="any process").work(first.id)

    assert ended.status is MoveStatus.ABORTED
    assert "a later move" in (ended.error or "")
    assert await placement_of(tenancy, clinic.tenant_id) == truth
    assert await contents(tenancy, truth) == held
    await write(clinic)
    row = await HomeRows(tenancy.pools).settled(truth)
    assert row is not None
    assert (row.state, row.epoch) == ("active", truth.epoch)


async def test_a_restored_move_does_not_disturb_the_one_under_way(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]]
):
    clinic = await make_clinic(ROW)
    first = await move(tenancy, clinic.tenant_id, SCHEMA)
    backup = await backed_up(tenancy, clinic.tenant_id)
    await finish(tenancy, first)
    second = await move(tenancy, clinic.tenant_id, DATABASE)
    truth = await placement_of(tenancy, clinic.tenant_id)
    before = await HomeRows(tenancy.pools).settled(truth)
    await restore(tenancy, clinic.tenant_id, backup)
    assert (await mover_of(tenancy).work(first.id)).status is MoveStatus.ABORTED
    assert await HomeRows(tenancy.pools).settled(truth) == before
    assert await placement_of(tenancy, clinic.tenant_id) == truth
    assert second.id != first.id


@pytest.mark.parametrize("source", [ROW, DATABASE], ids=str)
async def test_a_restored_move_that_was_finished_is_finished_again(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]], source: StrategyName
):
    clinic = await make_clinic(source)
    first = await decided_and_left(tenancy, clinic, SCHEMA)
    backup = await backed_up(tenancy, clinic.tenant_id)
    await mover_of(tenancy).work(first.id, stays=False)
    await finish(tenancy, first)
    truth = await placement_of(tenancy, clinic.tenant_id)
    await restore(tenancy, clinic.tenant_id, backup)

    record = await mover_of(tenancy).work(first.id, stays=False)

    if source is ROW:
        # Its row is still there; its rows and the stream to it are not.
        assert record.status is MoveStatus.GRACE
        assert "no way back" in (record.error or "")
        await finish(tenancy, first)
    else:
        assert record.status is MoveStatus.FINISHED
    assert await placement_of(tenancy, clinic.tenant_id) == truth
    await write(clinic)
