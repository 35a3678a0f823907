-- What every database that holds tenants carries besides their tables: the homes and the gate to them.
-- Run as clinic_owner, again at every migration; each statement is idempotent. Locks: catalog rows of the functions
-- for an instant; no tenant table is touched.

CREATE SCHEMA IF NOT EXISTS tenancy;
CREATE SCHEMA IF NOT EXISTS extensions;
CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA extensions;

-- The homes are the truth about where a tenant lives; the registry is a hint.
CREATE TABLE IF NOT EXISTS tenancy.tenant_home (
  tenant_id   uuid        NOT NULL,
  schema_name text        NOT NULL,
  strategy    text        NOT NULL CHECK (strategy IN ('row', 'schema', 'database')),
  epoch       bigint      NOT NULL CHECK (epoch >= 1),
  state       text        NOT NULL CHECK (state IN ('active', 'ready', 'loading', 'moved', 'tombstone')),
  forward_to  jsonb,
  move_id     uuid,
  attempt     bigint      NOT NULL DEFAULT 0,
  changed_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, schema_name),
  CHECK ((state = 'moved') <= (forward_to IS NOT NULL))
);

-- How far a stream of changes has come at a home that is being loaded or kept up to date, and where the stream out of
-- it begins. Written with each batch, so apart from the row that every transaction reads.
CREATE TABLE IF NOT EXISTS tenancy.move_stream (
  tenant_id   uuid   NOT NULL,
  schema_name text   NOT NULL,
  move_id     uuid   NOT NULL,
  attempt     bigint NOT NULL,
  applied_lsn pg_lsn,
  reverse_lsn pg_lsn,
  PRIMARY KEY (tenant_id, schema_name)
);

GRANT USAGE ON SCHEMA tenancy TO clinic_app, clinic_migrator, clinic_mover;
GRANT USAGE ON SCHEMA extensions TO clinic_migrator, clinic_mover;
GRANT SELECT ON tenancy.tenant_home TO clinic_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON tenancy.tenant_home, tenancy.move_stream TO clinic_migrator, clinic_mover;

-- The fence of one tenant. 7301 is the class of this lock; a collision of the hash only costs a wait.
CREATE OR REPLACE FUNCTION tenancy.fence_key(p_tenant uuid) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT pg_catalog.uuid_hash(p_tenant) $$;

-- Says where the tenant went, or that it is not here. Never returns.
CREATE OR REPLACE FUNCTION tenancy.refuse(p_tenant uuid) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  h tenancy.tenant_home;
BEGIN
  SELECT * INTO h FROM tenancy.tenant_home t
   WHERE t.tenant_id = p_tenant AND (t.state IN ('moved', 'active') OR (t.state = 'loading' AND t.forward_to IS NOT NULL))
   ORDER BY t.epoch DESC, (t.state = 'active') DESC LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'tenant lives elsewhere or has another epoch' USING ERRCODE = 'TNMOV',
      DETAIL = pg_catalog.jsonb_build_object(
        'home', CASE WHEN h.state <> 'active' THEN h.forward_to END,
        'schema', h.schema_name, 'strategy', COALESCE(h.forward_to->>'strategy', h.strategy), 'epoch', h.epoch)::text;
  END IF;
  PERFORM 1 FROM tenancy.tenant_home t WHERE t.tenant_id = p_tenant AND t.state IN ('loading', 'ready');
  IF FOUND THEN
    RAISE EXCEPTION 'tenant is being moved' USING ERRCODE = 'TNRET';
  END IF;
  RAISE EXCEPTION 'tenant has no home here' USING ERRCODE = 'TN404';
END
$$;

-- A snapshot that is older than the grant of the fence shows a home as it was before the decision. Only a transaction
-- that takes a snapshot for each statement may therefore write; never returns for any other one.
CREATE OR REPLACE FUNCTION tenancy.refuse_old_snapshot() RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RAISE EXCEPTION 'writes need isolation level READ COMMITTED' USING ERRCODE = 'TNRET';
END
$$;

-- The gate: every transaction of a clinic begins with it, on the same round trip as BEGIN. VOLATILE and in steps, so
-- that the home is read after the lock was granted, in a snapshot of its own; a lock that is not free is not waited
-- for here (the caller waits without a connection).
CREATE OR REPLACE FUNCTION tenancy.enter(
  p_tenant uuid, p_epoch bigint, p_mode text, p_session uuid, p_access_version bigint
) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER AS $$
DECLARE
  home_schema text;
  alive boolean;
BEGIN
  IF p_mode = 'ro' THEN
    -- Never waited for: it lets who removes a home that was left see that somebody still reads there. The key is a hash: a
    -- reader of another clinic that shares it is told to ask again until that home is gone.
    IF NOT pg_catalog.pg_try_advisory_xact_lock_shared(7307, pg_catalog.uuid_hash(p_tenant) # p_epoch::integer) THEN
      PERFORM tenancy.refuse(p_tenant);
    END IF;
  ELSE
    IF pg_catalog.current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
      PERFORM tenancy.refuse_old_snapshot();
    END IF;
    IF NOT pg_catalog.pg_try_advisory_xact_lock_shared(7301, pg_catalog.uuid_hash(p_tenant)) THEN
      RAISE EXCEPTION 'tenant is fenced' USING ERRCODE = 'TNRET';
    END IF;
  END IF;
  SELECT t.schema_name INTO home_schema FROM tenancy.tenant_home t
   WHERE t.tenant_id = p_tenant AND t.epoch = p_epoch AND t.state IN ('active', 'ready');
  IF home_schema IS NULL THEN
    PERFORM tenancy.refuse(p_tenant);
  END IF;
  PERFORM pg_catalog.set_config('app.tenant_id', p_tenant::text, true),
          pg_catalog.set_config('app.epoch', p_epoch::text, true),
          pg_catalog.set_config('search_path', pg_catalog.quote_ident(home_schema), true);
  IF p_mode = 'audit' THEN
    PERFORM pg_catalog.set_config('synchronous_commit', 'off', true);
  END IF;
  IF p_session IS NOT NULL THEN
    EXECUTE pg_catalog.format('SELECT %I.login_is_alive($1, $2, $3)', home_schema)
      INTO alive USING p_tenant, p_session, p_access_version;
    IF alive IS NOT TRUE THEN
      RAISE EXCEPTION 'login session has ended' USING ERRCODE = 'TNAUT';
    END IF;
  END IF;
END
$$;

-- The same check once more on every write, for code that never came through the gate: an old worker, a psql session.
CREATE OR REPLACE FUNCTION tenancy.guard() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER AS $$
DECLARE
  tenant uuid := nullif(pg_catalog.current_setting('app.tenant_id', true), '')::uuid;
  seen bigint := nullif(pg_catalog.current_setting('app.epoch', true), '')::bigint;
BEGIN
  IF current_user IN ('clinic_migrator', 'clinic_mover') THEN
    RETURN NULL;
  END IF;
  IF tenant IS NULL OR seen IS NULL THEN
    RAISE EXCEPTION 'no tenant was entered' USING ERRCODE = 'TNRET';
  END IF;
  IF pg_catalog.current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
    PERFORM tenancy.refuse_old_snapshot();
  END IF;
  PERFORM pg_catalog.pg_advisory_xact_lock_shared(7301, pg_catalog.uuid_hash(tenant));
  PERFORM 1 FROM tenancy.tenant_home t
    WHERE t.tenant_id = tenant AND t.schema_name = TG_TABLE_SCHEMA AND t.epoch = seen AND t.state IN ('active', 'ready');
  IF NOT FOUND THEN
    RAISE EXCEPTION 'this is not the home of the tenant in this epoch' USING ERRCODE = 'TNRET';
  END IF;
  RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION tenancy.refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'table % only grows', TG_TABLE_NAME USING ERRCODE = 'TNAPP';
END
$$;

-- Puts a tenant table behind the tenant's wall: forced row-level security, the guard, the grants.
CREATE OR REPLACE FUNCTION tenancy.protect(p_table regclass, p_append_only boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', p_table);
  EXECUTE pg_catalog.format('CREATE POLICY own_tenant ON %s AS PERMISSIVE FOR ALL TO clinic_app'
    ' USING (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)'
    ' WITH CHECK (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)', p_table);
  EXECUTE pg_catalog.format('CREATE POLICY every_tenant ON %s AS PERMISSIVE FOR ALL'
    ' TO clinic_migrator, clinic_mover USING (true) WITH CHECK (true)', p_table);
  EXECUTE pg_catalog.format('CREATE TRIGGER a_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s'
    ' FOR EACH STATEMENT EXECUTE FUNCTION tenancy.guard()', p_table);
  EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM PUBLIC', p_table);
  EXECUTE pg_catalog.format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO clinic_app, clinic_migrator, clinic_mover', p_table);
  IF p_append_only THEN
    EXECUTE pg_catalog.format('REVOKE UPDATE, DELETE ON %s FROM clinic_app', p_table);
    EXECUTE pg_catalog.format('CREATE TRIGGER b_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %s'
      ' FOR EACH STATEMENT EXECUTE FUNCTION tenancy.refuse_change()', p_table);
  END IF;
END
$$;

-- Functions are for everybody who may use the schema; nobody else gets in.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA tenancy FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA tenancy TO clinic_app, clinic_migrator, clinic_mover;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
