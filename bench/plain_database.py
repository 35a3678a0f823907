"""The reference's database: the same tables for one clinic, without what tenancy put there.

Row-level security and the guard are taken away, `tenant_id` is a constant nobody asks for, and each index loses it as
its first column, so that the reference finds its rows as fast as an application that never heard of tenants. The
clinic's own rules (exclusion constraints, booking locks, append-only tables) stay.
"""

from uuid import UUID

import asyncpg

from bench.ground import Ground
from tenancy.runtime import Tenancy
from tenancy.tenant import Home

PLAIN_DATABASE = "bench_plain"
PLAIN_SCHEMA = "clinic"
ONLY_CLINIC = UUID("00000000-0000-7000-8000-000000000001")

UNLOCK_TABLES = f"""
DO $$
DECLARE
  t record;
BEGIN
  FOR t IN SELECT c.oid::regclass AS name FROM pg_class c
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
           WHERE c.relnamespace = '{PLAIN_SCHEMA}'::regnamespace AND c.relkind = 'r'
  LOOP
    EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY', t.name);
    EXECUTE format('DROP TRIGGER IF EXISTS a_guard ON %s', t.name);
    EXECUTE format('ALTER TABLE %s ALTER COLUMN tenant_id SET DEFAULT %L', t.name, '{ONLY_CLINIC}');
  END LOOP;
END $$
"""

KEYS = f"""
SELECT conrelid::regclass::text AS table_name, conname AS name, contype::text AS kind,
       pg_get_constraintdef(oid) AS definition
  FROM pg_constraint
 WHERE connamespace = '{PLAIN_SCHEMA}'::regnamespace AND contype IN ('p', 'f')
"""

INDEXES = f"""
SELECT i.indexrelid::regclass::text AS name, i.indrelid::regclass::text AS table_name,
       pg_get_indexdef(i.indexrelid) AS definition, c.conname AS constraint_name
  FROM pg_index i
  JOIN pg_class t ON t.oid = i.indrelid AND t.relnamespace = '{PLAIN_SCHEMA}'::regnamespace
  LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('u', 'x')
 WHERE NOT i.indisprimary AND NOT i.indisexclusion AND pg_get_indexdef(i.indexrelid) LIKE '%(tenant_id, %'
"""


async def make_plain_database(ground: Ground, tenancy: Tenancy) -> None:
    """Create the reference's database, empty; nothing happens if it exists."""
    connection = await ground.administrator()
    exists = await connection.fetchval(
        "SELECT true FROM pg_database WHERE datname = $1", PLAIN_DATABASE
    )
    await connection.close()
    if exists:
        return
    await tenancy.installer.create_database("main", PLAIN_DATABASE)
    await tenancy.installer.equip_database("main", PLAIN_DATABASE)
    await tenancy.installer.install_schema(Home("main", PLAIN_DATABASE, PLAIN_SCHEMA))
    connection = await ground.administrator(PLAIN_DATABASE)
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL search_path = {PLAIN_SCHEMA}, extensions")
            await connection.execute(UNLOCK_TABLES)
            await _turn_keys_round(connection)
            await _shorten_indexes(connection)
        await connection.execute(
            f"ALTER DATABASE {PLAIN_DATABASE} SET search_path = {PLAIN_SCHEMA}"
        )
    finally:
        await connection.close()


async def _turn_keys_round(connection: asyncpg.Connection) -> None:
    """Make primary keys begin with `id`; foreign keys to them stay as they are."""
    keys = await connection.fetch(KEYS)
    ours = [key for key in keys if "tenant_id" in key["definition"]]
    for key in sorted(ours, key=lambda key: key["kind"]):  # foreign keys first
        await connection.execute(f'ALTER TABLE {key["table_name"]} DROP CONSTRAINT "{key["name"]}"')
    for key in sorted(ours, key=lambda key: key["kind"], reverse=True):
        definition = key["definition"].replace(
            "PRIMARY KEY (tenant_id, id)", "PRIMARY KEY (id, tenant_id)"
        )
        await connection.execute(
            f'ALTER TABLE {key["table_name"]} ADD CONSTRAINT "{key["name"]}" {definition}'
        )


async def _shorten_indexes(connection: asyncpg.Connection) -> None:
    """Take `tenant_id` out of indexes; what was unique within a clinic no longer is, for here many clinics are one."""
    for index in await connection.fetch(INDEXES):
        if index["constraint_name"]:
            await connection.execute(
                f'ALTER TABLE {index["table_name"]} DROP CONSTRAINT "{index["constraint_name"]}"'
            )
        else:
            await connection.execute(f"DROP INDEX {index['name']}")
        definition = index["definition"].replace("(tenant_id, ", "(", 1)
        if index["table_name"].split(".")[-1] not in SINGLE_CLINIC_TABLES:
            definition = definition.replace("CREATE UNIQUE INDEX", "CREATE INDEX")
            definition = definition.replace(" NULLS NOT DISTINCT", "")
        await connection.execute(definition)


SINGLE_CLINIC_TABLES = frozenset({"document_counter", "tenant_setting", "idempotency_record"})
"""Written with ON CONFLICT, so they keep their unique keys; the reference has one clinic's rows of them."""
