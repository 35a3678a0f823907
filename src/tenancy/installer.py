"""Makes databases and schemas that tenants can live in; the strategies are written in its terms."""

import hashlib
from contextlib import suppress
from functools import cache
from importlib.resources import files
from typing import Any

import asyncpg

from tenancy.credentials import MAINTENANCE_DATABASE, DatabaseRole
from tenancy.errors import HomeServesError
from tenancy.home_connection import HomeConnection
from tenancy.home_failures import NO_HOMES_YET
from tenancy.migrations import TENANT_TREE, current_revision, render_upgrade
from tenancy.pools import Pools
from tenancy.tenant import Home

NAME_LOCK = 7305
"""Advisory lock class: who drops a database or schema waits for who makes it, also for a statement that the server
goes on with after its sender was killed."""

INSTALL_LOCK = 7302  # advisory lock class: two installers never change one database's gate at once

LIGHTLY = "SET LOCAL synchronous_commit = off; SET LOCAL check_function_bodies = off;"
"""For a home that nobody can enter yet. Its commit need not wait for the disk: the home row and the first rows are
written to the same log later, and waited for, so a server that loses this commit has lost them too and the set-up fails.
The functions' bodies were checked when the server's shared home was made from the same script."""

# A database that is closed to connections is a template, and complete.
_DATABASE_AND_TEMPLATE = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = $1),
  EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = $2 AND NOT datallowconn)
"""


REVISION_DIGITS = 12


@cache
def database_script() -> str:
    """Return the script that every database holding tenants is given (`tenancy/sql/database.sql`)."""
    return files("tenancy").joinpath("sql/database.sql").read_text(encoding="utf-8")


@cache
def database_revision() -> str:
    """Return a word for that script: a database that was given another one has other functions."""
    return hashlib.sha256(database_script().encode()).hexdigest()[:REVISION_DIGITS]


SERVING = frozenset({"active", "ready"})
"""States of a home in which it takes its clinic in: nothing of it may be removed, whoever asks."""

_STATES = "SELECT state FROM tenancy.tenant_home WHERE schema_name = $1 FOR SHARE"
_SERVES_ANYONE = "SELECT true FROM tenancy.tenant_home WHERE state IN ('active', 'ready') LIMIT 1"


def quoted(identifier: str) -> str:
    """Return an identifier made by us as a quoted SQL identifier; refuse anything else."""
    if not identifier.replace("_", "").isalnum() or len(identifier) > 63:  # noqa: PLR2004  # NAMEDATALEN - 1
        raise ValueError(identifier)
    return f'"{identifier}"'


class Installer:
    """Creates, equips and drops databases and schemas as `clinic_migrator`."""

    def __init__(self, pools: Pools) -> None:
        self._pools = pools

    async def create_database(
        self, server: str, database: str, *, template: str | None = None
    ) -> bool:
        """Create the database if it is missing; return whether it was copied from `template`, ready for our roles.

        Without the template, or while somebody is in it, the database is an empty one.
        """
        connection = await self._connect(server, MAINTENANCE_DATABASE)
        try:
            await _hold_name(connection, database)
            exists, is_copied = await connection.fetchrow(
                _DATABASE_AND_TEMPLATE, database, template
            )
            if exists:
                return False
            create = f"CREATE DATABASE {quoted(database)} OWNER clinic_owner STRATEGY wal_log"
            if template is not None and is_copied:
                with suppress(asyncpg.ObjectInUseError, asyncpg.InvalidCatalogNameError):
                    await connection.execute(f"{create} TEMPLATE {quoted(template)}")
                    # A copy has the template's contents, and the rights on a database are not among them.
                    await connection.execute(f"SET ROLE clinic_owner; {_database_grants(database)}")
                    return True
            await connection.execute(create)
        except asyncpg.DuplicateDatabaseError:
            pass
        finally:
            await connection.close()
        return False

    async def close_database(self, server: str, database: str) -> None:
        """Let nobody connect to the database any more, whatever their rights."""
        connection = await self._connect(server, MAINTENANCE_DATABASE)
        try:
            await connection.execute("SET ROLE clinic_owner")
            await connection.execute(f"ALTER DATABASE {quoted(database)} ALLOW_CONNECTIONS false")
        finally:
            await connection.close()

    async def drop_database(self, server: str, database: str) -> None:
        """Drop the database, whoever is connected; raise `HomeServesError` while a home in it takes a clinic in.

        The name is held from the look to the drop: nobody makes another database of this name in between, so that one
        who slept cannot drop what was made meanwhile.
        """
        connection = await self._connect(server, MAINTENANCE_DATABASE)
        try:
            await _hold_name(connection, database)
            with suppress(*NO_HOMES_YET, asyncpg.ObjectNotInPrerequisiteStateError):
                await self._refuse_serving(server, database)
            await connection.execute("SET ROLE clinic_owner")
            await connection.execute(f"DROP DATABASE IF EXISTS {quoted(database)} WITH (FORCE)")
        finally:
            await connection.close()

    async def _refuse_serving(self, server: str, database: str) -> None:
        beside = await self._connect(server, database)
        try:
            if await beside.fetchval(_SERVES_ANYONE):
                raise HomeServesError
        finally:
            await beside.close()

    async def equip_database(self, server: str, database: str) -> None:
        """Give the database the homes and the gate; idempotent, also the way they are upgraded."""
        connection = await self._connect(server, database)
        try:
            await connection.execute(
                f"BEGIN; SELECT pg_advisory_xact_lock({INSTALL_LOCK}, 0); SET LOCAL ROLE clinic_owner;"
                f" SET LOCAL client_min_messages = warning;"
                f" {_database_grants(database)} {database_script()}; COMMIT;"
            )
        finally:
            await connection.close()

    async def install_schema(
        self, home: Home, through: HomeConnection | None = None, *, is_shared: bool = False
    ) -> None:
        """Create the home's schema with the tables of the newest revision, as one script.

        Does nothing where tables of any revision are: bringing them on is the migration's part. A shared home is
        made with every check.
        """
        held = through or HomeConnection(self._pools, home)
        schema = quoted(home.schema)
        try:
            connection = await held.get()
            async with connection.transaction():
                await connection.execute(
                    f"SELECT pg_catalog.pg_advisory_xact_lock({NAME_LOCK}, pg_catalog.hashtext($1))",
                    home.schema,
                )
                if await current_revision(connection, TENANT_TREE, home.schema) is not None:
                    return
                await connection.execute(
                    f"SET LOCAL ROLE clinic_owner; CREATE SCHEMA IF NOT EXISTS {schema};"
                    f" GRANT USAGE ON SCHEMA {schema} TO clinic_app, clinic_migrator, clinic_mover;"
                    f" SET LOCAL search_path = {schema}, extensions;"
                    f" {'' if is_shared else LIGHTLY} {render_upgrade(TENANT_TREE, 'base', 'head')}"
                )
        finally:
            if held is not through:
                await held.close()

    async def drop_schema(self, home: Home) -> None:
        """Drop the home's schema with everything in it; raise `HomeServesError` while it takes a clinic in.

        The home's row is held in the transaction that drops, so that it cannot begin to serve in between.
        """
        connection = await self._connect(home.server, home.database)
        try:
            await _hold_name(connection, home.schema)
            async with connection.transaction():
                if SERVING & {state for (state,) in await connection.fetch(_STATES, home.schema)}:
                    raise HomeServesError
                await connection.execute("SET LOCAL ROLE clinic_owner")
                await connection.execute(f"DROP SCHEMA IF EXISTS {quoted(home.schema)} CASCADE")
        finally:
            await connection.close()

    async def _connect(self, server: str, database: str) -> Any:
        return await self._pools.connect(server, database, DatabaseRole.MIGRATOR)


def _database_grants(database: str) -> str:
    return (
        f"REVOKE ALL ON DATABASE {quoted(database)} FROM PUBLIC;"
        f" GRANT CONNECT ON DATABASE {quoted(database)} TO clinic_app, clinic_mover;"
        f" GRANT CONNECT, CREATE ON DATABASE {quoted(database)} TO clinic_migrator;"
    )


async def _hold_name(connection: Any, name: str) -> None:
    """Hold the name of a database or schema until the connection closes."""
    await connection.execute(
        f"SELECT pg_catalog.pg_advisory_lock({NAME_LOCK}, pg_catalog.hashtext($1))", name
    )
