"""The shape of a home: its tables, columns, constraints, indexes, triggers, functions and policies, without their schema's name.

A server's pool is held against the names in the revisions' SQL, every other home of the server against the pool.
"""

import re
from functools import cache
from typing import Any

from msgspec import Struct

from tenancy.migrations import Tree, render_upgrade

Shape = dict[tuple[str, str, str], str]
"""Definition by kind, table (empty for a table or function itself) and name."""

PROTECTION = frozenset({("trigger", "a_guard"), ("trigger", "b_append_only")})
"""Made by tenancy.protect and not by name in a revision; the walls are looked at table by table."""

_APPEND_ONLY = re.compile(r"^-- append-only: (.+)$", re.MULTILINE)
_NAMED = re.compile(
    r"\b(?:(?P<made>CREATE(?: OR REPLACE)?(?: UNLOGGED| UNIQUE| CONSTRAINT)?|DROP)"
    r" (?P<kind>TABLE|INDEX|TRIGGER|FUNCTION)|(?P<dropped>DROP )?CONSTRAINT)"
    r"(?: CONCURRENTLY)?(?: IF(?: NOT)? EXISTS)? (?:\w+\.)?(?P<name>\w+)"
    r"(?(kind)| *(?(dropped)|(?:PRIMARY|UNIQUE|CHECK|FOREIGN|EXCLUDE)))"
)

# Constraints of kind n (NOT NULL) are the columns' part, those of kind t are triggers; an index of a constraint is it.
THINGS = """
WITH relations AS MATERIALIZED (
  SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.relpersistence AS persistence
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
), found AS (
  SELECT r.schema, 'table' AS kind, '' AS "table", r.name::text, r.kind::text || r.persistence::text AS definition
  FROM relations r
  UNION ALL
  SELECT r.schema, 'column', r.name, a.attname, pg_catalog.concat_ws(' ',
    pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attcollation::pg_catalog.regcollation,
    a.attgenerated, a.attidentity, pg_catalog.pg_get_expr(d.adbin, d.adrelid))
  FROM relations r JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  UNION ALL
  SELECT r.schema, 'constraint', r.name, c.conname, pg_catalog.pg_get_constraintdef(c.oid)
  FROM relations r JOIN pg_catalog.pg_constraint c ON c.conrelid = r.oid AND c.contype NOT IN ('n', 't')
  UNION ALL
  SELECT r.schema, 'index', r.name, i.relname,
    CASE WHEN x.indisvalid THEN '' ELSE 'invalid ' END || pg_catalog.pg_get_indexdef(i.oid)
  FROM relations r JOIN pg_catalog.pg_index x ON x.indrelid = r.oid JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
  WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint c WHERE c.conindid = i.oid AND c.contype IN ('p', 'u', 'x'))
  UNION ALL
  SELECT r.schema, 'trigger', r.name, t.tgname, t.tgenabled::text || ' ' || pg_catalog.pg_get_triggerdef(t.oid)
  FROM relations r JOIN pg_catalog.pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
  UNION ALL
  SELECT r.schema, 'policy', r.name, p.polname, pg_catalog.concat_ws(' ', p.polcmd, p.polpermissive,
    p.polroles::pg_catalog.regrole[], pg_catalog.pg_get_expr(p.polqual, p.polrelid),
    pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
  FROM relations r JOIN pg_catalog.pg_policy p ON p.polrelid = r.oid
  UNION ALL
  SELECT n.nspname, 'function', '', p.proname, pg_catalog.pg_get_functiondef(p.oid)
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  WHERE n.nspname = ANY ($1::text[]) AND p.prokind IN ('f', 'p')
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.objid = p.oid AND e.deptype = 'e')
), things AS (
  SELECT f.schema, f.kind, f."table", f.name,
    pg_catalog.replace(f.definition, pg_catalog.quote_ident(f.schema) || '.', '') AS definition
  FROM found f
)
"""

SHAPE_QUERY = f'{THINGS} SELECT kind, "table", name, definition FROM things'  # noqa: S608  # constants

DIGESTS_QUERY = f"""{THINGS}
SELECT schema, pg_catalog.md5(pg_catalog.string_agg(line, E'\\n' ORDER BY line COLLATE "C")) AS digest
FROM (SELECT schema, pg_catalog.concat_ws(' ', kind, "table", name, definition) AS line FROM things) lines
GROUP BY schema
"""  # noqa: S608  # constants


class Reference(Struct, frozen=True):
    """The shape that the homes of a server must have."""

    digest: str
    shape: Shape


@cache
def append_only_tables(tree: Tree) -> frozenset[str]:
    """Return the tables that the tree's revisions say only grow."""
    lists = _APPEND_ONLY.findall(render_upgrade(tree, "base", "head"))
    return frozenset(name.strip() for names in lists for name in names.split(","))


@cache
def expected_names(tree: Tree) -> frozenset[tuple[str, str]]:
    """Return kind and name of all that the tree's revisions make and do not drop again."""
    names: set[tuple[str, str]] = set()
    for found in _NAMED.finditer(render_upgrade(tree, "base", "head")):
        thing = ((found["kind"] or "constraint").lower(), found["name"])
        if found["made"] == "DROP" or found["dropped"]:
            names.discard(thing)
        else:
            names.add(thing)
    return frozenset(names)


async def read_shape(connection: Any, schema: str) -> Shape:
    """Return the shape of one schema."""
    rows = await connection.fetch(SHAPE_QUERY, [schema])
    return {(row["kind"], row["table"], row["name"]): row["definition"] for row in rows}


async def read_digests(connection: Any, schemas: list[str]) -> dict[str, str]:
    """Return a digest of each schema's shape, equal for equal shapes."""
    return {row["schema"]: row["digest"] for row in await connection.fetch(DIGESTS_QUERY, schemas)}


def name_problems(schema: str, shape: Shape, tree: Tree) -> list[str]:
    """Return what is missing or extra in a schema, going by the names in its tree, and which triggers are off."""
    expected = expected_names(tree)
    kinds = {kind for kind, _ in expected}
    present = {(kind, name) for kind, _, name in shape if kind in kinds} - PROTECTION
    problems = [f"missing {kind} {schema}.{name}" for kind, name in sorted(expected - present)]
    problems += [f"extra {kind} {schema}.{name}" for kind, name in sorted(present - expected)]
    problems += [
        f"disabled trigger {name} on {schema}.{table}"
        for (kind, table, name), definition in sorted(shape.items())
        if kind == "trigger" and not definition.startswith("O ")
    ]
    problems += [
        f"invalid index {schema}.{name}"
        for (kind, _, name), definition in sorted(shape.items())
        if kind == "index" and definition.startswith("invalid ")
    ]
    return problems


def shape_problems(schema: str, shape: Shape, reference: Shape) -> list[str]:
    """Return how a schema's shape differs from the reference."""

    def described(thing: tuple[str, str, str]) -> str:
        kind, table, name = thing
        return f"{kind} {schema}.{table}.{name}" if table else f"{kind} {schema}.{name}"

    problems = [f"missing {described(t)}" for t in sorted(reference.keys() - shape.keys())]
    problems += [f"extra {described(t)}" for t in sorted(shape.keys() - reference.keys())]
    problems += [
        f"{described(t)} is not as in the server's pool"
        for t in sorted(shape.keys() & reference.keys())
        if shape[t] != reference[t]
    ]
    return problems
