-- The control plane: who the tenants are and where they live. No clinical data, no clinic user.
-- Every name is written with its schema; the migration runs as clinic_owner.

CREATE TABLE registry.plan (
  id uuid NOT NULL,
  code text NOT NULL,
  name text NOT NULL,
  kind text NOT NULL,
  price_minor bigint NOT NULL,
  currency text NOT NULL,
  duration_days integer NOT NULL,
  max_users integer NOT NULL DEFAULT 10,
  max_patients integer NOT NULL DEFAULT 500,
  max_branches integer NOT NULL DEFAULT 3,
  max_documents integer NOT NULL DEFAULT 1000,
  max_storage_mb integer NOT NULL DEFAULT 1000,
  max_agents integer NOT NULL DEFAULT 10,
  allowed_strategies text[] NOT NULL,
  is_active boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  version integer NOT NULL DEFAULT 1,
  CONSTRAINT pk_plan PRIMARY KEY (id),
  CONSTRAINT uq_plan_code UNIQUE (code),
  CONSTRAINT ck_plan_kind CHECK (kind IN ('trial', 'monthly', 'annual', 'custom')),
  CONSTRAINT ck_plan_price CHECK (price_minor >= 0),
  CONSTRAINT ck_plan_currency CHECK (currency ~ '^[A-Z]{3}$'),
  CONSTRAINT ck_plan_duration CHECK (duration_days >= 1),
  CONSTRAINT ck_plan_quotas CHECK (max_users >= 1 AND max_patients >= 1 AND max_branches >= 1),
  CONSTRAINT ck_plan_platform_caps CHECK (
    max_documents BETWEEN 0 AND 10000 AND max_storage_mb BETWEEN 0 AND 10000 AND max_agents BETWEEN 0 AND 50),
  CONSTRAINT ck_plan_allowed_strategies CHECK (
    cardinality(allowed_strategies) >= 1 AND allowed_strategies <@ ARRAY['row', 'schema', 'database'])
);

CREATE TABLE registry.reserved_slug (
  slug text NOT NULL,
  why text NOT NULL,
  CONSTRAINT pk_reserved_slug PRIMARY KEY (slug)
);

CREATE TABLE registry.tenant (
  id uuid NOT NULL,
  slug text NOT NULL,
  name text NOT NULL,
  description text,
  vertical text NOT NULL,
  country text NOT NULL,
  timezone text NOT NULL,
  currency text NOT NULL,
  language text NOT NULL,
  admin_email text NOT NULL,
  phone text,
  plan_id uuid NOT NULL,
  status text NOT NULL,
  status_changed_at timestamptz NOT NULL DEFAULT now(),
  backup_schedule text,
  listed_in_suggestions boolean NOT NULL DEFAULT true,
  legacy_id text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  version integer NOT NULL DEFAULT 1,
  CONSTRAINT pk_tenant PRIMARY KEY (id),
  CONSTRAINT uq_tenant_slug UNIQUE (slug),
  CONSTRAINT uq_tenant_legacy_id UNIQUE (legacy_id),
  CONSTRAINT fk_tenant_plan_id FOREIGN KEY (plan_id) REFERENCES registry.plan (id),
  -- Two hyphens in third and fourth place are kept for encoded international names (RFC 5891, 4.2.3.1).
  CONSTRAINT ck_tenant_slug CHECK (slug ~ '^[a-z][a-z0-9-]{1,38}[a-z0-9]$' AND slug !~ '^..--'),
  CONSTRAINT ck_tenant_name CHECK (length(name) BETWEEN 1 AND 200),
  CONSTRAINT ck_tenant_vertical CHECK (vertical IN ('dental', 'occupational', 'mixed')),
  CONSTRAINT ck_tenant_country CHECK (country ~ '^[A-Z]{2}$'),
  CONSTRAINT ck_tenant_currency CHECK (currency ~ '^[A-Z]{3}$'),
  CONSTRAINT ck_tenant_status CHECK (status IN (
    'provisioning', 'trial', 'active', 'past_due', 'suspended', 'cancelled', 'archived'))
);
CREATE UNIQUE INDEX uq_tenant_name ON registry.tenant (lower(name));
CREATE INDEX ix_tenant_provisioning ON registry.tenant (id) WHERE status = 'provisioning';
CREATE INDEX ix_tenant_plan_id ON registry.tenant (plan_id);
-- Nearest names first, straight from the index: suggestions stay fast with thousands of tenants.
CREATE INDEX ix_tenant_slug_trigram ON registry.tenant USING gist (slug extensions.gist_trgm_ops);

CREATE TABLE registry.tenant_domain (
  id uuid NOT NULL,
  tenant_id uuid NOT NULL,
  hostname text NOT NULL,
  kind text NOT NULL,
  is_primary boolean NOT NULL DEFAULT false,
  verified_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT pk_tenant_domain PRIMARY KEY (id),
  CONSTRAINT uq_tenant_domain_hostname UNIQUE (hostname),
  CONSTRAINT fk_tenant_domain_tenant_id FOREIGN KEY (tenant_id) REFERENCES registry.tenant (id) ON DELETE CASCADE,
  CONSTRAINT ck_tenant_domain_kind CHECK (kind IN ('subdomain', 'custom')),
  CONSTRAINT ck_tenant_domain_hostname CHECK (
    hostname = lower(hostname) AND length(hostname) <= 253 AND hostname !~ '[:/[:space:]]' AND hostname !~ '\.$')
);
CREATE INDEX ix_tenant_domain_tenant_id ON registry.tenant_domain (tenant_id);
CREATE UNIQUE INDEX uq_tenant_domain_primary ON registry.tenant_domain (tenant_id) WHERE is_primary;

CREATE TABLE registry.database_server (
  id uuid NOT NULL,
  name text NOT NULL,
  host text NOT NULL,
  port integer NOT NULL,
  tls boolean NOT NULL DEFAULT false,
  dsn_secret_ref text,
  tier text NOT NULL DEFAULT 'shared',
  capacity integer NOT NULL DEFAULT 1000,
  status text NOT NULL DEFAULT 'open',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  version integer NOT NULL DEFAULT 1,
  CONSTRAINT pk_database_server PRIMARY KEY (id),
  CONSTRAINT uq_database_server_name UNIQUE (name),
  CONSTRAINT ck_database_server_name CHECK (name ~ '^[a-z][a-z0-9-]{0,38}[a-z0-9]$'),
  CONSTRAINT ck_database_server_port CHECK (port BETWEEN 1 AND 65535),
  CONSTRAINT ck_database_server_tier CHECK (tier IN ('shared', 'dedicated')),
  CONSTRAINT ck_database_server_capacity CHECK (capacity >= 1),
  CONSTRAINT ck_database_server_status CHECK (status IN ('open', 'full', 'draining', 'offline'))
);

CREATE TABLE registry.placement (
  tenant_id uuid NOT NULL,
  server_id uuid NOT NULL,
  database_name text NOT NULL,
  strategy text NOT NULL,
  schema_name text NOT NULL,
  epoch bigint NOT NULL,
  since timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT pk_placement PRIMARY KEY (tenant_id),
  CONSTRAINT fk_placement_tenant_id FOREIGN KEY (tenant_id) REFERENCES registry.tenant (id) ON DELETE CASCADE,
  CONSTRAINT fk_placement_server_id FOREIGN KEY (server_id) REFERENCES registry.database_server (id),
  CONSTRAINT ck_placement_strategy CHECK (strategy IN ('row', 'schema', 'database')),
  CONSTRAINT ck_placement_epoch CHECK (epoch >= 1)
);
CREATE INDEX ix_placement_server_id ON registry.placement (server_id);
CREATE UNIQUE INDEX uq_placement_home ON registry.placement (server_id, database_name, schema_name)
  WHERE strategy <> 'row';

-- The journal of set-ups outlives a tenant that was taken back: no foreign key.
CREATE TABLE registry.provisioning_step (
  tenant_id uuid NOT NULL,
  step text NOT NULL,
  state text NOT NULL,
  attempts integer NOT NULL DEFAULT 1,
  error text,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT pk_provisioning_step PRIMARY KEY (tenant_id, step),
  CONSTRAINT ck_provisioning_step_step CHECK (
    step IN ('reserve', 'prepare', 'install', 'open', 'seed', 'activate')),
  CONSTRAINT ck_provisioning_step_state CHECK (state IN ('started', 'done', 'failed', 'undone'))
);

CREATE TABLE registry.operator (
  id uuid NOT NULL,
  email text NOT NULL,
  password_hash text NOT NULL,
  role text NOT NULL,
  totp_secret_ref text,
  status text NOT NULL DEFAULT 'active',
  last_login_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  version integer NOT NULL DEFAULT 1,
  CONSTRAINT pk_operator PRIMARY KEY (id),
  CONSTRAINT uq_operator_email UNIQUE (email),
  CONSTRAINT ck_operator_email CHECK (email = lower(email) AND email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
  CONSTRAINT ck_operator_role CHECK (role IN ('superadmin', 'operator', 'support', 'auditor')),
  CONSTRAINT ck_operator_status CHECK (status IN ('active', 'blocked'))
);

CREATE TABLE registry.operator_session (
  id uuid NOT NULL,
  operator_id uuid NOT NULL,
  refresh_sha256 bytea NOT NULL,
  family_id uuid NOT NULL,
  parent_id uuid,
  issued_at timestamptz NOT NULL DEFAULT now(),
  first_used_at timestamptz,
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  revoke_reason text,
  user_agent text,
  ip text,
  CONSTRAINT pk_operator_session PRIMARY KEY (id),
  CONSTRAINT uq_operator_session_refresh_sha256 UNIQUE (refresh_sha256),
  CONSTRAINT fk_operator_session_operator_id FOREIGN KEY (operator_id)
    REFERENCES registry.operator (id) ON DELETE CASCADE,
  CONSTRAINT fk_operator_session_parent_id FOREIGN KEY (parent_id)
    REFERENCES registry.operator_session (id) ON DELETE SET NULL,
  CONSTRAINT ck_operator_session_refresh_sha256 CHECK (octet_length(refresh_sha256) = 32)
);
CREATE INDEX ix_operator_session_operator_id ON registry.operator_session (operator_id);
CREATE INDEX ix_operator_session_family_id ON registry.operator_session (family_id);
CREATE INDEX ix_operator_session_parent_id ON registry.operator_session (parent_id);

CREATE TABLE registry.platform_audit_event (
  id uuid NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor_id uuid,
  actor_kind text NOT NULL,
  action text NOT NULL,
  entity_type text NOT NULL,
  entity_id uuid,
  tenant_id uuid,
  request_id text,
  ip text,
  details jsonb NOT NULL DEFAULT '{}',
  CONSTRAINT pk_platform_audit_event PRIMARY KEY (id),
  CONSTRAINT ck_platform_audit_event_actor_kind CHECK (actor_kind IN ('operator', 'visitor', 'system'))
);
CREATE INDEX ix_platform_audit_event_tenant_id ON registry.platform_audit_event (tenant_id, id);

-- Counters that may be lost in a crash: not written to the log, so that a login costs no more for being counted.
CREATE UNLOGGED TABLE registry.rate_limit (
  bucket bytea NOT NULL,
  window_start timestamptz NOT NULL,
  count integer NOT NULL DEFAULT 0,
  CONSTRAINT pk_rate_limit PRIMARY KEY (bucket, window_start)
);
CREATE INDEX ix_rate_limit_window_start ON registry.rate_limit (window_start);
