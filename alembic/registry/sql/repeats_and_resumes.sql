-- What a suspended clinic returns to, and the answers that POSTs under an Idempotency-Key got from the platform itself.

-- ACCESS EXCLUSIVE for a moment: a column without a default rewrites nothing. A clinic that an older release
-- suspended has no status to return to and becomes active, as it would there.
ALTER TABLE registry.tenant ADD COLUMN status_before_suspension text
  CONSTRAINT ck_tenant_status_before_suspension CHECK (status_before_suspension IN ('trial', 'active', 'past_due'));

-- Clinics are made in several transactions, so a key is held by its row and not by a lock: `attempt` is who holds it,
-- until `held_until` at the latest. Whoever was killed holds it no longer than that.
CREATE TABLE registry.idempotency_record (
  caller_id uuid NOT NULL,
  key text NOT NULL,
  method text NOT NULL,
  path text NOT NULL,
  fingerprint bytea NOT NULL,
  attempt uuid NOT NULL,
  held_until timestamptz NOT NULL,
  status_code integer,
  response_headers jsonb,
  response_body bytea,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  CONSTRAINT pk_idempotency_record PRIMARY KEY (caller_id, key),
  CONSTRAINT ck_idempotency_record_fingerprint CHECK (octet_length(fingerprint) = 32)
);
CREATE INDEX ix_idempotency_record_expires_at ON registry.idempotency_record (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON registry.idempotency_record TO clinic_registry;
