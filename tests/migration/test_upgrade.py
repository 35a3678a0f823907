"""A data directory of an older release is migrated at start; one of a newer release is refused with a clear line."""

import shutil
from pathlib import Path

import pytest

from app.postgres import PostgresServer
from app.preparation import migrate_everything, prepare_server, tenancy_options
from app.settings import Settings
from releases import forget_rendered, revision, run
from tenancy import migrations
from tenancy.bootstrap import prepare_registry, prepare_roles
from tenancy.credentials import DatabaseRole
from tenancy.fleet.lane import HomeMigration
from tenancy.migrations import REGISTRY_TREE, NewerRevisionError, current_revision, head_revision
from tenancy.runtime import Tenancy
from tenancy.tenant import Home, StrategyName


async def test_every_home_is_migrated_past_one_that_fails(
    older: Settings,
    postgres: PostgresServer,
    fleet: tuple[Tenancy, dict[StrategyName, Home]],
    next_release: pytest.MonkeyPatch,
) -> None:
    tenancy, homes = fleet
    broken = homes[StrategyName.SCHEMA]
    await run(tenancy, broken, "ALTER TABLE specialty RENAME TO mislaid")
    seen: list[HomeMigration] = []
    results = await migrate_everything(
        older, postgres, lambda result, _done, _all: seen.append(result)
    )
    assert seen == results
    failed = {result.home for result in results if result.error is not None}
    assert failed == {broken}
    assert await revision(tenancy, broken) == "0001"
    for strategy in (StrategyName.ROW, StrategyName.DATABASE):
        assert await revision(tenancy, homes[strategy]) == "0002"

    await run(tenancy, broken, "ALTER TABLE mislaid RENAME TO specialty")
    again = await migrate_everything(older, postgres, lambda *_: None)
    assert [result.error for result in again] == [None] * len(again)
    assert {result.home for result in again if result.before != result.after} == {broken}


async def test_data_of_a_newer_release_are_refused_and_left_alone(
    older: Settings,
    postgres: PostgresServer,
    fleet: tuple[Tenancy, dict[StrategyName, Home]],
    next_release: pytest.MonkeyPatch,
) -> None:
    tenancy, homes = fleet
    await migrate_everything(older, postgres, lambda *_: None)
    next_release.undo()
    forget_rendered()
    with pytest.raises(NewerRevisionError, match="0002"):
        await prepare_server(older, postgres)
    assert await revision(tenancy, homes[StrategyName.ROW]) == "0002"


async def test_registry_of_the_first_release_is_brought_on(
    older: Settings, postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tmp_path / "alembic"
    shutil.copytree(migrations.migrations_directory(), first)
    for file in (first / "registry" / "versions").glob("*.py"):
        if not file.name.startswith("0001"):
            file.unlink()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(migrations, "migrations_directory", lambda: first)
            forget_rendered()
            await prepare_registry_alone(older, postgres)
            assert await registry_revision(older, postgres) == "0001"
    finally:
        forget_rendered()
    await prepare_server(older, postgres)
    assert await registry_revision(older, postgres) == head_revision(REGISTRY_TREE) != "0001"


async def prepare_registry_alone(older: Settings, postgres: PostgresServer) -> None:
    """Make the registry as that release did; this one's servers have columns that it does not know."""
    async with Tenancy(tenancy_options(older, postgres.address)) as tenancy:
        await prepare_roles(postgres.administrator, postgres.address, tenancy.credentials)
        await prepare_registry(tenancy.pools, tenancy.installer, "main", older.registry_database)


async def registry_revision(older: Settings, postgres: PostgresServer) -> str | None:
    async with Tenancy(tenancy_options(older, postgres.address)) as tenancy:
        connection = await tenancy.pools.connect(
            "main", older.registry_database, DatabaseRole.MIGRATOR
        )
        try:
            return await current_revision(connection, REGISTRY_TREE, "registry")
        finally:
            await connection.close()
