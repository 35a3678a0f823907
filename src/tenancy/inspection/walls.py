"""The wall round every table of a home: row-level security, its two policies, the guard, the append-only trigger."""

from typing import Any

from tenancy.credentials import DatabaseRole
from tenancy.inspection.roles import OWNER
from tenancy.migrations import TENANT_TREE

WALL = "(tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)"

# tgtype: 2 before (the statement), 4 insert, 8 delete, 16 update, 32 truncate.
WALLS_QUERY = """
SELECT n.nspname, c.relname, c.relrowsecurity, c.relforcerowsecurity,
  pg_catalog.pg_get_userbyid(c.relowner)::text AS owner,
  (SELECT pg_catalog.pg_get_expr(p.polqual, p.polrelid) FROM pg_catalog.pg_policy p
    WHERE p.polrelid = c.oid AND p.polname = 'own_tenant') AS reads,
  (SELECT pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) FROM pg_catalog.pg_policy p
    WHERE p.polrelid = c.oid AND p.polname = 'own_tenant') AS writes,
  (SELECT count(*) FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid) AS policies,
  (SELECT pg_catalog.array_agg(r.rolname::text ORDER BY r.rolname) FROM pg_catalog.pg_policy p
     JOIN pg_catalog.pg_roles r ON r.oid = ANY (p.polroles)
    WHERE p.polrelid = c.oid AND p.polname = 'every_tenant') AS sees_all,
  EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'a_guard'
    AND t.tgenabled = 'O' AND t.tgtype = 62 AND t.tgqual IS NULL AND t.tgattr::text = ''
    AND t.tgfoid = pg_catalog.to_regproc('tenancy.guard')) AS guarded,
  EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'b_append_only'
    AND t.tgenabled = 'O' AND t.tgtype = 58 AND t.tgqual IS NULL AND t.tgattr::text = ''
    AND t.tgfoid = pg_catalog.to_regproc('tenancy.refuse_change')) AS only_grows,
  EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND t.tgisinternal
    AND t.tgenabled <> 'O') AS references_unchecked
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p') AND c.relname <> $2
ORDER BY n.nspname, c.relname
"""


async def wall_problems(
    connection: Any, schemas: list[str], append_only: frozenset[str]
) -> list[str]:
    """Return what is wrong with the walls of every table in these homes."""
    problems = []
    for row in await connection.fetch(WALLS_QUERY, schemas, TENANT_TREE.version_table):
        checks = {
            "has no forced row-level security": row["relrowsecurity"]
            and row["relforcerowsecurity"],
            "has another policy than it must": row["reads"] == WALL and row["writes"] == WALL,
            "has more or fewer than two policies": row["policies"] == 2,  # noqa: PLR2004  # own_tenant, every_tenant
            "lets others than migrator and mover see everything": row["sees_all"]
            == [DatabaseRole.MIGRATOR.value, DatabaseRole.MOVER.value],
            "has no guard trigger": row["guarded"],
            "has no append-only trigger": row["only_grows"] or row["relname"] not in append_only,
            "has disabled reference checks": not row["references_unchecked"],
            f"is not owned by {OWNER}": row["owner"] == OWNER,
        }
        name = f"table {row['nspname']}.{row['relname']}"
        problems += [f"{name} {problem}" for problem, holds in checks.items() if not holds]
    return problems
