"""A clinic goes back only where that loses nothing: tables that were migrated since the move end the way back."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from clinics import Clinic
from moves import contents, move, mover_of, placement_of
from tenancy.credentials import DatabaseRole
from tenancy.mover import kept
from tenancy.mover.errors import MoveRefusedError, WayBackGoneError
from tenancy.mover.plan import MovePlan, StreamNames
from tenancy.mover.way_back import WayBack
from tenancy.registry.move_records import MoveRecord, MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import Home, StrategyName

pytestmark = pytest.mark.usefixtures("no_move_left_open")

OPERATOR = PlatformActor()
ROW, SCHEMA, DATABASE = StrategyName

NEW_TABLE = (
    'CREATE TABLE "{schema}".novelty (tenant_id uuid NOT NULL, id uuid NOT NULL, PRIMARY KEY (tenant_id, id));'
    ' GRANT SELECT, INSERT, UPDATE, DELETE ON "{schema}".novelty TO clinic_mover'
)
NEW_COLUMN = 'ALTER TABLE "{schema}".specialty ADD COLUMN novelty text'


async def migrate(tenancy: Tenancy, home: Home, sql: str) -> None:
    migrator = await tenancy.pools.connect(home.server, home.database, DatabaseRole.MIGRATOR)
    try:
        await migrator.execute(f"SET ROLE clinic_owner; {sql.format(schema=home.schema)}")
    finally:
        await migrator.close()


async def wants_back(tenancy: Tenancy, record: MoveRecord) -> MoveRecord:
    mover = mover_of(tenancy)
    await mover.want(record.id, "rollback", actor=OPERATOR)
    with pytest.raises(WayBackGoneError):
        await mover.work(record.id)
    return await mover.move(record.id)


@pytest.mark.parametrize(
    ("sql", "homes"), [(NEW_TABLE, 1), (NEW_COLUMN, 2)], ids=["table at one", "column at both"]
)
async def test_no_clinic_goes_back_past_a_migration(
    tenancy: Tenancy,
    administrator: Callable[..., Awaitable[asyncpg.Connection]],
    make_clinic: Callable[..., Awaitable[Clinic]],
    sql: str,
    homes: int,
):
    clinic = await make_clinic(SCHEMA)
    record = await move(tenancy, clinic.tenant_id, DATABASE)
    await migrate(tenancy, record.target.home, sql)
    if homes > 1:
        await migrate(tenancy, record.source.home, sql)
    await clinic.post("/api/v1/specialties", {"name": "After", "code": "AFTER"})
    held = await contents(tenancy, record.target)

    refused = await wants_back(tenancy, record)

    assert (refused.status, refused.wanted) == (MoveStatus.GRACE, None)
    assert "no way back" in (refused.error or "")
    assert (await placement_of(tenancy, clinic.tenant_id)) == record.target
    assert await contents(tenancy, record.target) == held
    connection = await administrator(record.target.home.database)
    slots = await connection.fetch("SELECT slot_name FROM pg_replication_slots")
    await connection.close()
    assert StreamNames.reverse(record.id).name not in {name for (name,) in slots}
    with pytest.raises(WayBackGoneError, match="migrated"):
        await mover_of(tenancy).want(record.id, "rollback", actor=OPERATOR)
    await mover_of(tenancy).want(record.id, "finish", actor=OPERATOR)
    assert (await mover_of(tenancy).settle(record.id)).status is MoveStatus.FINISHED


async def test_a_table_that_the_stream_does_not_carry_is_an_obstacle(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]]
):
    clinic = await make_clinic(SCHEMA)
    record = await move(tenancy, clinic.tenant_id, DATABASE)
    way_back = WayBack(
        tenancy.pools,
        MovePlan(move_id=record.id, source=record.source, target=record.target),
    )
    tables = await way_back.tables()
    assert await way_back.obstacle(tables) is None
    for home in (record.source.home, record.target.home):
        await migrate(tenancy, home, NEW_TABLE)
    assert "novelty" in (await way_back.obstacle(None) or "")


async def test_a_clinic_does_not_go_back_while_a_home_is_migrated(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]]
):
    clinic = await make_clinic(ROW)
    record = await move(tenancy, clinic.tenant_id, SCHEMA)
    home = record.target.home
    await mover_of(tenancy).want(record.id, "rollback", actor=OPERATOR)
    migrator = await tenancy.pools.connect(home.server, home.database, DatabaseRole.MIGRATOR)
    try:
        await migrator.execute("SELECT pg_advisory_lock(7303, hashtext($1))", home.schema)
        with pytest.raises(MoveRefusedError, match="migrated"):
            await mover_of(tenancy).work(record.id)
    finally:
        await migrator.close()
    assert (await mover_of(tenancy).work(record.id)).status is MoveStatus.ROLLED_BACK


async def test_a_row_that_the_old_home_cannot_hold_ends_the_way_back_only(
    tenancy: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(kept, "WAY_BACK_LOOK_S", 3600.0)
    clinic = await make_clinic(SCHEMA)
    record = await move(tenancy, clinic.tenant_id, DATABASE, grace_s=3)
    followed = kept.KeptMove._follow

    async def migrated_first(work: kept.KeptMove) -> int:
        if not migrated:
            migrated.append(await followed(work))
            await migrate(tenancy, record.target.home, NEW_COLUMN)
            # The stream names a column that the old home does not have.
            await clinic.post("/api/v1/specialties", {"name": "After", "code": "AFTER"})
        return await followed(work)

    migrated: list[int] = []
    monkeypatch.setattr(kept.KeptMove, "_follow", migrated_first)
    ended = await mover_of(tenancy).work(record.id)
    assert ended.status is MoveStatus.FINISHED
    assert "no way back" in (ended.error or "")
