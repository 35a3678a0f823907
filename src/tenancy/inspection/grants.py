"""Who may do what with a database, its schemas, tables and columns: exactly what our scripts grant."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from tenancy.credentials import DatabaseRole
from tenancy.migrations import REGISTRY_TREE, TENANT_TREE

APP, MIGRATOR = DatabaseRole.APP.value, DatabaseRole.MIGRATOR.value
MOVER, REGISTRY = DatabaseRole.MOVER.value, DatabaseRole.REGISTRY.value

Grants = Mapping[str, AbstractSet[str]]
"""Privileges by role; the owner's own are not looked at."""

Expected = Callable[[str, str, str], Grants]
"""The grants that must be on a thing, given its kind (database, schema, table, column), schema and name."""

CONNECT = frozenset({"CONNECT"})
CONNECT_AND_CREATE = frozenset({"CONNECT", "CREATE"})
USAGE = frozenset({"USAGE"})
READ = frozenset({"SELECT"})
READ_AND_ADD = frozenset({"SELECT", "INSERT"})
READ_AND_WRITE = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
NONE: frozenset[str] = frozenset()
NOBODY: Grants = {}

HOMES_DATABASE = {APP: CONNECT, MOVER: CONNECT, MIGRATOR: CONNECT_AND_CREATE}
HOME_SCHEMA = {APP: USAGE, MIGRATOR: USAGE, MOVER: USAGE}
HOME_TABLE = {APP: READ_AND_WRITE, MIGRATOR: READ_AND_WRITE, MOVER: READ_AND_WRITE}
APPEND_ONLY_TABLE = HOME_TABLE | {APP: READ_AND_ADD}
GATE_TABLES = {
    "tenant_home": HOME_TABLE | {APP: READ},
    "move_stream": {MIGRATOR: READ_AND_WRITE, MOVER: READ_AND_WRITE},
}

REGISTRY_TABLES = {
    "platform_audit_event": {REGISTRY: READ_AND_ADD},
    REGISTRY_TREE.version_table: {REGISTRY: READ},
}
REGISTRY_TABLE = {REGISTRY: READ_AND_WRITE}

GRANTS_QUERY = """
WITH things AS (
  SELECT 'database' AS kind, '' AS schema, d.datname::text AS name, d.datdba AS owner,
    coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba)) AS acl
  FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
  UNION ALL
  SELECT 'schema', n.nspname, n.nspname, n.nspowner, coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))
  FROM pg_catalog.pg_namespace n WHERE n.nspname = ANY ($1::text[])
  UNION ALL
  SELECT 'table', n.nspname, c.relname, c.relowner, coalesce(c.relacl,
    pg_catalog.acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r'::"char" END, c.relowner))
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  UNION ALL
  SELECT 'column', n.nspname, c.relname || '.' || t.attname, c.relowner, t.attacl
  FROM pg_catalog.pg_attribute t JOIN pg_catalog.pg_class c ON c.oid = t.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ANY ($1::text[]) AND t.attacl IS NOT NULL
)
SELECT t.kind, t.schema, t.name,
  CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(a.grantee)::text END AS grantee,
  a.privilege_type || CASE WHEN a.is_grantable THEN ' and let others' ELSE '' END AS privilege
FROM things t LEFT JOIN LATERAL pg_catalog.aclexplode(t.acl) a ON a.grantee <> t.owner
ORDER BY t.kind, t.schema, t.name
"""

DEFAULT_GRANTS_QUERY = """
SELECT pg_catalog.pg_get_userbyid(d.defaclrole)::text AS role, d.defaclacl::text AS acl
FROM pg_catalog.pg_default_acl d
"""


async def grant_problems(connection: Any, schemas: list[str], expected: Expected) -> list[str]:
    """Return how the grants on this database and these schemas differ from the expected."""
    granted: dict[tuple[str, str, str], dict[str, set[str]]] = {}
    for row in await connection.fetch(GRANTS_QUERY, schemas):
        roles = granted.setdefault((row["kind"], row["schema"], row["name"]), defaultdict(set))
        if row["grantee"] is not None:
            roles[row["grantee"]].add(row["privilege"])
    problems = []
    for (kind, schema, name), roles in granted.items():
        thing = f"{kind} {schema}.{name}" if kind in {"table", "column"} else f"{kind} {name}"
        problems += _differences(thing, roles, expected(kind, schema, name))
    problems += [
        f"new objects of {row['role']} are granted by default: {row['acl']}"
        for row in await connection.fetch(DEFAULT_GRANTS_QUERY)
    ]
    return problems


def home_grants(append_only: frozenset[str]) -> Expected:
    """Return what must be granted in a database that holds clinics."""

    def expected(kind: str, schema: str, name: str) -> Grants:
        if kind == "database":
            return HOMES_DATABASE
        if kind == "schema":
            return {MIGRATOR: USAGE, MOVER: USAGE} if name == "extensions" else HOME_SCHEMA
        if kind == "column" or schema == "extensions" or name == TENANT_TREE.version_table:
            return NOBODY
        if schema == "tenancy":
            return GATE_TABLES.get(name, NOBODY)
        return APPEND_ONLY_TABLE if name in append_only else HOME_TABLE

    return expected


def registry_grants(kind: str, schema: str, name: str) -> Grants:
    """Return what must be granted on a thing of the registry's database."""
    if kind == "database":
        return {REGISTRY: CONNECT, MIGRATOR: CONNECT_AND_CREATE}
    if kind == "schema":
        return {REGISTRY: USAGE, MIGRATOR: USAGE}
    if kind == "column" or schema == "extensions":
        return NOBODY
    return REGISTRY_TABLES.get(name, REGISTRY_TABLE)


def _differences(thing: str, granted: Grants, expected: Grants) -> list[str]:
    problems = []
    for role in sorted(granted.keys() | expected.keys()):
        has, must = granted.get(role, NONE), expected.get(role, NONE)
        if has - must:
            problems.append(f"{thing} lets {role} {', '.join(sorted(has - must))}")
        if must - has:
            problems.append(f"{thing} does not let {role} {', '.join(sorted(must - has))}")
    return problems
