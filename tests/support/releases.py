"""The next release, as far as migrations know it: the same code with one more tenant revision."""

import asyncio
import os
import shutil
import signal
from pathlib import Path

from tenancy import migrations
from tenancy.credentials import DatabaseRole
from tenancy.fleet.migration import FleetMigration, MigrationScope
from tenancy.migrations import TENANT_TREE, current_revision
from tenancy.runtime import Tenancy, TenancyOptions
from tenancy.tenant import Home

NEXT = "0002"
HEAD = f'''"""Adds a column.

Revision ID: {NEXT}
Revises: 0001
"""

from alembic import op

revision = "{NEXT}"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE specialty ADD COLUMN shown_as text")
'''
ONLINE = """

async def run_online(connection) -> None:
    name = await connection.fetchval("SELECT current_schema()")
    await connection.execute("COMMENT ON COLUMN specialty.shown_as IS 'filled in " + name + "'")
"""


def newer_tree(directory: Path, more: str = "") -> Path:
    """Make the next release's migrations in a directory; `more` is added to its revision."""
    newer = directory / "alembic"
    shutil.copytree(migrations.migrations_directory(), newer)
    (newer / "tenant" / "versions" / "0002_expand_shown_as.py").write_text(HEAD + more)
    return newer


def forget_rendered() -> None:
    """Let the trees be read again."""
    migrations.head_revision.cache_clear()
    migrations.render_upgrade.cache_clear()
    migrations.upgrade_steps.cache_clear()


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


def migrate_and_die(options: TenancyOptions, newer: Path, after: int) -> None:
    """Bring a fleet to the next release in this process, and let it be killed after so many homes."""

    def die(_result: object, done: int, _total: int) -> None:
        if done == after:
            os.kill(os.getpid(), signal.SIGKILL)

    async def migrate() -> None:
        async with Tenancy(options) as tenancy:
            await FleetMigration(tenancy, MigrationScope(), die).run()

    migrations.migrations_directory = lambda: newer
    asyncio.run(migrate())
