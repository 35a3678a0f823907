"""`clinic migrate` over a fleet: what it looks at, what it goes past, where it stops, and what a killed run has left."""

import asyncio
import multiprocessing
import secrets
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import asyncpg
import httpx
import pytest

from app.settings import Settings
from clinics import ClinicMaker
from moves import end_open_moves, move
from releases import NEXT, ONLINE, forget_rendered, migrate_and_die, newer_tree, revision, run
from tenancy import migrations
from tenancy.fleet.lane import HomeMigration
from tenancy.fleet.migration import FleetMigration, MigrationScope
from tenancy.registry.home_revisions import HomeRevisions, HomeState
from tenancy.runtime import Tenancy
from tenancy.tenant import Home, StrategyName, TenantId

ROW, SCHEMA, DATABASE = StrategyName
Fleet = tuple[Tenancy, dict[StrategyName, Home]]
CLINICS_MORE = 6
KILLED_AFTER = 3
KILLED_S_MAX = 60
SLOW_S = 1.0


async def migrate(tenancy: Tenancy, **scope: object) -> list[HomeMigration]:
    return await FleetMigration(tenancy, MigrationScope(**scope), lambda *_: None).run()  # type: ignore[arg-type]


async def behind(tenancy: Tenancy) -> list[HomeState]:
    return await FleetMigration(tenancy, MigrationScope(), lambda *_: None).behind()


async def slug_of(tenancy: Tenancy, home: Home) -> str:
    for record in await tenancy.store.tenants.page(limit=100, after=None):
        if record.placement is not None and record.placement.home == home:
            return record.slug
    raise AssertionError(home)


def homes_of(results: Sequence[HomeMigration]) -> set[Home]:
    return {result.home for result in results}


async def test_a_fleet_that_is_current_is_not_looked_at(
    fleet: Fleet, next_release: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenancy, homes = fleet
    assert homes_of(await migrate(tenancy)) == set(homes.values())
    assert await behind(tenancy) == []

    def refuse(*_: object) -> None:
        raise AssertionError("a home was visited")

    with monkeypatch.context() as patch:
        patch.setattr("tenancy.fleet.migration.MigrationLane", refuse)
        assert await migrate(tenancy) == []
    assert homes_of(await migrate(tenancy, every=True)) == set(homes.values())


async def test_a_database_with_older_functions_is_behind(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenancy, homes = fleet
    await migrate(tenancy)
    monkeypatch.setattr("tenancy.fleet.migration.database_revision", lambda: "another")
    assert {state.home for state in await behind(tenancy)} == set(homes.values())


async def test_the_ledger_says_what_failed_and_why(
    fleet: Fleet, next_release: pytest.MonkeyPatch
) -> None:
    tenancy, homes = fleet
    await run(tenancy, homes[SCHEMA], "ALTER TABLE specialty RENAME TO mislaid")
    assert len(await migrate(tenancy)) == len(homes)
    (failed,) = await behind(tenancy)
    assert (failed.home, failed.revision, failed.tries) == (homes[SCHEMA], "0001", 1)
    assert failed.error is not None
    assert "specialty" in failed.error
    await migrate(tenancy)
    assert [state.tries for state in await behind(tenancy)] == [2]
    await run(tenancy, homes[SCHEMA], "ALTER TABLE mislaid RENAME TO specialty")
    assert homes_of(await migrate(tenancy)) == {homes[SCHEMA]}
    assert await behind(tenancy) == []


async def test_a_ledger_that_is_slow_or_away_for_a_while_misses_nothing(
    fleet: Fleet, next_release: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenancy, homes = fleet
    await run(tenancy, homes[SCHEMA], "ALTER TABLE specialty RENAME TO mislaid")
    write, tries = HomeRevisions.write, 0

    async def slow_or_away(self: HomeRevisions, states: Sequence[HomeState]) -> None:
        nonlocal tries
        if states:
            tries += 1
            if tries == 1:
                raise OSError
            await asyncio.sleep(SLOW_S)
        await write(self, states)

    monkeypatch.setattr("tenancy.fleet.migration.LEDGER_PAUSE_S", 0.005)
    monkeypatch.setattr(HomeRevisions, "write", slow_or_away)
    await migrate(tenancy)
    assert [state.home for state in await behind(tenancy)] == [homes[SCHEMA]]
    assert (await behind(tenancy))[0].error is not None


async def test_nobody_follows_a_canary_that_fails(
    fleet: Fleet, next_release: pytest.MonkeyPatch
) -> None:
    tenancy, homes = fleet
    canary = await slug_of(tenancy, homes[SCHEMA])
    await run(tenancy, homes[SCHEMA], "ALTER TABLE specialty RENAME TO mislaid")
    assert homes_of(await migrate(tenancy, canaries=(canary,))) == {homes[SCHEMA]}
    assert await revision(tenancy, homes[ROW]) == "0001"
    await run(tenancy, homes[SCHEMA], "ALTER TABLE mislaid RENAME TO specialty")
    results = await migrate(tenancy, canaries=(canary,))
    assert results[0].home == homes[SCHEMA]
    assert homes_of(results) == set(homes.values())


async def test_a_run_stops_after_so_many_failures(
    fleet: Fleet, next_release: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenancy, homes = fleet
    monkeypatch.setattr("tenancy.fleet.migration.LANES_A_SERVER_MAX", 1)
    for home in homes.values():
        await run(tenancy, home, "ALTER TABLE specialty RENAME TO mislaid")
    results = await migrate(tenancy, failures_max=1)
    assert [result.error is not None for result in results] == [True]
    assert len(await behind(tenancy)) == len(homes)


async def test_one_clinic_or_one_server_can_be_chosen(
    fleet: Fleet, next_release: pytest.MonkeyPatch
) -> None:
    tenancy, homes = fleet
    slug = await slug_of(tenancy, homes[DATABASE])
    assert await migrate(tenancy, servers=("elsewhere",)) == []
    assert homes_of(await migrate(tenancy, slugs=(slug,))) == {homes[DATABASE]}
    assert {state.home for state in await behind(tenancy)} == {homes[ROW], homes[SCHEMA]}


async def test_requests_do_not_queue_behind_a_migration_that_waits(
    fleet: Fleet,
    next_release: pytest.MonkeyPatch,
    administrator: Callable[..., Awaitable[asyncpg.Connection]],
) -> None:
    tenancy, homes = fleet
    home = homes[SCHEMA]
    await migrate(tenancy, slugs=(await slug_of(tenancy, homes[DATABASE]),))
    holder, reader = await administrator(home.database), await administrator(home.database)
    try:
        await holder.execute(f'BEGIN; SELECT FROM "{home.schema}".specialty')
        migrating = asyncio.create_task(migrate(tenancy))
        waits = []
        while len(waits) < 40:
            began_at = time.monotonic()
            await reader.execute(f'SELECT FROM "{home.schema}".specialty')
            waits.append(time.monotonic() - began_at)
            await asyncio.sleep(0.02)
        assert not migrating.done()
        await holder.execute("COMMIT")
        results = await migrating
    finally:
        await holder.close()
        await reader.close()
    assert {result.home: result.error for result in results}[home] is None
    # Far from the time the table was held; a request waits for one try at most.
    assert max(waits) < 1.0


async def test_a_revision_may_run_python(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenancy, homes = fleet
    newer = newer_tree(tmp_path, ONLINE)
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "migrations_directory", lambda: newer)
        forget_rendered()
        results = await migrate(tenancy)
    forget_rendered()
    assert [result.error for result in results] == [None] * len(homes)
    for home in homes.values():
        assert await revision(tenancy, home) == NEXT
        await run(
            tenancy,
            home,
            "DO $$ BEGIN ASSERT col_description('specialty'::regclass, (SELECT attnum FROM pg_attribute"
            " WHERE attrelid = 'specialty'::regclass AND attname = 'shown_as'))"
            " = 'filled in ' || current_schema(); END $$",
        )


async def test_a_killed_run_is_gone_on_with(
    fleet: Fleet, older: Settings, tmp_path: Path, next_release: pytest.MonkeyPatch
) -> None:
    tenancy, homes = fleet
    next_release.undo()
    forget_rendered()
    maker = ClinicMaker(tenancy, older, httpx.AsyncClient())
    every = set(homes.values())
    for _ in range(CLINICS_MORE):
        clinic = await maker.make(f"u{secrets.token_hex(5)}", SCHEMA)
        resolved = await tenancy.directory.by_id(TenantId(clinic.tenant_id))
        assert resolved is not None
        every.add(resolved.placement.home)
    newer = tmp_path / "alembic"
    process = multiprocessing.get_context("spawn").Process(
        target=migrate_and_die, args=(tenancy.options, newer, KILLED_AFTER)
    )
    process.start()
    await asyncio.to_thread(process.join, KILLED_S_MAX)
    assert process.exitcode == -signal.SIGKILL
    at_next = {home for home in every if await revision(tenancy, home) == NEXT}
    assert KILLED_AFTER <= len(at_next) < len(every)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrations, "migrations_directory", lambda: newer)
        forget_rendered()
        results = await migrate(tenancy)
    forget_rendered()
    assert {r.home for r in results if r.before != r.after} == every - at_next
    assert {home for home in every if await revision(tenancy, home) == NEXT} == every


async def test_a_migration_says_whose_way_back_it_ends(
    fleet: Fleet, tmp_path: Path, next_release: pytest.MonkeyPatch
) -> None:
    tenancy, homes = fleet
    next_release.undo()
    forget_rendered()
    (tenant_id,) = [
        TenantId(record.id)
        for record in await tenancy.store.tenants.page(limit=100, after=None)
        if record.placement is not None and record.placement.home == homes[SCHEMA]
    ]
    moved = await move(tenancy, tenant_id, DATABASE)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(migrations, "migrations_directory", lambda: tmp_path / "alembic")
            forget_rendered()
            results = await migrate(tenancy)
        forget_rendered()
    finally:
        await end_open_moves(tenancy)
    notes = {result.home: result.note for result in results}
    assert notes == {
        homes[ROW]: None,
        homes[DATABASE]: None,
        moved.target.home: f"ends the way back of moves in grace: {moved.id}",
    }
