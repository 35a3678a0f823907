"""A data directory of an older release is migrated at start; one of a newer release is refused with a clear line."""

import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from app.postgres import PostgresServer
from app.preparation import migrate_everything, prepare_server, tenancy_options
from app.settings import Settings
from clinics import Clinic, ClinicMaker
from tenancy import migrations
from tenancy.bootstrap import prepare_registry, prepare_roles
from tenancy.credentials import DatabaseRole
from tenancy.fleet import HomeMigration
from tenancy.migrations import (
    REGISTRY_TREE,
    TENANT_TREE,
    NewerRevisionError,
    current_revision,
    head_revision,
)
from tenancy.runtime import Tenancy
from tenancy.tenant import Home, StrategyName

NEXT_REVISION = '''"""Adds a column.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE specialty ADD COLUMN shown_as text")
'''


@pytest.fixture
def older(settings: Settings) -> Settings:
    """Settings of a platform of its own on the same server, so that no other test meets its revisions."""
    suffix = secrets.token_hex(4)
    return replace(
        settings,
        registry_database=f"clinic_registry_{suffix}",
        pool_database=f"clinic_pool_{suffix}",
    )


@pytest.fixture
def next_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The same code with one more tenant revision; undone by the yielded object."""
    newer = tmp_path / "alembic"
    shutil.copytree(migrations.migrations_directory(), newer)
    (newer / "tenant" / "versions" / "0002_expand_shown_as.py").write_text(NEXT_REVISION)
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "migrations_directory", lambda: newer)
        forget_rendered()
        yield patch
    forget_rendered()


def forget_rendered() -> None:
    migrations.head_revision.cache_clear()
    migrations.render_upgrade.cache_clear()


@pytest.fixture
async def fleet(
    older: Settings, postgres: PostgresServer
) -> AsyncIterator[tuple[Tenancy, dict[StrategyName, Home]]]:
    await prepare_server(older, postgres)
    async with Tenancy(tenancy_options(older, postgres.address)) as tenancy:
        maker = ClinicMaker(tenancy, older, httpx.AsyncClient())
        homes = {}
        for strategy in StrategyName:
            clinic: Clinic = await maker.make(f"u{secrets.token_hex(5)}", strategy)
            resolved = await tenancy.directory.by_id(clinic.tenant_id)
            assert resolved is not None
            homes[strategy] = resolved.placement.home
        yield tenancy, homes


async def run(tenancy: Tenancy, home: Home, statement: str) -> None:
    connection = await tenancy.pools.connect(home.server, home.database, DatabaseRole.MIGRATOR)
    try:
        await connection.execute(
            f'SET ROLE clinic_owner; SET search_path = "{home.schema}"; {statement}'
        )
    finally:
        await connection.close()


async def revision(tenancy: Tenancy, home: Home) -> str | None:
    connection = await tenancy.pools.connect(home.server, home.database, DatabaseRole.MIGRATOR)
    try:
        return await current_revision(connection, TENANT_TREE, home.schema)
    finally:
        await connection.close()


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
