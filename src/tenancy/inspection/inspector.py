"""Looks at every server, database and schema in turn; what cannot be looked at is a finding too."""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import Struct

from tenancy.bootstrap import REGISTRY_SCHEMA
from tenancy.credentials import MAINTENANCE_DATABASE, DatabaseRole
from tenancy.errors import ServerUnavailableError
from tenancy.inspection.grants import grant_problems, home_grants, registry_grants
from tenancy.inspection.roles import OWNER, role_problems
from tenancy.inspection.shapes import (
    Reference,
    append_only_tables,
    name_problems,
    read_digests,
    read_shape,
    shape_problems,
)
from tenancy.inspection.streams import orphan_publications, orphan_slots
from tenancy.inspection.walls import wall_problems
from tenancy.migrations import (
    REGISTRY_TREE,
    TENANT_TREE,
    Tree,
    current_revision,
    head_revision,
)
from tenancy.pools import Pools
from tenancy.strategy import Strategy, shared_homes
from tenancy.tenant import Placement

GATE_SCHEMAS = ["tenancy", "extensions"]

SCHEMAS_QUERY = """
SELECT nspname, pg_catalog.pg_get_userbyid(nspowner)::text AS owner FROM pg_catalog.pg_namespace
WHERE nspname NOT LIKE 'pg\\_%' AND nspname NOT IN ('public', 'information_schema', 'tenancy', 'extensions')
ORDER BY nspname
"""


class Finding(Struct, frozen=True):
    """One thing that is not as it must be, and where."""

    place: str
    problem: str


class Inspector:
    """Looks at one server after another; changes nothing."""

    def __init__(self, pools: Pools, strategies: Iterable[Strategy]) -> None:
        self._pools = pools
        self._strategies = tuple(strategies)

    async def inspect(
        self, servers: Iterable[str], placements: Iterable[Placement]
    ) -> list[Finding]:
        """Return what is wrong on these servers, given every placement that the registry knows."""
        by_server: dict[str, list[Placement]] = defaultdict(list)
        for placement in placements:
            by_server[placement.home.server].append(placement)
        findings: list[Finding] = []
        for server in servers:
            findings += await self._inspect_server(server, by_server[server])
        return findings

    async def inspect_registry(self, server: str, database: str) -> list[Finding]:
        """Return what is wrong with the registry's own database."""
        problems: list[str] = []
        async with self._looking(server, database, problems) as connection:
            if connection is not None:
                schemas = [REGISTRY_SCHEMA, "extensions"]
                problems += await grant_problems(connection, schemas, registry_grants)
                behind = await _revision_problems(connection, REGISTRY_TREE, REGISTRY_SCHEMA)
                shape = {} if behind else await read_shape(connection, REGISTRY_SCHEMA)
                problems += behind or name_problems(REGISTRY_SCHEMA, shape, REGISTRY_TREE)
        return [Finding(f"{server}/{database}", problem) for problem in problems]

    async def inspect_streams(
        self, servers: Iterable[str], placements: Iterable[Placement], open_moves: Collection[UUID]
    ) -> list[Finding]:
        """Return the slots and publications that moves have left, given those that are not ended.

        Nobody reads such a slot, and it keeps its server's log for ever.
        """
        databases: dict[str, set[str]] = {
            server: {home.database for home in shared_homes(self._strategies, server)}
            for server in servers
        }
        for placement in placements:
            databases.setdefault(placement.home.server, set()).add(placement.home.database)
        findings: list[Finding] = []
        for server, names in databases.items():
            findings += await self._orphans(server, None, open_moves)
            for name in sorted(names):
                findings += await self._orphans(server, name, open_moves)
        return findings

    async def _orphans(
        self, server: str, database: str | None, open_moves: Collection[UUID]
    ) -> list[Finding]:
        """Return the orphans of a server, or of one database. That it cannot be reached, `inspect` says already."""
        async with self._looking(server, database or MAINTENANCE_DATABASE, []) as connection:
            if connection is None:
                return []
            if database is None:
                return [Finding(server, p) for p in await orphan_slots(connection, open_moves)]
            orphans = await orphan_publications(connection, open_moves)
            return [Finding(f"{server}/{database}", problem) for problem in orphans]
        return []

    async def _inspect_server(self, server: str, placements: list[Placement]) -> list[Finding]:
        problems: list[str] = []
        present: set[str] | None = None
        made_ready: dict[str, str] = {}
        async with self._looking(server, MAINTENANCE_DATABASE, problems) as connection:
            if connection is not None:
                rows = await connection.fetch("SELECT datname FROM pg_catalog.pg_database")
                present = {name for (name,) in rows}
                problems += await role_problems(connection)
                for strategy in self._strategies:
                    made_ready |= await strategy.server_problems(connection)
        findings = [Finding(server, problem) for problem in problems]
        findings += [Finding(f"{server}/{name}", p) for name, p in sorted(made_ready.items())]
        if present is None:
            return findings
        # The shared ones first: the others are held against them.
        shared: dict[str, set[str]] = defaultdict(set)
        for home in shared_homes(self._strategies, server):
            shared[home.database].add(home.schema)
        placed = {p.home.database for p in placements}
        expected = [*shared, *sorted(placed.difference(shared))]
        findings += [
            Finding(f"{server}/{name}", "orphan database: no clinic is placed there")
            for name in sorted(present.difference(expected))
            if any(strategy.is_own_database(name) for strategy in self._strategies)
        ]
        reference: Reference | None = None
        for database in expected:
            here = [p for p in placements if p.home.database == database]
            if database in present:
                look = _DatabaseLook(here, reference, frozenset(shared.get(database, ())))
                findings += await self._inspect_database(server, database, look)
                reference = look.reference
            else:
                problem = "missing database of a placed clinic" if here else "missing database"
                findings.append(Finding(f"{server}/{database}", problem))
        return findings

    async def _inspect_database(
        self, server: str, database: str, look: "_DatabaseLook"
    ) -> list[Finding]:
        async with self._looking(server, database, look.problems) as connection:
            if connection is not None:
                await look.inspect(connection)
        return [Finding(f"{server}/{database}", problem) for problem in look.problems]

    @asynccontextmanager
    async def _looking(
        self, server: str, database: str, problems: list[str]
    ) -> AsyncIterator[Any | None]:
        """Yield a connection, or None where there is none; what goes wrong meanwhile becomes a problem."""
        try:
            connection = await self._pools.connect(server, database, DatabaseRole.MIGRATOR)
        except (ServerUnavailableError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            problems.append(f"cannot be reached: {error}")
            yield None
            return
        try:
            yield connection
            await connection.close()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            problems.append(f"cannot be looked at: {error}")
        finally:
            connection.terminate()


class _DatabaseLook:
    """One database that holds clinics: what is wrong there, and the shape to hold other homes against."""

    def __init__(
        self,
        placements: list[Placement],
        reference: Reference | None,
        shared_schemas: frozenset[str],
    ) -> None:
        self.problems: list[str] = []
        self.reference = reference
        self._placements = placements
        self._shared_schemas = shared_schemas

    async def inspect(self, connection: Any) -> None:
        """Collect the problems of the database and of all schemas in it."""
        rows = await connection.fetch(SCHEMAS_QUERY)
        schemas = [row["nspname"] for row in rows if row["owner"] == OWNER]
        append_only = append_only_tables(TENANT_TREE)
        self.problems += [
            f"schema {row['nspname']} is owned by {row['owner']}"
            for row in rows
            if row["owner"] != OWNER
        ]
        self.problems += await grant_problems(
            connection, [*GATE_SCHEMAS, *schemas], home_grants(append_only)
        )
        self.problems += await wall_problems(connection, schemas, append_only)
        await self._inspect_shapes(connection, schemas)
        await self._inspect_homes(connection, schemas)

    async def _inspect_homes(self, connection: Any, schemas: list[str]) -> None:
        try:
            homes = await connection.fetch("SELECT * FROM tenancy.tenant_home")
        except asyncpg.PostgresError as error:
            self.problems.append(f"the homes cannot be read: {error}")
            return
        self.problems += _home_problems(homes, self._placements)
        known = {home["schema_name"] for home in homes} | self._shared_schemas
        self.problems += [
            f"orphan schema {schema}: no home row names it"
            for schema in schemas
            if schema not in known
        ]
        # A home that was left behind may be gone already; one that serves may not.
        serving = {h["schema_name"] for h in homes if h["state"] in {"active", "ready"}}
        serving |= self._shared_schemas
        self.problems += [f"missing schema {name}" for name in sorted(serving.difference(schemas))]

    async def _inspect_shapes(self, connection: Any, schemas: list[str]) -> None:
        digests = await read_digests(connection, schemas)
        # The shared one first: the others are held against it.
        for schema in sorted(schemas, key=lambda name: (name not in self._shared_schemas, name)):
            behind = await _revision_problems(connection, TENANT_TREE, schema)
            self.problems += behind
            if not behind:
                await self._inspect_shape(connection, schema, digests[schema])

    async def _inspect_shape(self, connection: Any, schema: str, digest: str) -> None:
        if self.reference is not None and self.reference.digest == digest:
            return
        shape = await read_shape(connection, schema)
        if self.reference is not None:
            self.problems += shape_problems(schema, shape, self.reference.shape)
            return
        problems = name_problems(schema, shape, TENANT_TREE)
        self.problems += problems
        if schema in self._shared_schemas and not problems:
            self.reference = Reference(digest, shape)


async def _revision_problems(connection: Any, tree: Tree, schema: str) -> list[str]:
    """Return a problem if the schema is not at the newest revision or the migrator may not read it."""
    try:
        revision = await current_revision(connection, tree, schema)
    except asyncpg.InsufficientPrivilegeError as error:
        return [f"{DatabaseRole.MIGRATOR} may not read schema {schema}: {error}"]
    newest = head_revision(tree)
    if revision == newest:
        return []
    return [f"schema {schema} is at revision {revision}, newest is {newest}"]


def _home_problems(homes: list[Any], placements: list[Placement]) -> list[str]:
    problems = []
    serving = {
        (row["tenant_id"], row["schema_name"]): row["epoch"]
        for row in homes
        if row["state"] in {"active", "ready"}
    }
    for placement in placements:
        key = (placement.tenant_id, placement.home.schema)
        epoch = serving.pop(key, None)
        if epoch is None:
            problems.append(f"tenant {placement.tenant_id} has no serving home here")
        elif epoch != placement.epoch:
            problems.append(
                f"tenant {placement.tenant_id}: home has epoch {epoch}, registry {placement.epoch}"
            )
    problems += [
        f"home of tenant {tenant} in {schema} is unknown to the registry"
        for tenant, schema in serving
    ]
    return problems
