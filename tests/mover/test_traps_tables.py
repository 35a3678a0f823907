"""Tables that are changed while a clinic moves end the move with clear words, or wait for it; the clinic works on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from clinics import Clinic
from domain.actor import Role
from moves import move, mover_of, placement_of
from tenancy import migrations
from tenancy.credentials import DatabaseRole
from tenancy.migrations import TENANT_TREE, HomeBusyError, Tree, upgrade_schema
from tenancy.mover import forward, offline
from tenancy.mover.copy import Copy
from tenancy.mover.cutover import CutOver
from tenancy.mover.errors import MoveError
from tenancy.mover.mover import MoveRequest
from tenancy.mover.offline import OfflineMove
from tenancy.mover.tables import Shapes
from tenancy.registry.move_records import MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import Home, StrategyName
from workload import Workload

pytestmark = pytest.mark.usefixtures("no_move_left_open")

ROW, SCHEMA, DATABASE = StrategyName
NEVER_RUN = Tree(TENANT_TREE.name, "alembic_version_of_a_test")
CHANGES = {
    "a column more": "ALTER TABLE {s}.tenant_setting ADD COLUMN stray text DEFAULT 'kept'",
    "a column less": "ALTER TABLE {s}.specialty DROP COLUMN name CASCADE",
    "another type": "ALTER TABLE {s}.tenant_setting ALTER COLUMN version TYPE numeric",
    "another name": "ALTER TABLE {s}.specialty RENAME TO expertise",
    "a table more": "CREATE TABLE {s}.stray (tenant_id uuid, id uuid, PRIMARY KEY (tenant_id, id));"
    " GRANT SELECT ON {s}.stray TO clinic_mover",
}
QUIET_CHANGES = ("a column more", "a table more")
BY_HAND = CHANGES["a column more"]

Step = Callable[[], Awaitable[None]]


@pytest.fixture
async def clinic(make_clinic: Callable[..., Awaitable[Clinic]]) -> Clinic:
    return await make_clinic(SCHEMA)


@pytest.fixture
async def server(
    administrator: Callable[..., Awaitable[asyncpg.Connection]],
) -> AsyncIterator[asyncpg.Connection]:
    connection = await administrator("clinic_pool")
    yield connection
    await connection.close()


def after_the_copy(monkeypatch: pytest.MonkeyPatch, step: Step) -> None:
    class Interrupted(Copy):
        async def run(self, shapes: Shapes, snapshot: str | None) -> None:
            await super().run(shapes, snapshot)
            await step()

    for kind in (forward, offline):
        monkeypatch.setattr(kind, "Copy", Interrupted)


def before_the_fence(monkeypatch: pytest.MonkeyPatch, step: Step) -> None:
    """Between the last look at the tables from outside and the fence."""
    opened = CutOver.open

    async def interrupted(cut_over: CutOver) -> None:
        await opened(cut_over)
        await step()

    monkeypatch.setattr(CutOver, "open", interrupted)
    take_fence = OfflineMove._take_fence

    async def interrupted_offline(attempt: OfflineMove, fence: Any) -> None:
        await step()
        await take_fence(attempt, fence)

    monkeypatch.setattr(OfflineMove, "_take_fence", interrupted_offline)


def inside_the_fence(monkeypatch: pytest.MonkeyPatch, step: Step) -> None:
    drain = CutOver._drain

    async def interrupted(cut_over: CutOver, deadline: float) -> None:
        await step()
        await drain(cut_over, deadline)

    monkeypatch.setattr(CutOver, "_drain", interrupted)


async def ended_by(tenancy: Tenancy, clinic: Clinic, *, is_offline: bool = False) -> str:
    """Move the clinic, which does not come to pass; return what was told of it."""
    mover = mover_of(tenancy)
    before = await placement_of(tenancy, clinic.tenant_id)
    started = await mover.start(
        MoveRequest(tenant_id=clinic.tenant_id, strategy=ROW, is_offline=is_offline),
        actor=PlatformActor(),
    )
    with pytest.raises(MoveError):
        await mover.work(started.id, stays=False)
    ended = await mover.move(started.id)
    assert ended.status is MoveStatus.ABORTED
    assert await placement_of(tenancy, clinic.tenant_id) == before
    await clinic.add_user(Role.ADMIN)
    return ended.error or ""


@pytest.mark.parametrize("change", CHANGES)
async def test_tables_changed_while_they_are_copied_end_the_move(
    tenancy: Tenancy,
    clinic: Clinic,
    server: Any,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
):
    home = (await placement_of(tenancy, clinic.tenant_id)).home

    async def alter() -> None:
        await server.execute(CHANGES[change].format(s=f'"{home.schema}"'))

    after_the_copy(monkeypatch, alter)
    assert "tables" in await ended_by(tenancy, clinic)


@pytest.mark.parametrize("is_offline", [False, True], ids=["online", "offline"])
@pytest.mark.parametrize("change", QUIET_CHANGES)
async def test_tables_changed_right_before_the_fence_end_the_move(
    tenancy: Tenancy,
    clinic: Clinic,
    server: Any,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    *,
    is_offline: bool,
):
    home = (await placement_of(tenancy, clinic.tenant_id)).home

    async def alter() -> None:
        await server.execute(CHANGES[change].format(s=f'"{home.schema}"'))

    before_the_fence(monkeypatch, alter)
    assert "tables" in await ended_by(tenancy, clinic, is_offline=is_offline)


async def test_a_table_made_while_an_offline_move_copies_ends_the_move(
    tenancy: Tenancy, clinic: Clinic, server: Any, monkeypatch: pytest.MonkeyPatch
):
    home = (await placement_of(tenancy, clinic.tenant_id)).home

    async def make() -> None:
        await server.execute(CHANGES["a table more"].format(s=f'"{home.schema}"'))

    after_the_copy(monkeypatch, make)
    assert "tables" in await ended_by(tenancy, clinic, is_offline=True)


async def test_tables_that_are_changed_while_the_clinic_writes_end_the_move(
    tenancy: Tenancy, clinic: Clinic, server: Any, monkeypatch: pytest.MonkeyPatch
):
    home = (await placement_of(tenancy, clinic.tenant_id)).home
    workload, stop = Workload(tenancy, clinic.tenant_id), asyncio.Event()
    await workload.prepare()

    async def alter() -> None:
        await server.execute(BY_HAND.format(s=f'"{home.schema}"'))
        await workload.write()

    after_the_copy(monkeypatch, alter)
    async with asyncio.TaskGroup() as group:
        group.create_task(workload.run(stop))
        try:
            told = await ended_by(tenancy, clinic)
        finally:
            stop.set()
    assert "stray" in told
    await workload.check()


async def test_who_changes_tables_inside_the_fence_waits_for_the_decision(
    tenancy: Tenancy, clinic: Clinic, server: Any, monkeypatch: pytest.MonkeyPatch
):
    home = (await placement_of(tenancy, clinic.tenant_id)).home
    waited = []

    async def alter() -> None:
        with pytest.raises(asyncpg.LockNotAvailableError):
            await server.execute(
                f"SET lock_timeout = '20ms'; {BY_HAND.format(s=chr(34) + home.schema + chr(34))}"
            )
        waited.append(True)

    inside_the_fence(monkeypatch, alter)
    moved = await move(tenancy, clinic.tenant_id, ROW)
    assert (moved.status, moved.error) == (MoveStatus.GRACE, None)
    assert waited


@pytest.mark.parametrize("is_offline", [False, True], ids=["online", "offline"])
async def test_neither_home_is_migrated_while_the_clinic_moves(
    tenancy: Tenancy, clinic: Clinic, monkeypatch: pytest.MonkeyPatch, *, is_offline: bool
):
    source = (await placement_of(tenancy, clinic.tenant_id)).home
    target = tenancy.strategies[ROW].home_for(clinic.tenant_id, source.server)
    refused = []
    monkeypatch.setattr(migrations, "LOCK_WAIT_MS_MAX", 50)

    async def migrate() -> None:
        for home in (source, target):
            await _migrated(tenancy, home)
            refused.append(home)

    after_the_copy(monkeypatch, migrate)
    moved = await move(tenancy, clinic.tenant_id, ROW, is_offline=is_offline)
    assert moved.status is (MoveStatus.FINISHED if is_offline else MoveStatus.GRACE)
    assert refused == [source, target]


async def _migrated(tenancy: Tenancy, home: Home) -> None:
    migrator = await tenancy.pools.connect(home.server, home.database, DatabaseRole.MIGRATOR)
    try:
        with pytest.raises(HomeBusyError):
            await upgrade_schema(migrator, NEVER_RUN, home.schema)
    finally:
        await migrator.close()
