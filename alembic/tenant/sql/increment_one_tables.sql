-- The 21 tables of increment one, their keys, constraints and indexes. Unqualified: the search path names the home.

CREATE TABLE audit_event (
  tenant_id UUID DEFAULT (nullif(current_setting('app.tenant_id', true), '')::uuid) NOT NULL,
  id UUID NOT NULL,
  at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  actor_id UUID,
  actor_kind TEXT NOT NULL,
  action TEXT NOT NULL,
  entity_type TEXT NOT NULL,
  entity_id UUID,
  branch_id UUID,
  request_id TEXT,
  ip TEXT,
  details JSONB DEFAULT '{}'::jsonb NOT NULL,
  CONSTRAINT pk_audit_event PRIMARY KEY (tenant_id, id),
  CONSTRAINT ck_audit_event_actor_kind CHECK (actor_kind IN ('user', 'system', 'anonymous', 'service', 'operator'))
);

CREATE INDEX ix_audit_event_tenant_id_actor_id_at ON audit_event (tenant_id, actor_id, at);

CREATE INDEX ix_audit_event_tenant_id_at_id ON audit_event (tenant_id, at, id);

CREATE INDEX ix_audit_event_tenant_id_entity_type_entity_id_at ON audit_event (tenant_id, entity_type, entity_id, at);

CREATE TABLE branch (
  tenant_id UUID DEFAULT (nullif(current_setting('app.tenant_id', true), '')::uuid) NOT NULL,
  id UUID NOT NULL,
  name TEXT NOT NULL,
  code TEXT NOT NULL,
  timezone TEXT NOT NULL,
  address JSONB,
  phone TEXT,
  is_active BOOLEAN DEFAULT true NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by UUID,
  updated_by UUID,
  version INTEGER NOT NULL,
  archived_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_branch PRIMARY KEY (tenant_id, id),
  CONSTRAINT uq_branch_tenant_id_code UNIQUE (tenant_id, code),
  CONSTRAINT ck_branch_named CHECK (name <> '' AND code <> ''),
  CONSTRAINT ck_branch_address CHECK (jsonb_typeof(address) = 'object'),
  CONSTRAINT ck_branch_archived CHECK (archived_at IS NULL OR NOT is_active)
);

CREATE TABLE idempotency_record (
  tenant_id UUID DEFAULT (nullif(current_setting('app.tenant_id', true), '')::uuid) NOT NULL,
  user_id UUID NOT NULL,
  key TEXT NOT NULL,
  method TEXT NOT NULL,
  path TEXT NOT NULL,
  body_sha256 BYTEA NOT NULL,
  status_code INTEGER,
  response_headers JSONB,
  response_body BYTEA,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_idempotency_record PRIMARY KEY (tenant_id, user_id, key)
);

CREATE TABLE person (
  tenant_id UUID DEFAULT (nullif(current_setting('app.tenant_id', true), '')::uuid) NOT NULL,
  id UUID NOT NULL,
  given_names TEXT NOT NULL,
  family_name TEXT NOT NULL,
  second_family_name TEXT,
  birth_date DATE,
  sex TEXT DEFAULT 'unknown' NOT NULL,
  phone TEXT,
  email TEXT,
  address JSONB,
  search_text TEXT COLLATE "C" GENERATED ALWAYS AS (translate(lower((' ' || given_names || ' ' || family_name || coalesce(' ' || second_family_name, '') || coalesce(' ' || phone, '')) COLLATE "C"), 'ÁÀÂÄÃÅáàâäãåÉÈÊËéèêëÍÌÎÏíìîïÓÒÔÖÕóòôöõÚÙÛÜúùûüÑñÇçÝý-''’.,·', 'aaaaaaaaaaaaeeeeeeeeiiiiiiiioooooooooouuuuuuuunnccyy      ')) STORED NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by UUID,
  updated_by UUID,
  version INTEGER NOT NULL,
  archived_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_person PRIMARY KEY (tenant_id, id),
  CONSTRAINT ck_person_named CHECK (given_names <> '' AND family_name <> ''),
  CONSTRAINT ck_person_sex CHECK (sex IN ('female', 'male', 'other', 'unknown')),
  CONSTRAINT ck_person_address CHECK (jsonb_typeof(address) = 'object'),
  CONSTRAINT ck_person_birth_date CHECK (birth_date <= (now() AT TIME ZONE 'Etc/GMT-14')::date)
);

CREATE INDEX ix_person_tenant_id_birth_date ON person (tenant_id, birth_date);

CREATE INDEX ix_person_tenant_id_search_text_id ON person (tenant_id, search_text, id);

CREATE TABLE service_category (
  tenant_id UUID DEFAULT (nullif(current_setting('app.tenant_id', true), '')::uuid) NOT NULL,
  id UUID NOT NULL,
  name TEXT NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by UUID,
  updated_by UUID,
  version INTEGER NOT NULL,
  archived_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_service_category PRIMARY KEY (tenant_id, id),
  CONSTRAINT ck_service_category_name CHECK (name <> '')
);

CREATE UNIQUE INDEX uq_service_category_name ON service_category (tenant_id, name) WHERE archived_at IS NULL;

CREATE TABLE specialty (
  tenant_id UUID DEFAULT (nullif(current_setting('app.tenant_id', true), '')::uuid) NOT NULL,
  id UUID NOT NULL,
  name TEXT NOT NULL,
  code TEXT NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by UUID,
  updated_by UUID,
  version INTEGER NOT NULL,
  archived_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_specialty PRIMARY KEY (tenant_id, id),
  CONSTRAINT ck_specialty_named CHECK (name <> '' AND code <> '')
);

CREATE UNIQUE INDEX uq_specialty_name ON specialty (tenant_id, name) WHERE archived_at IS NULL;

CREATE TABLE tenant_setting (
  tenant_id UUID DEFAULT (nullif(current_setting('app.tenant_id', true), '')::uuid) NOT NULL,
  namespace TEXT NOT NULL,
  data JSONB NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_by UUID,
  version INTEGER NOT NULL,
  CONSTRAINT pk_tenant_setting PRIMARY KEY (tenant_id, namespace)
);

CREATE TABLE document_counter (
  tenant_id UUID DEFAULT (nullif(current_setting('app.tenant_id', true), '')::uuid) NOT NULL,
  id UUID NOT NULL,
  kind TEXT NOT NULL,
  branch_id UUID,
  prefix TEXT DEFAULT '' NOT NULL,
  next_value INTEGER NOT NULL,
  CONSTRAINT pk_document_counter PRIMARY KEY (tenant_id, id),
  CONSTRAINT uq_document_counter_tenant_id_kind_branch_id UNIQUE NULLS NOT DISTINCT (tenant_id, kind, branch_id),
  CONSTRAINT fk_document_counter_tenant_id_branch_id FOREIGN KEY(tenant_id, branch_id) REFERENCES branch (tenant_id, id),
  CONSTRAINT ck_document_counter_next_value CHECK (next_value >= 1)
);

CREATE TABLE person_identifier (
  tenant_id UUID DEFAULT (nullif(current_setting('app.tenant_id', true), '')::uuid) NOT NULL,
  id UUID NOT NULL,
  person_id UUID NOT NULL,
  kind TEXT NOT NULL,
  country TEXT NOT NULL,
  value TEXT COLLATE "C" NOT NULL,
  is_primary BOOLEAN DEFAULT false NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by UUID,
  CONSTRAINT pk_person_identifier PRIMARY KEY (tenant_id, id),
  CONSTRAINT uq_person_identifier_tenant_id_kind_country_value UNIQUE (tenant_id, kind, country, value),
  CONSTRAINT fk_person_identifier_tenant_id_person_id FOREIGN KEY(tenant_id, person_id) REFERENCES person (tenant_id, id) ON DELETE CASCADE,
  CONSTRAINT ck_person_identifier_kind CHECK (kind IN ('dni', 'ce', 'ci', 'run', 'cc', 'ti', 'rc', 'nit', 'curp', 'rfc', 'passport', 'other')),
  CONSTRAINT ck_person_identifier_country CHECK (country ~ '^[A-Z]{2}$'),
  CONSTRAINT ck_person_identifier_value CHECK (value <> '')
);

CREATE INDEX ix_person_identifier_tenant_id_person_id ON person_identifier (tenant_id, person_id);

CREATE INDEX ix_person_identifier_tenant_id_value ON person_identifier (tenant_id, value);

CREATE UNIQUE INDEX uq_person_identifier_primary ON person_identifier (tenant_id, person_id) WHERE is_primary;

CREATE TABLE room (
  tenant_id UUID DEFAULT (nullif(current_setting('app.tenant_id', true), '')::uuid) NOT NULL,
  id UUID NOT NULL,
  branch_id UUID NOT NULL,
  name TEXT NOT NULL,
  kind TEXT DEFAULT 'room' NOT NULL,
  is_active BOOLEAN DEFAULT true NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by UUID,
  updated_by UUID,
  version INTEGER NOT NULL,
  archived_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_room PRIMARY KEY (tenant_id, id),
  CONSTRAINT fk_room_tenant_id_branch_id FOREIGN KEY(tenant_id, branch_id) REFERENCES branch (tenant_id, id),
  CONSTRAINT ck_room_kind CHECK (kind IN ('room', 'chair', 'device')),
  CONSTRAINT ck_room_named CHECK (name <> '')
);

CREATE UNIQUE INDEX uq_room_name ON room (tenant_id, branch_id, name) WHERE archived_at IS NULL;

CREATE TABLE service (
  tenant_id UUID DEFAULT (nullif(current_setting('app.tenant_id', true), '')::uuid) NOT NULL,
  id UUID NOT NULL,
  category_id UUID NOT NULL,
  code TEXT NOT NULL,
  name TEXT NOT NULL,
  base_price_minor BIGINT NOT NULL,
  currency TEXT NOT NULL,
  duration_min INTEGER NOT NULL,
  tooth_scope TEXT DEFAULT 'none' NOT NULL,
  kind TEXT NOT NULL,
  tax_rate NUMERIC(5, 4) DEFAULT 0 NOT NULL,
  is_active BOOLEAN DEFAULT true NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by UUID,
  updated_by UUID,
  version INTEGER NOT NULL,
  archived_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_service PRIMARY KEY (tenant_id, id),
  CONSTRAINT fk_service_tenant_id_category_id FOREIGN KEY(tenant_id, category_id) REFERENCES service_category (tenant_id, id),
  CONSTRAINT ck_service_names CHECK (code <> '' AND name <> ''),
  CONSTRAINT ck_service_duration_min CHECK (duration_min BETWEEN 5 AND 480),
  CONSTRAINT ck_service_base_price_minor CHECK (base_price_minor >= 0),
  CONSTRAINT ck_service_currency CHECK (currency ~ '^[A-Z]{3}$'),
  CONSTRAINT ck_service_tax_rate CHECK (tax_rate >= 0 AND tax_rate < 1),
  CONSTRAINT ck_service_tooth_scope CHECK (tooth_scope IN ('none', 'tooth', 'surface', 'span', 'mouth')),
  CONSTRAINT ck_service_kind CHECK (kind IN ('dental', 'medical', 'occupational')),
  CONSTRAINT ck_service_archived CHECK (archived_at IS NULL OR NOT is_active)
);

CREATE INDEX ix_service_tenant_id_category_id ON service (tenant_id, category_id);

CREATE INDEX ix_service_tenant_id_name_id ON service (tenant_id, name, id);

CREATE UNIQUE INDEX uq_service_code ON service (tenant_id, code) WHERE archived_at IS NULL;

CREATE TABLE user_account (
  tenant_id UUID DEFAULT (nullif(current_setting('app.tenant_id', true), '')::uuid) NOT NULL,
  id UUID NOT NULL,
  username TEXT NOT NULL,
  email TEXT,
  email_verified_at TIMESTAMP WITH TIME ZONE,
  password_hash TEXT,
  password_scheme TEXT,
  password_changed_at TIMESTAMP WITH TIME ZONE,
  must_change_password BOOLEAN DEFAULT false NOT NULL,
  status TEXT NOT NULL,
  access_version INTEGER DEFAULT 1 NOT NULL,
  first_name TEXT DEFAULT '' NOT NULL,
  last_name TEXT DEFAULT '' NOT NULL,
  phone TEXT,
  language TEXT DEFAULT 'es' NOT NULL,
  timezone TEXT,
  avatar_document_id UUID,
  bio TEXT,
  notifications_enabled BOOLEAN DEFAULT true NOT NULL,
  settings JSONB DEFAULT '{}'::jsonb NOT NULL,
  person_id UUID,
  legacy_id TEXT,
  last_login_at TIMESTAMP WITH TIME ZONE,
  failed_logins INTEGER DEFAULT 0 NOT NULL,
  locked_until TIMESTAMP WITH TIME ZONE,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by UUID,
  updated_by UUID,
  version INTEGER NOT NULL,
  archived_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_user_account PRIMARY KEY (tenant_id, id),
  CONSTRAINT uq_user_account_tenant_id_email UNIQUE (tenant_id, email),
  CONSTRAINT uq_user_account_tenant_id_username UNIQUE (tenant_id, username),
  CONSTRAINT uq_user_account_tenant_id_legacy_id UNIQUE (tenant_id, legacy_id),
  CONSTRAINT fk_user_account_tenant_id_person_id FOREIGN KEY(tenant_id, person_id) REFERENCES person (tenant_id, id) ON DELETE SET NULL (person_id),
  CONSTRAINT ck_user_account_status CHECK (status IN ('pending', 'active', 'blocked', 'disabled')),
  CONSTRAINT ck_user_account_password_scheme CHECK (password_scheme IN ('argon2id', 'aspnet_identity')),
  CONSTRAINT ck_user_account_password_complete CHECK ((password_hash IS NULL) = (password_scheme IS NULL)),
  CONSTRAINT ck_user_account_active_password CHECK (status <> 'active' OR password_hash IS NOT NULL),
  CONSTRAINT ck_user_account_email CHECK (email = lower(email) AND strpos(email, '@') > 1),
  CONSTRAINT ck_user_account_username CHECK (username <> '' AND username = lower(username) AND (strpos(username, '@') = 0 OR (email IS NOT NULL AND username = email))),
  CONSTRAINT ck_user_account_failed_logins CHECK (failed_logins >= 0),
  CONSTRAINT ck_user_account_access_version CHECK (access_version >= 1)
);

CREATE INDEX ix_user_account_tenant_id_person_id ON user_account (tenant_id, person_id);

CREATE INDEX ix_user_account_tenant_id_status ON user_account (tenant_id, status);

CREATE TABLE auth_session (
  tenant_id UUID DEFAULT (nullif(current_setting('app.tenant_id', true), '')::uuid) NOT NULL,
  id UUID NOT NULL,
  user_id UUID NOT NULL,
  refresh_sha256 BYTEA NOT NULL,
  family_id UUID NOT NULL,
  parent_id UUID,
  issued_at TIMESTAMP WITH TIME ZONE NOT NULL,
  first_used_at TIMESTAMP WITH TIME ZONE,
  expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
  revoked_at TIMESTAMP WITH TIME ZONE,
  revoke_reason TEXT,
  user_agent TEXT,
  ip TEXT,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by UUID,
  CONSTRAINT pk_auth_session PRIMARY KEY (tenant_id, id),
  CONSTRAINT uq_auth_session_tenant_id_refresh_sha256 UNIQUE (tenant_id, refresh_sha256),
  CONSTRAINT fk_auth_session_tenant_id_user_id FOREIGN KEY(tenant_id, user_id) REFERENCES user_account (tenant_id, id) ON DELETE CASCADE,
  CONSTRAINT fk_auth_session_tenant_id_parent_id FOREIGN KEY(tenant_id, parent_id) REFERENCES auth_session (tenant_id, id) ON DELETE SET NULL (parent_id),
  CONSTRAINT ck_auth_session_refresh_sha256 CHECK (octet_length(refresh_sha256) = 32),
  CONSTRAINT ck_auth_session_expires_at CHECK (expires_at > issued_at),
  CONSTRAINT ck_auth_session_revoke_reason CHECK ((revoked_at IS NULL) = (revoke_reason IS NULL))
);

CREATE INDEX ix_auth_session_tenant_id_family_id ON auth_session (tenant_id, family_id);

CREATE INDEX ix_auth_session_tenant_id_parent_id ON auth_session (tenant_id, parent_id);

CREATE INDEX ix_auth_session_tenant_id_user_id_expires_at ON auth_session (tenant_id, user_id, expires_at);

CREATE TABLE branch_member (
  tenant_id UUID DEFAULT (nullif(current_setting('app.tenant_id', true), '')::uuid) NOT NULL,
  id UUID NOT NULL,
  branch_id UUID NOT NULL,
  user_id UUID NOT NULL,
  is_default BOOLEAN DEFAULT false NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by UUID,
  CONSTRAINT pk_branch_member PRIMARY KEY (tenant_id, id),
  CONSTRAINT uq_branch_member_tenant_id_branch_id_user_id UNIQUE (tenant_id, branch_id, user_id),
  CONSTRAINT fk_branch_member_tenant_id_branch_id FOREIGN KEY(tenant_id, branch_id) REFERENCES branch (tenant_id, id),
  CONSTRAINT fk_branch_member_tenant_id_user_id FOREIGN KEY(tenant_id, user_id) REFERENCES user_account (tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX ix_branch_member_tenant_id_user_id_branch_id ON branch_member (tenant_id, user_id, branch_id);

CREATE UNIQUE INDEX uq_branch_member_default ON branch_member (tenant_id, user_id) WHERE is_default;

CREATE TABLE patient (
  tenant_id UUID DEFAULT (nullif(current_setting('app.tenant_id', true), '')::uuid) NOT NULL,
  id UUID NOT NULL,
  person_id UUID NOT NULL,
  user_id UUID,
  record_number TEXT NOT NULL,
  emergency_contact JSONB,
  guardian_person_id UUID,
  status TEXT DEFAULT 'active' NOT NULL,
  merged_into_id UUID,
  do_not_contact BOOLEAN DEFAULT false NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by UUID,
  updated_by UUID,
  version INTEGER NOT NULL,
  archived_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_patient PRIMARY KEY (tenant_id, id),
  CONSTRAINT uq_patient_tenant_id_person_id UNIQUE (tenant_id, person_id),
  CONSTRAINT uq_patient_tenant_id_user_id UNIQUE (tenant_id, user_id),
  CONSTRAINT uq_patient_tenant_id_record_number UNIQUE (tenant_id, record_number),
  CONSTRAINT fk_patient_tenant_id_person_id FOREIGN KEY(tenant_id, person_id) REFERENCES person (tenant_id, id),
  CONSTRAINT fk_patient_tenant_id_user_id FOREIGN KEY(tenant_id, user_id) REFERENCES user_account (tenant_id, id) ON DELETE SET NULL (user_id),
  CONSTRAINT fk_patient_tenant_id_guardian_person_id FOREIGN KEY(tenant_id, guardian_person_id) REFERENCES person (tenant_id, id) ON DELETE SET NULL (guardian_person_id),
  CONSTRAINT fk_patient_tenant_id_merged_into_id FOREIGN KEY(tenant_id, merged_into_id) REFERENCES patient (tenant_id, id),
  CONSTRAINT ck_patient_status CHECK (status IN ('active', 'archived', 'merged')),
  CONSTRAINT ck_patient_merged CHECK ((status = 'merged') = (merged_into_id IS NOT NULL)),
  CONSTRAINT ck_patient_merged_into_other CHECK (merged_into_id <> id),
  CONSTRAINT ck_patient_guardian_is_another CHECK (guardian_person_id <> person_id),
  CONSTRAINT ck_patient_archived CHECK ((status = 'active') = (archived_at IS NULL)),
  CONSTRAINT ck_patient_emergency_contact CHECK (jsonb_typeof(emergency_contact) = 'object')
);

CREATE INDEX ix_patient_tenant_id_guardian_person_id ON patient (tenant_id, guardian_person_id);

CREATE INDEX ix_patient_tenant_id_merged_into_id ON patient (tenant_id, merged_into_id);

CREATE TABLE practitioner (
  tenant_id UUID DEFAULT (nullif(current_setting('app.tenant_id', true), '')::uuid) NOT NULL,
  id UUID NOT NULL,
  person_id UUID NOT NULL,
  user_id UUID,
  license_number TEXT,
  specialty_id UUID,
  experience TEXT,
  is_active BOOLEAN DEFAULT true NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by UUID,
  updated_by UUID,
  version INTEGER NOT NULL,
  archived_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_practitioner PRIMARY KEY (tenant_id, id),
  CONSTRAINT fk_practitioner_tenant_id_person_id FOREIGN KEY(tenant_id, person_id) REFERENCES person (tenant_id, id),
  CONSTRAINT fk_practitioner_tenant_id_user_id FOREIGN KEY(tenant_id, user_id) REFERENCES user_account (tenant_id, id) ON DELETE SET NULL (user_id),
  CONSTRAINT fk_practitioner_tenant_id_specialty_id FOREIGN KEY(tenant_id, specialty_id) REFERENCES specialty (tenant_id, id),
  CONSTRAINT ck_practitioner_archived CHECK (archived_at IS NULL OR NOT is_active)
);

CREATE INDEX ix_practitioner_tenant_id_person_id ON practitioner (tenant_id, person_id);

CREATE INDEX ix_practitioner_tenant_id_specialty_id ON practitioner (tenant_id, specialty_id);

CREATE INDEX ix_practitioner_tenant_id_user_id ON practitioner (tenant_id, user_id);

CREATE UNIQUE INDEX uq_practitioner_license ON practitioner (tenant_id, license_number) WHERE archived_at IS NULL;

CREATE UNIQUE INDEX uq_practitioner_person ON practitioner (tenant_id, person_id) WHERE archived_at IS NULL;

CREATE UNIQUE INDEX uq_practitioner_user ON practitioner (tenant_id, user_id) WHERE archived_at IS NULL;

CREATE TABLE user_role (
  tenant_id UUID DEFAULT (nullif(current_setting('app.tenant_id', true), '')::uuid) NOT NULL,
  id UUID NOT NULL,
  user_id UUID NOT NULL,
  role TEXT NOT NULL,
  branch_id UUID,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by UUID,
  CONSTRAINT pk_user_role PRIMARY KEY (tenant_id, id),
  CONSTRAINT uq_user_role_tenant_id_user_id_role_branch_id UNIQUE NULLS NOT DISTINCT (tenant_id, user_id, role, branch_id),
  CONSTRAINT fk_user_role_tenant_id_user_id FOREIGN KEY(tenant_id, user_id) REFERENCES user_account (tenant_id, id) ON DELETE CASCADE,
  CONSTRAINT fk_user_role_tenant_id_branch_id FOREIGN KEY(tenant_id, branch_id) REFERENCES branch (tenant_id, id),
  CONSTRAINT ck_user_role_role CHECK (role IN ('admin', 'dentist', 'doctor', 'nurse', 'operator', 'digitizer', 'auditor', 'patient'))
);

CREATE INDEX ix_user_role_tenant_id_role ON user_role (tenant_id, role);

CREATE TABLE appointment (
  tenant_id UUID DEFAULT (nullif(current_setting('app.tenant_id', true), '')::uuid) NOT NULL,
  id UUID NOT NULL,
  patient_id UUID NOT NULL,
  practitioner_id UUID NOT NULL,
  branch_id UUID NOT NULL,
  room_id UUID,
  service_id UUID,
  starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
  ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
  period TSTZRANGE GENERATED ALWAYS AS (tstzrange(starts_at, ends_at, '[)')) STORED NOT NULL,
  status TEXT DEFAULT 'pending' NOT NULL,
  reason_type TEXT DEFAULT 'other' NOT NULL,
  reason_text TEXT DEFAULT '' NOT NULL,
  is_overbooked BOOLEAN DEFAULT false NOT NULL,
  overbook_reason TEXT,
  source TEXT DEFAULT 'staff' NOT NULL,
  cancel_reason TEXT,
  cancelled_at TIMESTAMP WITH TIME ZONE,
  arrived_at TIMESTAMP WITH TIME ZONE,
  rescheduled_from_id UUID,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by UUID,
  updated_by UUID,
  version INTEGER NOT NULL,
  archived_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_appointment PRIMARY KEY (tenant_id, id),
  CONSTRAINT fk_appointment_tenant_id_patient_id FOREIGN KEY(tenant_id, patient_id) REFERENCES patient (tenant_id, id),
  CONSTRAINT fk_appointment_tenant_id_practitioner_id FOREIGN KEY(tenant_id, practitioner_id) REFERENCES practitioner (tenant_id, id),
  CONSTRAINT fk_appointment_tenant_id_branch_id FOREIGN KEY(tenant_id, branch_id) REFERENCES branch (tenant_id, id),
  CONSTRAINT fk_appointment_tenant_id_room_id FOREIGN KEY(tenant_id, room_id) REFERENCES room (tenant_id, id),
  CONSTRAINT fk_appointment_tenant_id_service_id FOREIGN KEY(tenant_id, service_id) REFERENCES service (tenant_id, id),
  CONSTRAINT fk_appointment_tenant_id_rescheduled_from_id FOREIGN KEY(tenant_id, rescheduled_from_id) REFERENCES appointment (tenant_id, id),
  CONSTRAINT uq_appointment_tenant_id_rescheduled_from_id UNIQUE (tenant_id, rescheduled_from_id),
  CONSTRAINT ck_appointment_length CHECK (ends_at > starts_at AND ends_at - starts_at <= interval '12 hours'),
  CONSTRAINT ck_appointment_status CHECK (status IN ('pending', 'confirmed', 'arrived', 'in_progress', 'completed', 'cancelled', 'no_show')),
  CONSTRAINT ck_appointment_reason_type CHECK (reason_type IN ('consultation', 'emergency', 'control', 'procedure', 'occupational_exam', 'other')),
  CONSTRAINT ck_appointment_source CHECK (source IN ('staff', 'portal', 'api', 'import')),
  CONSTRAINT ck_appointment_overbook_reason CHECK (NOT is_overbooked OR overbook_reason IS NOT NULL),
  CONSTRAINT ck_appointment_cancelled_at CHECK (cancelled_at IS NULL OR status = 'cancelled'),
  CONSTRAINT no_double_booking_practitioner EXCLUDE USING gist (tenant_id WITH =, practitioner_id WITH =, period WITH &&) WHERE (status IN ('pending', 'confirmed', 'arrived', 'in_progress') AND NOT is_overbooked),
  CONSTRAINT no_double_booking_room EXCLUDE USING gist (tenant_id WITH =, room_id WITH =, period WITH &&) WHERE (room_id IS NOT NULL AND status IN ('pending', 'confirmed', 'arrived', 'in_progress') AND NOT is_overbooked),
  CONSTRAINT no_double_booking_patient EXCLUDE USING gist (tenant_id WITH =, patient_id WITH =, period WITH &&) WHERE (status IN ('pending', 'confirmed', 'arrived', 'in_progress') AND NOT is_overbooked)
);

CREATE INDEX ix_appointment_tenant_id_branch_id_starts_at_id ON appointment (tenant_id, branch_id, starts_at, id);

CREATE INDEX ix_appointment_tenant_id_patient_id_starts_at_id ON appointment (tenant_id, patient_id, starts_at, id);

CREATE INDEX ix_appointment_tenant_id_practitioner_id_starts_at_id ON appointment (tenant_id, practitioner_id, starts_at, id);

CREATE INDEX ix_appointment_tenant_id_room_id ON appointment (tenant_id, room_id) WHERE room_id IS NOT NULL;

CREATE INDEX ix_appointment_tenant_id_starts_at_id ON appointment (tenant_id, starts_at, id);

CREATE TABLE availability_exception (
  tenant_id UUID DEFAULT (nullif(current_setting('app.tenant_id', true), '')::uuid) NOT NULL,
  id UUID NOT NULL,
  practitioner_id UUID,
  branch_id UUID,
  starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
  ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
  period TSTZRANGE GENERATED ALWAYS AS (tstzrange(starts_at, ends_at, '[)')) STORED NOT NULL,
  kind TEXT NOT NULL,
  reason TEXT,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by UUID,
  updated_by UUID,
  version INTEGER NOT NULL,
  archived_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_availability_exception PRIMARY KEY (tenant_id, id),
  CONSTRAINT fk_availability_exception_tenant_id_practitioner_id FOREIGN KEY(tenant_id, practitioner_id) REFERENCES practitioner (tenant_id, id),
  CONSTRAINT fk_availability_exception_tenant_id_branch_id FOREIGN KEY(tenant_id, branch_id) REFERENCES branch (tenant_id, id),
  CONSTRAINT ck_availability_exception_whose CHECK (num_nonnulls(practitioner_id, branch_id) = 1),
  CONSTRAINT ck_availability_exception_ends_at CHECK (ends_at > starts_at),
  CONSTRAINT ck_availability_exception_kind CHECK (kind IN ('closed', 'open'))
);

CREATE INDEX ix_availability_exception_tenant_id_branch_id_starts_at_id ON availability_exception (tenant_id, branch_id, starts_at, id);

CREATE INDEX ix_availability_exception_tenant_id_practitioner_id_sta_2ef3 ON availability_exception (tenant_id, practitioner_id, starts_at, id);

CREATE TABLE availability_rule (
  tenant_id UUID DEFAULT (nullif(current_setting('app.tenant_id', true), '')::uuid) NOT NULL,
  id UUID NOT NULL,
  practitioner_id UUID NOT NULL,
  branch_id UUID NOT NULL,
  weekday SMALLINT NOT NULL,
  start_local TIME WITHOUT TIME ZONE NOT NULL,
  end_local TIME WITHOUT TIME ZONE NOT NULL,
  valid_from DATE NOT NULL,
  valid_to DATE,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by UUID,
  updated_by UUID,
  version INTEGER NOT NULL,
  archived_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_availability_rule PRIMARY KEY (tenant_id, id),
  CONSTRAINT fk_availability_rule_tenant_id_practitioner_id FOREIGN KEY(tenant_id, practitioner_id) REFERENCES practitioner (tenant_id, id),
  CONSTRAINT fk_availability_rule_tenant_id_branch_id FOREIGN KEY(tenant_id, branch_id) REFERENCES branch (tenant_id, id),
  CONSTRAINT ck_availability_rule_weekday CHECK (weekday BETWEEN 1 AND 7),
  CONSTRAINT ck_availability_rule_end_local CHECK (end_local > start_local),
  CONSTRAINT ck_availability_rule_whole_minutes CHECK (extract(second FROM start_local) = 0 AND extract(second FROM end_local) = 0),
  CONSTRAINT ck_availability_rule_valid_to CHECK (valid_to >= valid_from),
  CONSTRAINT no_overlapping_availability EXCLUDE USING gist (tenant_id WITH =, practitioner_id WITH =, weekday WITH =, int4range((extract(epoch FROM start_local) / 60)::int, (extract(epoch FROM end_local) / 60)::int) WITH &&, daterange(valid_from, valid_to, '[]') WITH &&) WHERE (archived_at IS NULL)
);

CREATE INDEX ix_availability_rule_tenant_id_branch_id ON availability_rule (tenant_id, branch_id);

CREATE INDEX ix_availability_rule_tenant_id_practitioner_id_branch_id ON availability_rule (tenant_id, practitioner_id, branch_id);

CREATE TABLE appointment_event (
  tenant_id UUID DEFAULT (nullif(current_setting('app.tenant_id', true), '')::uuid) NOT NULL,
  id UUID NOT NULL,
  appointment_id UUID NOT NULL,
  from_status TEXT,
  to_status TEXT NOT NULL,
  at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  by UUID,
  note TEXT,
  CONSTRAINT pk_appointment_event PRIMARY KEY (tenant_id, id),
  CONSTRAINT fk_appointment_event_tenant_id_appointment_id FOREIGN KEY(tenant_id, appointment_id) REFERENCES appointment (tenant_id, id),
  CONSTRAINT ck_appointment_event_from_status CHECK (from_status IN ('pending', 'confirmed', 'arrived', 'in_progress', 'completed', 'cancelled', 'no_show')),
  CONSTRAINT ck_appointment_event_to_status CHECK (to_status IN ('pending', 'confirmed', 'arrived', 'in_progress', 'completed', 'cancelled', 'no_show'))
);

CREATE INDEX ix_appointment_event_tenant_id_appointment_id_at ON appointment_event (tenant_id, appointment_id, at);
