"""Brings homes and the registry to the newest revision: rendered once as SQL, sent to each as one script."""

import io
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from msgspec import Struct

from tenancy.errors import TenancyError

LOCK_WAIT_MS_MAX = 2000
MIGRATION_LOCK = 7303  # advisory lock class: two migrations of one schema never run at once


class Tree(Struct, frozen=True):
    """One Alembic tree and the table in which a target keeps its revision."""

    name: str
    version_table: str


REGISTRY_TREE = Tree("registry", "alembic_version_registry")
TENANT_TREE = Tree("tenant", "alembic_version_tenant")


def migrations_directory() -> Path:
    """Return the folder with alembic.ini: beside `src` in a checkout, inside the package when installed."""
    checkout = Path(__file__).resolve().parents[2] / "alembic"
    if (checkout / "tenant" / "env.py").is_file():
        return checkout
    return Path(str(files("tenancy").joinpath("_alembic")))


def configuration(tree: Tree, output: io.StringIO | None = None) -> Config:
    """Return the Alembic configuration of a tree."""
    ini = migrations_directory() / "alembic.ini"
    config = Config(str(ini), ini_section=tree.name, output_buffer=output)
    config.attributes["version_table"] = tree.version_table
    return config


@cache
def head_revision(tree: Tree) -> str:
    """Return the newest revision of a tree."""
    head = ScriptDirectory.from_config(configuration(tree)).get_current_head()
    assert head is not None
    return head


@cache
def render_upgrade(tree: Tree, lower: str, upper: str) -> str:
    """Return the SQL that takes a target from revision `lower` (or `base`) to `upper` (or `head`)."""
    output = io.StringIO()
    command.upgrade(configuration(tree, output), f"{lower}:{upper}", sql=True)
    return output.getvalue()


async def current_revision(connection: Any, tree: Tree, schema: str) -> str | None:
    """Return the revision of a schema, None where the tree was never run."""
    table = f'"{schema}"."{tree.version_table}"'
    if await connection.fetchval("SELECT to_regclass($1) IS NULL", table):
        return None
    revision = await connection.fetchval(f"SELECT version_num FROM {table}")  # our own names
    return None if revision is None else str(revision)


class NewerRevisionError(TenancyError):
    """The data were made by a newer release: this one does not know their revision."""


class HomeBusyError(TenancyError):
    """The home is being moved or migrated by another process: run this again afterwards."""


def check_known(tree: Tree, revision: str | None) -> None:
    """Raise `NewerRevisionError` for a revision that this release's tree does not have."""
    known = {s.revision for s in ScriptDirectory.from_config(configuration(tree)).walk_revisions()}
    if revision is not None and revision not in known:
        raise NewerRevisionError(
            f"the data are at revision {revision} of the {tree.name} tree, made by a newer release; install that one"
        )


async def upgrade_schema(connection: Any, tree: Tree, schema: str) -> tuple[str | None, str]:
    """Bring one schema to the head of its tree in one transaction; return the revisions before and after.

    Waits at most `LOCK_WAIT_MS_MAX` for a table lock, so that no clinic's requests queue behind it. Raises
    `NewerRevisionError`, or `HomeBusyError` while a move holds the tables as they are.
    """
    head = head_revision(tree)
    if await current_revision(connection, tree, schema) == head:
        return head, head
    async with connection.transaction():
        await connection.execute(
            f"SET LOCAL lock_timeout = {LOCK_WAIT_MS_MAX}; SET LOCAL client_min_messages = warning"
        )
        try:
            await connection.execute(
                f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK}, hashtext('{schema}'))"
            )
        except asyncpg.LockNotAvailableError as error:
            raise HomeBusyError from error
        await connection.execute(
            f'SET LOCAL ROLE clinic_owner; SET LOCAL search_path = "{schema}", extensions'
        )
        before = await current_revision(connection, tree, schema)
        check_known(tree, before)
        if before != head:
            await connection.execute(render_upgrade(tree, before or "base", head))
    return before, head
