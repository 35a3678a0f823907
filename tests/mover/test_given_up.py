"""A move that is given up before its decision leaves no trace; moves and migrations exclude each other."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from clinics import Clinic
from moves import contents, mover_of, placement_of
from tenancy.credentials import DatabaseRole
from tenancy.migrations import (
    TENANT_TREE,
    HomeBusyError,
    Tree,
    upgrade_schema,
)
from tenancy.mover.errors import MoveError, MoveRefusedError
from tenancy.mover.hold import MigrationHold
from tenancy.mover.mover import MoveRequest
from tenancy.mover.phases import Phase
from tenancy.registry.move_records import MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName, TenantId

pytestmark = pytest.mark.usefixtures("no_move_left_open")

OPERATOR = PlatformActor()


async def traces(
    administrator: Callable[..., Awaitable[asyncpg.Connection]], tenant_id: TenantId, database: str
) -> list[Any]:
    """What a server still has of a clinic's moves, besides its home."""
    connection = await administrator()
    try:
        found = [
            r[0]
            for r in await connection.fetch(
                "SELECT slot_name FROM pg_replication_slots WHERE slot_name LIKE 'move_%'"
            )
        ]
        found += [
            r[0]
            for r in await connection.fetch(
                "SELECT datname FROM pg_database WHERE datname LIKE '%' || $1", tenant_id.hex
            )
        ]
    finally:
        await connection.close()
    connection = await administrator(database)
    try:
        found += [r[0] for r in await connection.fetch("SELECT pubname FROM pg_publication")]
        found += [
            r[0]
            for r in await connection.fetch(
                "SELECT nspname FROM pg_namespace WHERE nspname LIKE '%' || $1", tenant_id.hex
            )
        ]
        found += [
            tuple(r)
            for r in await connection.fetch(
                "SELECT schema_name, state FROM tenancy.tenant_home WHERE tenant_id = $1", tenant_id
            )
        ]
        found += [
            tuple(r)
            for r in await connection.fetch(
                "SELECT schema_name FROM tenancy.move_stream WHERE tenant_id = $1", tenant_id
            )
        ]
    finally:
        await connection.close()
    return found


@pytest.mark.parametrize("phase", [Phase.ATTEMPT_DST, Phase.COPY_CHUNK, Phase.CAUGHT_UP], ids=str)
@pytest.mark.parametrize("target", [StrategyName.SCHEMA, StrategyName.DATABASE], ids=str)
async def test_an_aborted_move_leaves_no_trace(
    tenancy: Tenancy,
    administrator: Callable[..., Awaitable[asyncpg.Connection]],
    make_clinic: Callable[..., Awaitable[Clinic]],
    target: StrategyName,
    phase: Phase,
):
    clinic = await make_clinic(StrategyName.ROW)
    before = await placement_of(tenancy, clinic.tenant_id)
    held = await contents(tenancy, before)
    clean = await traces(administrator, clinic.tenant_id, before.home.database)

    def reached(now: Phase) -> None:
        if now is phase:
            raise MoveError("given up by the test")

    mover = mover_of(tenancy, reached=reached)
    started = await mover.start(
        MoveRequest(tenant_id=clinic.tenant_id, strategy=target), actor=OPERATOR
    )
    with pytest.raises(MoveError):
        await mover.work(started.id)

    ended = await mover.move(started.id)
    assert (ended.status, ended.error) == (MoveStatus.ABORTED, "given up by the test")
    assert await traces(administrator, clinic.tenant_id, before.home.database) == clean
    assert await placement_of(tenancy, clinic.tenant_id) == before
    assert await contents(tenancy, before) == held


async def test_abort_is_obeyed_by_whoever_works_on_the_move(
    tenancy: Tenancy, make_clinic: Callable[..., Awaitable[Clinic]]
):
    clinic = await make_clinic(StrategyName.ROW)
    mover = mover_of(tenancy)
    started = await mover.start(
        MoveRequest(tenant_id=clinic.tenant_id, strategy=StrategyName.SCHEMA), actor=OPERATOR
    )
    await mover.want(started.id, "abort", actor=OPERATOR)
    assert (await mover.work(started.id)).status is MoveStatus.ABORTED


async def test_a_home_in_a_move_is_not_migrated(tenancy: Tenancy, clinic_a: Clinic):
    home = (await placement_of(tenancy, clinic_a.tenant_id)).home
    never_run = Tree(TENANT_TREE.name, "alembic_version_of_a_test")
    migrator = await tenancy.pools.connect(home.server, home.database, DatabaseRole.MIGRATOR)
    try:
        async with MigrationHold(tenancy.pools, home):
            with pytest.raises(HomeBusyError):
                await upgrade_schema(migrator, never_run, home.schema)
    finally:
        await migrator.close()


async def test_a_home_that_is_migrated_is_not_moved(tenancy: Tenancy, clinic_a: Clinic):
    home = (await placement_of(tenancy, clinic_a.tenant_id)).home
    migrator = await tenancy.pools.connect(home.server, home.database, DatabaseRole.MIGRATOR)
    try:
        await migrator.execute("SELECT pg_advisory_lock(7303, hashtext($1))", home.schema)
        with pytest.raises(MoveRefusedError, match="migrated"):
            async with MigrationHold(tenancy.pools, home):
                pass
    finally:
        await migrator.close()
