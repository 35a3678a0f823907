"""One connection's part in a migration of the fleet: homes of one database, one after another."""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

import asyncpg
from msgspec import Struct

from tenancy.credentials import DatabaseRole
from tenancy.errors import TenancyError
from tenancy.installer import quoted
from tenancy.migrations import (
    TENANT_TREE,
    HomeBusyError,
    head_revision,
    upgrade_known,
    upgrade_schema,
)
from tenancy.runtime import Tenancy
from tenancy.tenant import Home

TRIES_MAX: Final = 8
"""For a home whose tables are in use, or that is being moved: the others come first in between."""

TRY_PAUSE_S: Final = 0.25
TRY_PAUSE_S_MAX: Final = 4.0

_REVISION = 'SELECT {number}, version_num FROM {schema}."{table}"'
_FAILURES = (TenancyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


class HomeMigration(Struct, frozen=True, kw_only=True):
    """What became of one home; `error` is None when it is at the newest revision."""

    home: Home
    before: str | None = None
    after: str | None = None
    error: str | None = None
    note: str | None = None
    """What else came of it: the way back of a clinic that has just moved does not outlive a migration."""


class MigrationLane:
    """Brings homes of one database on through one connection."""

    def __init__(
        self, tenancy: Tenancy, server: str, database: str, equipped: set[tuple[str, str]]
    ) -> None:
        self._tenancy = tenancy
        self._server = server
        self._database = database
        self._connection: Any = None
        self._equipped_databases = equipped

    async def run(self, homes: Sequence[Home]) -> AsyncGenerator[HomeMigration]:
        """Yield what became of each home; one that is busy is tried again after the others."""
        pending, pause_s = list(homes), TRY_PAUSE_S
        try:
            for number in range(TRIES_MAX):
                is_last = number == TRIES_MAX - 1
                busy = []
                befores = await self._revisions(pending)
                for home in pending:
                    result = await self._migrate(home, befores.get(home))
                    if result is not None or is_last:
                        yield result or _failed(home, HomeBusyError())
                    else:
                        busy.append(home)
                if not busy:
                    return
                pending = busy
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311  # jitter
                pause_s = min(pause_s * 2, TRY_PAUSE_S_MAX)
        finally:
            await self._close()

    async def _migrate(self, home: Home, before: str | None) -> HomeMigration | None:
        """Bring on one home, and before the first the gate that all of its database share; None where it is busy."""
        head = head_revision(TENANT_TREE)
        try:
            connection = await self._equipped()
            if before == head:
                return HomeMigration(home=home, before=head, after=head)
            if before is None:
                before, after = await upgrade_schema(connection, TENANT_TREE, home.schema)
                return HomeMigration(home=home, before=before, after=after)
            await upgrade_known(connection, TENANT_TREE, home.schema, before)
        except HomeBusyError:
            return None
        except _FAILURES as error:
            return _failed(home, error, before)
        return HomeMigration(home=home, before=before, after=head)

    async def _equipped(self) -> Any:
        """Return the connection, to a database whose gate is the newest: tables are never brought on behind an older one."""
        database = (self._server, self._database)
        if database not in self._equipped_databases:
            await self._tenancy.installer.equip_database(*database)
            self._equipped_databases.add(database)
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._tenancy.pools.connect(
                self._server, self._database, DatabaseRole.MIGRATOR
            )
        return self._connection

    async def _revisions(self, homes: Sequence[Home]) -> dict[Home, str]:
        """Return at which revision homes are, in one query; without an answer each is asked by itself."""
        if len(homes) == 1:
            return {}
        query = " UNION ALL ".join(
            _REVISION.format(
                number=number, schema=quoted(home.schema), table=TENANT_TREE.version_table
            )
            for number, home in enumerate(homes)
        )
        try:
            rows = await (await self._equipped()).fetch(query)
        except _FAILURES:
            return {}
        return {homes[number]: str(revision) for number, revision in rows}

    async def _close(self) -> None:
        if self._connection is not None:
            await self._connection.close()


def _failed(home: Home, error: BaseException, before: str | None = None) -> HomeMigration:
    return HomeMigration(
        home=home, before=before, after=before, error=f"{type(error).__name__}: {error}"
    )
