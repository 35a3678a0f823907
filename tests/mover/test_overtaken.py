"""Plans that were overtaken, moves that fail: none leaves the clinic with a move that cannot end."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from clinics import Clinic
from moves import contents, move, mover_of, placement_of
from tenancy.mover.errors import MoveInProgressError
from tenancy.mover.indexes import _Index
from tenancy.mover.mover import MoveRequest
from tenancy.mover.phases import Phase
from tenancy.registry.errors import MoveOpenError
from tenancy.registry.move_records import MoveStatus, journal_row
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName

pytestmark = pytest.mark.usefixtures("no_move_left_open")

OPERATOR = PlatformActor()
ROW, SCHEMA, DATABASE = StrategyName


async def test_a_plan_from_where_the_clinic_is_no_more_is_not_written_down(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]]
):
    clinic = await make_clinic(ROW)
    stale = await mover_of(tenancy).plan(MoveRequest(tenant_id=clinic.tenant_id, strategy=DATABASE))
    moved = await move(tenancy, clinic.tenant_id, SCHEMA)
    await mover_of(tenancy).want(moved.id, "finish", actor=OPERATOR)
    await mover_of(tenancy).settle(moved.id)
    row = journal_row(stale.move_id, stale.source, stale.target, is_offline=False, grace_s=1)
    with pytest.raises(MoveOpenError):
        await tenancy.store.moves.plan(row, actor=OPERATOR)


async def test_a_move_decided_meanwhile_keeps_its_way_back(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]], monkeypatch: pytest.MonkeyPatch
):
    clinic = await make_clinic(ROW)
    mover = mover_of(tenancy)
    look = mover.look

    async def slow_look(*arguments, **options):
        report = await look(*arguments, **options)
        if not decided:
            decided.append(await move(tenancy, clinic.tenant_id, SCHEMA))
        return report

    decided = []
    monkeypatch.setattr(mover, "look", slow_look)
    with pytest.raises(MoveInProgressError):
        await mover.start(
            MoveRequest(tenant_id=clinic.tenant_id, strategy=DATABASE), actor=OPERATOR
        )
    assert (await mover.move(decided[0].id)).status is MoveStatus.GRACE
    assert (await placement_of(tenancy, clinic.tenant_id)).strategy is SCHEMA


@pytest.mark.parametrize(
    "failure", [asyncpg.DiskFullError("full"), asyncpg.InterfaceError("gone")], ids=repr
)
async def test_an_offline_move_that_fails_is_not_tried_again(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]], failure: Exception
):
    clinic = await make_clinic(ROW)
    before = await placement_of(tenancy, clinic.tenant_id)
    held = await contents(tenancy, before)

    def reached(phase: Phase) -> None:
        if phase is Phase.COPIED:
            raise failure

    mover = mover_of(tenancy, reached=reached)
    request = MoveRequest(tenant_id=clinic.tenant_id, strategy=SCHEMA, is_offline=True)
    started = await mover.start(request, actor=OPERATOR)
    with pytest.raises(type(failure), match=str(failure)):
        await mover.work(started.id)
    assert (await mover.move(started.id)).status is MoveStatus.ABORTED
    assert await contents(tenancy, before) == held
    async with asyncio.timeout(2):
        assert (
            await clinic.post("/api/v1/specialties", {"name": "A", "code": "A"})
        ).status_code == 201


@pytest.mark.parametrize("is_offline", [False, True], ids=["online", "offline"])
async def test_an_index_that_cannot_be_built_is_told_as_it_is(
    tenancy: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_offline: bool,
):
    clinic = await make_clinic(ROW)
    monkeypatch.setattr(_Index, "build", lambda _index, _schema: "SELECT 1 / 0")
    mover = mover_of(tenancy)
    started = await mover.start(
        MoveRequest(tenant_id=clinic.tenant_id, strategy=SCHEMA, is_offline=is_offline),
        actor=OPERATOR,
    )
    with pytest.raises(asyncpg.DivisionByZeroError):
        await mover.work(started.id)
    left = await mover.move(started.id)
    # Each further try of an offline move would keep the clinic's writes waiting.
    assert left.status is (MoveStatus.ABORTED if is_offline else MoveStatus.RUNNING)
    assert left.error == "DivisionByZeroError (22012)"


async def test_why_a_move_does_not_go_on_is_told_until_it_does(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]]
):
    clinic = await make_clinic(ROW)
    failures: list[Exception] = []

    def reached(phase: Phase) -> None:
        if phase is Phase.COPIED and failures:
            raise failures.pop()

    mover = mover_of(tenancy, reached=reached)
    started = await mover.start(
        MoveRequest(tenant_id=clinic.tenant_id, strategy=SCHEMA), actor=OPERATOR
    )
    full = asyncpg.DiskFullError("could not extend file\nDETAIL:  of Ana")
    for failure, told in (
        (full, "DiskFullError (53100): could not extend file"),
        (ConnectionResetError("10.0.0.1 with a password"), "ConnectionResetError"),
    ):
        failures.append(failure)
        with pytest.raises(type(failure)):
            await mover.work(started.id)
        left = await mover.move(started.id)
        assert (left.status, left.error) == (MoveStatus.RUNNING, told)
    moved = await mover.work(started.id, stays=False)
    assert (moved.status, moved.error) == (MoveStatus.GRACE, None)


async def test_going_back_is_not_forgotten_when_its_worker_dies(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]]
):
    clinic = await make_clinic(ROW)
    moved = await move(tenancy, clinic.tenant_id, SCHEMA)
    await tenancy.store.moves.note(moved.id, status=MoveStatus.ROLLING_BACK.value, wanted=None)
    ended = await mover_of(tenancy, worker="the next one").work(moved.id)
    assert ended.status is MoveStatus.ROLLED_BACK
    assert (await placement_of(tenancy, clinic.tenant_id)).strategy is ROW
