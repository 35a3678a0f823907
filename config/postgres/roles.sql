-- Roles of one PostgreSQL server. Run once by an administrator (a superuser, or a role with CREATEROLE and CREATEDB
-- that may grant what is granted here); safe to run again. `clinic` runs it by itself where its URL's user may.
-- Passwords are not set here: `clinic` derives them from CLINIC_ROLE_SECRET and sets them when it may, and
-- `clinic servers roles-sql` prints this script with the statements that set them.

DO $roles$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'clinic_owner') THEN
    CREATE ROLE clinic_owner NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'clinic_migrator') THEN
    CREATE ROLE clinic_migrator LOGIN CREATEDB NOBYPASSRLS;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'clinic_app') THEN
    CREATE ROLE clinic_app LOGIN NOINHERIT NOBYPASSRLS;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'clinic_registry') THEN
    CREATE ROLE clinic_registry LOGIN NOINHERIT NOBYPASSRLS;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'clinic_mover') THEN
    CREATE ROLE clinic_mover LOGIN NOINHERIT;
  END IF;
END
$roles$;

-- The migrator acts for the owner: whatever it makes is made under SET ROLE clinic_owner.
GRANT clinic_owner TO clinic_migrator;

-- Time-outs belong to the role, so that they also hold behind PgBouncer.
ALTER ROLE clinic_app SET statement_timeout = '30s';
-- A row or slot that somebody else holds is waited for briefly: a waiter keeps a connection from other clinics.
ALTER ROLE clinic_app SET lock_timeout = '3s';
ALTER ROLE clinic_app SET idle_in_transaction_session_timeout = '30s';
ALTER ROLE clinic_registry SET statement_timeout = '30s';
ALTER ROLE clinic_registry SET idle_in_transaction_session_timeout = '60s';

-- What only some administrators may grant. Without the first a clinic moves offline only; without the second or the
-- third it cannot move, nor be purged from the shared rows; without the fourth a database in use cannot be dropped.
DO $attributes$
BEGIN
  BEGIN
    ALTER ROLE clinic_mover REPLICATION;
  EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'clinic_mover has no REPLICATION: grant it as an administrator';
  END;
  BEGIN
    ALTER ROLE clinic_mover BYPASSRLS;
  EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'clinic_mover has no BYPASSRLS: grant it as an administrator';
  END;
  BEGIN
    GRANT SET ON PARAMETER session_replication_role TO clinic_mover;
  EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'clinic_mover may not set session_replication_role: grant it as an administrator';
  END;
  BEGIN
    GRANT pg_signal_backend TO clinic_owner;
  EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'clinic_owner may not end connections: a database in use cannot be dropped';
  END;
END
$attributes$;
