"""A mover that slept while another one took its move over writes nothing more: no chunk, no batch, no `ready`, no decision."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from msgspec import Struct

from asleep import sleep_at
from clinics import Clinic
from moves import contents, mover_of, placement_of
from setting_rows import holds_setting, write_setting
from tenancy.credentials import DatabaseRole
from tenancy.mover.apply import Applier
from tenancy.mover.attempt import Attempt
from tenancy.mover.claims import register_source, register_target
from tenancy.mover.copy import Copy
from tenancy.mover.cutover import CutOver
from tenancy.mover.ends import HomeRow, HomeRows
from tenancy.mover.errors import AttemptLostError
from tenancy.mover.indexes import DEFINITIONS, DeferredIndexes, _Index
from tenancy.mover.mover import MoveRequest
from tenancy.mover.pgoutput import Change, Relation, Transaction
from tenancy.mover.phases import Phase, nothing_happens
from tenancy.mover.plan import MovePlan, StreamNames
from tenancy.mover.progress import ProgressBoard
from tenancy.mover.stream import ChangeStream
from tenancy.mover.tables import Shapes, read_shapes
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import Placement, StrategyName

pytestmark = pytest.mark.usefixtures("no_move_left_open")

ROW, SCHEMA, DATABASE = StrategyName
NOTE = "written by nobody"


class Zombie(Struct, frozen=True):
    """A move whose mover slept, and what that mover knows."""

    tenancy: Tenancy
    plan: MovePlan
    shapes: Shapes
    attempt: int

    def applier(self) -> Applier:
        return Applier(
            self.tenancy.pools,
            self.plan.target,
            self.shapes,
            attempt=self.attempt,
            reached=nothing_happens,
        )

    def copy(self) -> Copy:
        return Copy(
            self.tenancy.pools,
            self.plan,
            attempt=self.attempt,
            board=ProgressBoard(),
            reached=nothing_happens,
        )

    async def cut_over(self, applier: Applier) -> CutOver:
        """Return a cut-over that is as good as begun; it is the caller's to abandon."""
        names = StreamNames.forward(self.plan.move_id)
        stream = ChangeStream(
            self.tenancy.pools,
            self.plan.source.home,
            names,
            applier,
            board=ProgressBoard(),
            reached=nothing_happens,
        )
        cut_over = CutOver(
            self.tenancy.pools,
            self.plan,
            attempt=self.attempt,
            shapes=self.shapes,
            stream=stream,
            reached=nothing_happens,
        )
        await cut_over.open()
        return cut_over

    async def row(self, placement: Placement) -> HomeRow:
        row = await HomeRows(self.tenancy.pools).settled(placement)
        assert row is not None
        return row


@pytest.fixture(params=[SCHEMA, DATABASE], ids=str)
async def zombie(
    request: pytest.FixtureRequest,
    tenancy: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
) -> AsyncIterator[Zombie]:
    """A move into a home of its own, or back into the pool, that another mover has just begun anew."""
    into_pool = request.param is DATABASE
    clinic = await make_clinic(request.param if into_pool else ROW)
    target = ROW if into_pool else request.param
    record = await mover_of(tenancy).start(
        MoveRequest(tenant_id=clinic.tenant_id, strategy=target), actor=PlatformActor()
    )
    await sleep_at(tenancy, record.id, Phase.CAUGHT_UP)
    plan = MovePlan(move_id=record.id, source=record.source, target=record.target)
    rows = HomeRows(tenancy.pools)
    before = await rows.settled(plan.target)
    assert before is not None
    source, sink = await rows.connect(plan.source.home), await rows.connect(plan.target.home)
    try:
        shapes = await read_shapes(sink, plan.target.home.schema)
        newer = await register_source(source, plan, known=before.attempt, state="active")
        await register_target(sink, plan, newer)
        for name in shapes:
            await sink.execute(
                f"SET session_replication_role = replica;"
                f' DELETE FROM "{plan.target.home.schema}"."{name}"'
                f" WHERE tenant_id = '{plan.tenant_id}'"
            )
    finally:
        await source.close()
        await sink.close()
    yield Zombie(tenancy, plan, shapes, before.attempt)
    assert (await placement_of(tenancy, clinic.tenant_id)) == plan.source


async def test_no_chunk_of_a_copy_is_written(zombie: Zombie):
    with pytest.raises(AttemptLostError):
        await zombie.copy().run(zombie.shapes, None)
    held = await contents(zombie.tenancy, zombie.plan.target)
    assert {count.rows for count in held.values()} == {0}


async def test_no_index_is_built(zombie: Zombie):
    """The successor's own would be there already when it comes to it."""
    home = zombie.plan.target.home
    indexes = DeferredIndexes(zombie.tenancy.pools, zombie.plan.target, zombie.attempt)
    late = f'CREATE INDEX built_late ON "{home.schema}".tenant_setting (version)'
    indexes._indexes = [_Index("tenant_setting", "built_late", None, late)]
    with pytest.raises(AttemptLostError):
        await indexes.build()
    migrator = await zombie.tenancy.pools.connect(home.server, home.database, DatabaseRole.MIGRATOR)
    try:
        found = await migrator.fetch(DEFINITIONS, f'"{home.schema}"')
    finally:
        await migrator.close()
    assert "built_late" not in {row["index"] for row in found}


async def test_no_batch_of_the_stream_is_applied(zombie: Zombie):
    relation = Relation(
        1,
        zombie.plan.source.home.schema,
        "tenant_setting",
        ("tenant_id", "namespace", "data", "version"),
        ("tenant_id", "namespace"),
    )
    row = (str(zombie.plan.tenant_id), NOTE, "{}", "1")
    transaction = Transaction(1, 2**60, (Change("insert", relation, None, row),), ())
    applier = zombie.applier()
    await applier.open()
    try:
        with pytest.raises(AttemptLostError):
            await applier.apply([transaction])
        with pytest.raises(AttemptLostError):
            await applier.start_at(2**61)
    finally:
        await applier.close()
    assert not await holds_setting(zombie.tenancy, zombie.plan.target, NOTE)


async def test_the_target_is_not_made_ready_and_nothing_is_decided(zombie: Zombie):
    applier = zombie.applier()
    await applier.open()
    cut_over = await zombie.cut_over(applier)
    try:
        with pytest.raises(AttemptLostError):
            await cut_over._make_ready()
        assert (await zombie.row(zombie.plan.target)).state == "loading"
        await cut_over._fence.execute("BEGIN")
        with pytest.raises(AttemptLostError):
            await cut_over._decide()
        assert (await zombie.row(zombie.plan.source)).state == "active"
    finally:
        await cut_over.abandon()
        await applier.close()


async def test_the_target_is_not_taken_again_nor_emptied(zombie: Zombie):
    """What the successor has loaded stays; `zombie` is about to empty it, as an attempt begins."""
    plan = zombie.plan
    rows = HomeRows(zombie.tenancy.pools)
    sink = await rows.connect(plan.target.home)
    try:
        await sink.execute(
            f'INSERT INTO "{plan.target.home.schema}".tenant_setting (tenant_id, namespace, data, version)'
            " VALUES ($1, $2, '{}', 1)",
            plan.tenant_id,
            NOTE,
        )
        with pytest.raises(AttemptLostError):
            await register_target(sink, plan, zombie.attempt)
        attempt = Attempt(
            mover_of(zombie.tenancy)._parts, plan, ProgressBoard(), known=0, check=lambda: None
        )
        attempt.attempt = zombie.attempt
        with pytest.raises(AttemptLostError):
            await attempt._empty(sink)
    finally:
        await sink.close()
    assert await holds_setting(zombie.tenancy, plan.target, NOTE)


async def test_what_the_successor_made_ready_is_neither_opened_nor_taken_back(zombie: Zombie):
    plan, rows = zombie.plan, HomeRows(zombie.tenancy.pools)
    sink = await rows.connect(plan.target.home)
    try:
        row = (plan.tenant_id, plan.target.home.schema)
        change = "UPDATE tenancy.tenant_home SET state = $3, epoch = $4 WHERE tenant_id = $1 AND schema_name = $2"
        await sink.execute(change, *row, "ready", plan.target.epoch)
        await rows.activate(plan, zombie.attempt)
        await rows.unready(plan, zombie.attempt, "loading")
        assert (await zombie.row(plan.target)).state == "ready"
        await sink.execute(change, *row, "loading", plan.source.epoch)
    finally:
        await sink.close()


async def test_the_clinic_works_on_at_its_home(zombie: Zombie):
    await write_setting(zombie.tenancy, zombie.plan.tenant_id, "meanwhile")
    assert await holds_setting(zombie.tenancy, zombie.plan.source, "meanwhile")
