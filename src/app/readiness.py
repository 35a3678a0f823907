"""What `/health/ready` tells: release, PostgreSQL, revisions; looked up at most every few seconds."""

import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Protocol

import asyncpg

from controllers.health import ReadinessReport, Revisions
from tenancy.credentials import DatabaseRole
from tenancy.errors import ServerUnavailableError
from tenancy.migrations import REGISTRY_TREE, TENANT_TREE, Tree, current_revision, head_revision
from tenancy.runtime import Tenancy
from tenancy.strategy import shared_homes
from tenancy.tenant import Home

KEPT_S: Final = 2.0
PACKAGE: Final = "polyclinic"
REGISTRY_SCHEMA: Final = "registry"


class Connects(Protocol):
    """Opens single connections."""

    async def connect(self, server_name: str, database: str, role: DatabaseRole) -> Any:
        """Return a driver connection that the caller closes."""


def installed_release() -> str:
    """Return the version of the installed package."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return "unknown"


class PostgresReadiness:
    """Ready when the registry and the shared clinics' tables are there."""

    def __init__(
        self,
        connects: Connects,
        *,
        server: str,
        registry_database: str,
        shared_home: Home,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.release = installed_release()
        self._connects = connects
        self._server = server
        self._registry_database = registry_database
        self._shared_home = shared_home
        self._seconds = seconds
        self._kept: tuple[float, ReadinessReport] | None = None

    async def report(self) -> ReadinessReport:
        """Return the report; raise `ServerUnavailableError` when something is missing."""
        if self._kept is None or self._kept[0] <= self._seconds():
            self._kept = (self._seconds() + KEPT_S, await self._look())
        return self._kept[1]

    async def _look(self) -> ReadinessReport:
        try:
            registry, postgresql = await self._revisions(
                self._registry_database, REGISTRY_TREE, REGISTRY_SCHEMA
            )
            tenant, _ = await self._revisions(
                self._shared_home.database, TENANT_TREE, self._shared_home.schema
            )
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise ServerUnavailableError from error
        return ReadinessReport(
            release=self.release, postgresql=postgresql, registry=registry, tenant=tenant
        )

    async def _revisions(self, database: str, tree: Tree, schema: str) -> tuple[Revisions, str]:
        connection = await self._connects.connect(self._server, database, DatabaseRole.MIGRATOR)
        try:
            installed = await current_revision(connection, tree, schema)
            if installed is None:
                raise ServerUnavailableError(f"database {database} was never migrated")
            postgresql = await connection.fetchval("SHOW server_version")
        finally:
            await connection.close()
        return Revisions(newest=head_revision(tree), installed=installed), str(postgresql)


def readiness_of(tenancy: Tenancy, registry_database: str) -> PostgresReadiness:
    """Return the readiness of a process: that of the main server, told by its registry and its first shared home."""
    server = tenancy.options.main_server.name
    return PostgresReadiness(
        tenancy.pools,
        server=server,
        registry_database=registry_database,
        shared_home=shared_homes(tenancy.strategies.values(), server)[0],
    )
