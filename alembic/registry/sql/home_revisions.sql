-- The ledger of migrations: at which revision each home was left, and why if not at the newest. A hint that spares
-- visits: each home's own version table is what counts, and a home that is not in here is looked at. No foreign keys:
-- a home is written down from outside, when its clinic may be elsewhere already.

CREATE TABLE registry.home_revision (
  server_name text NOT NULL,
  database_name text NOT NULL,
  schema_name text NOT NULL,
  revision text,
  gate text,
  error text,
  tries integer NOT NULL DEFAULT 1,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT pk_home_revision PRIMARY KEY (server_name, database_name, schema_name)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON registry.home_revision TO clinic_registry;
