"""What is said and held once stays so, however often a move is taken over."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import func, select

from clinics import Clinic
from moves import move, mover_of
from tenancy.mover.claims import register_source
from tenancy.mover.errors import AttemptLostError, MoveError
from tenancy.mover.forward import ForwardMove
from tenancy.mover.mover import MoveRequest
from tenancy.mover.plan import MovePlan
from tenancy.mover.settled import SettledMove
from tenancy.mover.verify import Snapshot
from tenancy.registry.models import PlatformAuditEventRow
from tenancy.registry.move_records import MoveRecord, MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName

pytestmark = pytest.mark.usefixtures("no_move_left_open")

OPERATOR = PlatformActor()
ROW, SCHEMA, DATABASE = StrategyName


class DiedError(Exception):
    """The process of a mover has died, for the test."""


def plan_of(record: MoveRecord) -> MovePlan:
    return MovePlan(move_id=record.id, source=record.source, target=record.target)


async def planned(tenancy: Tenancy, clinic: Clinic, strategy: StrategyName) -> MoveRecord:
    request = MoveRequest(tenant_id=clinic.tenant_id, strategy=strategy)
    return await mover_of(tenancy).start(request, actor=OPERATOR)


async def test_one_process_works_on_a_move_once(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]]
):
    clinic = await make_clinic(ROW)
    record = await planned(tenancy, clinic, SCHEMA)
    claims = [await tenancy.store.moves.claim(record.id, "one") for _ in range(2)]
    assert [claim is not None for claim in claims] == [True, False]


async def test_a_failure_under_a_lost_attempt_does_not_end_the_move(
    tenancy: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    monkeypatch: pytest.MonkeyPatch,
):
    clinic = await make_clinic(ROW)
    record = await planned(tenancy, clinic, SCHEMA)

    async def overtaken(mover: ForwardMove) -> None:
        source = await mover.rows.connect(record.source.home)
        await register_source(source, plan_of(record), known=mover.attempt, state="active")
        await source.close()
        raise MoveError("its slot is gone")

    with monkeypatch.context() as broken:
        broken.setattr(ForwardMove, "_publish", overtaken)
        with pytest.raises(AttemptLostError):
            await mover_of(tenancy).work(record.id)
    left = await mover_of(tenancy).move(record.id)
    assert (left.status, left.error) == (MoveStatus.RUNNING, None)


async def test_a_decision_is_audited_once(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]]
):
    clinic = await make_clinic(ROW)
    record = await move(tenancy, clinic.tenant_id, SCHEMA)
    await mover_of(tenancy).work(record.id, stays=False)
    assert await decisions(tenancy, record) == 1
    await mover_of(tenancy).want(record.id, "rollback", actor=OPERATOR)
    await mover_of(tenancy).settle(record.id)
    assert await decisions(tenancy, record) == 2


async def decisions(tenancy: Tenancy, record: MoveRecord) -> int:
    told = select(func.count()).where(
        PlatformAuditEventRow.entity_id == record.id,
        PlatformAuditEventRow.action == "move_decided",
    )
    async with tenancy.registry_engine.connect() as connection:
        return int(await connection.scalar(told) or 0)


async def test_a_roll_forward_that_fails_keeps_no_snapshot(
    tenancy: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    monkeypatch: pytest.MonkeyPatch,
):
    clinic = await make_clinic(ROW)
    record = await planned(tenancy, clinic, SCHEMA)

    async def fails(_settled: SettledMove, _report: object) -> None:
        raise DiedError

    released, release = [], Snapshot.release

    async def counted(snapshot: Snapshot) -> None:
        released.append(len(snapshot._connections))
        await release(snapshot)

    with monkeypatch.context() as broken:
        broken.setattr(SettledMove, "roll_forward", fails)
        broken.setattr(Snapshot, "release", counted)
        with pytest.raises(DiedError):
            await mover_of(tenancy).work(record.id)
    assert 1 in released
