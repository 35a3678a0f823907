"""Brings homes and the registry to the newest revision: rendered once as SQL, sent to each as one script."""

import io
from collections.abc import Awaitable, Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from msgspec import Struct

from tenancy.errors import TenancyError

LOCK_WAIT_MS_MAX: Final = 2000
"""For another migration of the same schema, behind which nobody waits."""

TABLE_LOCK_WAIT_MS_MAX: Final = 200
"""For a table: a clinic's requests queue behind whoever waits for its lock."""

MIGRATION_LOCK = 7303  # advisory lock class: two migrations of one schema never run at once
UNEXPECTED_REVISION: Final = "TNREV"
"""SQLSTATE of a home that is not at the revision it was thought to be."""


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


OnlineStep = Callable[[Any], Awaitable[None]]
"""What a revision that SQL alone cannot express does on a connection, as owner, with the schema in the search path."""


@cache
def upgrade_steps(tree: Tree, lower: str) -> tuple[str | OnlineStep, ...]:
    """Return what takes a target from `lower` (or `base`) to the head: SQL, and `run_online` of the revisions that have it.

    Raises `NewerRevisionError` for a revision that this release's tree does not have.
    """
    scripts = ScriptDirectory.from_config(configuration(tree))
    known = {script.revision for script in scripts.walk_revisions()}
    if lower not in known | {"base"}:
        raise NewerRevisionError(
            f"the data are at revision {lower} of the {tree.name} tree, made by a newer release; install that one"
        )
    steps: list[str | OnlineStep] = []
    rendered = lower
    for script in reversed(list(scripts.iterate_revisions("head", lower))):
        if (run_online := getattr(script.module, "run_online", None)) is not None:
            steps += [render_upgrade(tree, rendered, script.revision), run_online]
            rendered = script.revision
    if rendered != head_revision(tree):
        steps.append(render_upgrade(tree, rendered, "head"))
    return tuple(steps)


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


async def upgrade_schema(connection: Any, tree: Tree, schema: str) -> tuple[str | None, str]:
    """Bring one schema to the head of its tree in one transaction; return the revisions before and after.

    Waits shortly for table locks, so that no clinic's requests queue behind it. Raises `NewerRevisionError`, or
    `HomeBusyError` while a move or another migration holds the tables as they are.
    """
    head = head_revision(tree)
    if await current_revision(connection, tree, schema) == head:
        return head, head
    try:
        async with connection.transaction():
            await connection.execute(_hold(schema))
            before = await current_revision(connection, tree, schema)
            for step in upgrade_steps(tree, before or "base") if before != head else ():
                await (connection.execute(step) if isinstance(step, str) else step(connection))
    except asyncpg.LockNotAvailableError as error:
        raise HomeBusyError from error
    return before, head


async def upgrade_known(connection: Any, tree: Tree, schema: str, before: str) -> None:
    """Bring one schema that is thought to be at `before` to the head in one round trip.

    Raises what `upgrade_schema` does, with nothing changed. A schema that is at another revision, or a revision that
    runs online, takes the longer way.
    """
    steps = upgrade_steps(tree, before)
    if len(steps) == 1 and isinstance(steps[0], str):
        script = f"BEGIN; {_hold(schema)}; {_expect(tree, before)}; {steps[0]}; COMMIT"
        try:
            await connection.execute(script)
        except asyncpg.PostgresError as error:
            await connection.execute("ROLLBACK")
            if isinstance(error, asyncpg.LockNotAvailableError):
                raise HomeBusyError from error
            if error.sqlstate != UNEXPECTED_REVISION:
                raise
        else:
            return
    await upgrade_schema(connection, tree, schema)


def _hold(schema: str) -> str:
    """Return what begins every migration of a schema: its lock first, which nobody else's requests wait for."""
    return (
        f"SET LOCAL lock_timeout = {LOCK_WAIT_MS_MAX}; SET LOCAL client_min_messages = warning;"
        f" SELECT pg_advisory_xact_lock({MIGRATION_LOCK}, hashtext('{schema}'));"
        f" SET LOCAL lock_timeout = {TABLE_LOCK_WAIT_MS_MAX};"
        f' SET LOCAL ROLE clinic_owner; SET LOCAL search_path = "{schema}", extensions'
    )


def _expect(tree: Tree, revision: str) -> str:
    return (
        f"DO $expect$ BEGIN IF (SELECT version_num FROM {tree.version_table}) IS DISTINCT FROM '{revision}' THEN"
        f" RAISE EXCEPTION 'not at revision {revision}' USING ERRCODE = '{UNEXPECTED_REVISION}';"
        f" END IF; END $expect$"
    )
