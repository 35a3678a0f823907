-- The journal of moves: what is under way, who works on it, what became of it. A hint like all of the registry: where
-- a clinic is, its homes alone decide. It outlives the clinic: no foreign key.

CREATE TABLE registry.move (
  id uuid NOT NULL,
  tenant_id uuid NOT NULL,
  source_server text NOT NULL,
  source_database text NOT NULL,
  source_schema text NOT NULL,
  source_strategy text NOT NULL,
  source_epoch bigint NOT NULL,
  target_server text NOT NULL,
  target_database text NOT NULL,
  target_schema text NOT NULL,
  target_strategy text NOT NULL,
  is_offline boolean NOT NULL DEFAULT false,
  grace_s integer NOT NULL,
  status text NOT NULL DEFAULT 'running',
  phase text NOT NULL DEFAULT 'planned',
  wanted text,
  attempt bigint NOT NULL DEFAULT 0,
  worker text,
  heartbeat_at timestamptz,
  progress jsonb NOT NULL DEFAULT '{}',
  report jsonb NOT NULL DEFAULT '{}',
  waited_requests integer NOT NULL DEFAULT 0,
  longest_wait_ms double precision NOT NULL DEFAULT 0,
  error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  decided_at timestamptz,
  grace_until timestamptz,
  ended_at timestamptz,
  CONSTRAINT pk_move PRIMARY KEY (id),
  CONSTRAINT ck_move_status CHECK (status IN (
    'running', 'grace', 'rolling_back', 'finishing', 'aborting', 'finished', 'rolled_back', 'aborted')),
  CONSTRAINT ck_move_wanted CHECK (wanted IN ('abort', 'rollback', 'finish')),
  CONSTRAINT ck_move_grace CHECK (grace_s >= 0),
  CONSTRAINT ck_move_ended CHECK ((ended_at IS NOT NULL) = (status IN ('finished', 'rolled_back', 'aborted')))
);
-- One move of a clinic at a time.
CREATE UNIQUE INDEX uq_move_open ON registry.move (tenant_id) WHERE ended_at IS NULL;
CREATE INDEX ix_move_tenant_id ON registry.move (tenant_id, id);

GRANT SELECT, INSERT, UPDATE, DELETE ON registry.move TO clinic_registry;

-- The registry follows the homes: where a clinic has moved to is written down even if that server has become full.
-- Room is looked for before a move starts. A new placement still takes its place under the server's row lock.
CREATE OR REPLACE FUNCTION registry.check_capacity() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  target registry.database_server;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    RETURN NEW;
  END IF;
  SELECT * INTO target FROM registry.database_server s WHERE s.id = NEW.server_id FOR NO KEY UPDATE;
  IF target.status <> 'open'
     OR (SELECT count(*) FROM registry.placement p WHERE p.server_id = NEW.server_id) >= target.capacity THEN
    RAISE EXCEPTION 'server takes no further tenant' USING ERRCODE = 'RGFUL', CONSTRAINT = 'server_capacity';
  END IF;
  RETURN NEW;
END
$$;
