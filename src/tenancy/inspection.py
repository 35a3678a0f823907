"""What `clinic doctor` looks at: homes against the registry, walls round every table, roles, leftovers."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from tenancy.credentials import DatabaseRole
from tenancy.migrations import TENANT_TREE, current_revision, head_revision
from tenancy.pools import Pools
from tenancy.tenant import Placement

WALL = "(tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)"


class Finding(Struct, frozen=True):
    """One thing that is not as it must be, and where."""

    place: str
    problem: str


ROLES_QUERY = """
SELECT rolname, rolsuper, rolbypassrls, rolcanlogin, rolcreaterole FROM pg_catalog.pg_roles WHERE rolname LIKE 'clinic\\_%'
"""

WALLS_QUERY = """
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, pg_catalog.pg_get_userbyid(c.relowner) AS owner,
  (SELECT pg_catalog.pg_get_expr(p.polqual, p.polrelid) FROM pg_catalog.pg_policy p
    WHERE p.polrelid = c.oid AND p.polname = 'own_tenant') AS reads,
  (SELECT pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) FROM pg_catalog.pg_policy p
    WHERE p.polrelid = c.oid AND p.polname = 'own_tenant') AS writes,
  (SELECT count(*) FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid) AS policies,
  (SELECT pg_catalog.array_agg(r.rolname::text ORDER BY r.rolname) FROM pg_catalog.pg_policy p
     JOIN pg_catalog.pg_roles r ON r.oid = ANY (p.polroles)
    WHERE p.polrelid = c.oid AND p.polname = 'every_tenant') AS sees_all,
  EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'a_guard'
    AND t.tgenabled = 'O' AND t.tgfoid = 'tenancy.guard'::pg_catalog.regproc) AS guarded,
  pg_catalog.has_table_privilege('clinic_registry', c.oid, 'SELECT') AS registry_reads,
  pg_catalog.has_table_privilege('clinic_app', c.oid, 'TRUNCATE') AS app_truncates
FROM pg_catalog.pg_class c
WHERE c.relnamespace = $1::text::pg_catalog.regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> $2
ORDER BY c.relname
"""


class Inspector:
    """Looks at one server after another; changes nothing."""

    def __init__(self, pools: Pools, pool_database: str) -> None:
        self._pools = pools
        self._pool_database = pool_database

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

    async def _inspect_server(self, server: str, placements: list[Placement]) -> list[Finding]:
        findings: list[Finding] = []
        connection = await self._pools.connect(server, "postgres", DatabaseRole.MIGRATOR)
        try:
            findings += [
                Finding(server, p) for p in _role_problems(await connection.fetch(ROLES_QUERY))
            ]
            rows = await connection.fetch(
                "SELECT datname FROM pg_catalog.pg_database WHERE datname LIKE 'clinic\\_t\\_%'"
            )
        finally:
            await connection.close()
        expected = {p.home.database for p in placements} | {self._pool_database}
        findings += [
            Finding(f"{server}/{name}", "orphan database: no clinic is placed there")
            for (name,) in rows
            if name not in expected
        ]
        present = {name for (name,) in rows} | {self._pool_database}
        for database in sorted(expected):
            here = [p for p in placements if p.home.database == database]
            if database in present:
                findings += await self._inspect_database(server, database, here)
            else:
                findings.append(
                    Finding(f"{server}/{database}", "missing database of a placed clinic")
                )
        return findings

    async def _inspect_database(
        self, server: str, database: str, placements: list[Placement]
    ) -> list[Finding]:
        place = f"{server}/{database}"
        connection = await self._pools.connect(server, database, DatabaseRole.MIGRATOR)
        try:
            homes = await connection.fetch("SELECT * FROM tenancy.tenant_home")
            problems = _home_problems(homes, placements)
            schemas = await connection.fetch(
                "SELECT nspname FROM pg_catalog.pg_namespace"
                " WHERE pg_catalog.pg_get_userbyid(nspowner) = 'clinic_owner'"
                " AND nspname NOT IN ('tenancy', 'extensions') ORDER BY nspname"
            )
            used = {home["schema_name"] for home in homes} | {"pool"}
            for (schema,) in schemas:
                if schema not in used:
                    problems.append(f"orphan schema {schema}: no home row names it")
                problems += await _schema_problems(connection, schema)
        finally:
            await connection.close()
        return [Finding(place, problem) for problem in problems]


def _role_problems(rows: list[Any]) -> list[str]:
    roles = {row["rolname"]: row for row in rows}
    expected = {role.value for role in DatabaseRole} | {"clinic_owner"}
    problems = [f"missing role {name}" for name in sorted(expected - roles.keys())]
    for name, row in roles.items():
        if row["rolsuper"] or row["rolcreaterole"]:
            problems.append(f"role {name} has too many powers")
        if row["rolbypassrls"] and name != DatabaseRole.MOVER:
            problems.append(f"role {name} bypasses row-level security")
    if "clinic_owner" in roles and roles["clinic_owner"]["rolcanlogin"]:
        problems.append("role clinic_owner can log in")
    return problems


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


async def _schema_problems(connection: Any, schema: str) -> list[str]:
    revision = await current_revision(connection, TENANT_TREE, schema)
    problems = []
    if revision != head_revision(TENANT_TREE):
        problems.append(
            f"schema {schema} is at revision {revision}, newest is {head_revision(TENANT_TREE)}"
        )
    for row in await connection.fetch(WALLS_QUERY, schema, TENANT_TREE.version_table):
        name = f"table {schema}.{row['relname']}"
        checks = {
            "has no forced row-level security": row["relrowsecurity"]
            and row["relforcerowsecurity"],
            "has another policy than it must": row["reads"] == WALL and row["writes"] == WALL,
            "has more or fewer than two policies": row["policies"] == 2,  # noqa: PLR2004  # own_tenant, every_tenant
            "lets others than migrator and mover see everything": row["sees_all"]
            == [DatabaseRole.MIGRATOR.value, DatabaseRole.MOVER.value],
            "has no guard trigger": row["guarded"],
            "is not owned by clinic_owner": row["owner"] == "clinic_owner",
            "can be read by the registry's role": not row["registry_reads"],
            "can be truncated by the application": not row["app_truncates"],
        }
        problems += [f"{name} {problem}" for problem, holds in checks.items() if not holds]
    return problems
