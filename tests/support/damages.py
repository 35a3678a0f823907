"""Harm that `clinic doctor` must find: the statement that does it, the one that undoes it, what is said of it."""

HOME_DAMAGE = [
    ("ALTER TABLE {schema}.patient NO FORCE ROW LEVEL SECURITY", "patient has no forced row-level"),
    ("ALTER TABLE {schema}.patient DISABLE ROW LEVEL SECURITY", "patient has no forced row-level"),
    ("ALTER POLICY own_tenant ON {schema}.patient USING (true)", "patient has another policy"),
    ("CREATE POLICY extra ON {schema}.patient USING (true)", "patient has more or fewer than two"),
    ("ALTER POLICY every_tenant ON {schema}.patient TO clinic_app", "patient lets others"),
    ("ALTER POLICY own_tenant ON {schema}.patient TO PUBLIC", "patient.own_tenant is not as in"),
    ("DROP TRIGGER a_guard ON {schema}.patient", "patient has no guard trigger"),
    ("ALTER TABLE {schema}.patient DISABLE TRIGGER a_guard", "patient has no guard trigger"),
    ("GRANT TRUNCATE ON {schema}.patient TO clinic_app", "patient lets clinic_app TRUNCATE"),
    ("GRANT SELECT ON {schema}.patient TO PUBLIC", "patient lets PUBLIC SELECT"),
    ("GRANT SELECT ON {schema}.patient TO clinic_registry", "patient lets clinic_registry SELECT"),
    ("GRANT SELECT (id) ON {schema}.patient TO clinic_registry", "patient.id lets clinic_registry"),
    (
        "GRANT SELECT ON {schema}.patient TO clinic_app WITH GRANT OPTION",
        "patient lets clinic_app SELECT and let others",
    ),
    ("REVOKE UPDATE ON {schema}.patient FROM clinic_app", "patient does not let clinic_app UPDATE"),
    (
        "GRANT UPDATE, DELETE ON {schema}.audit_event TO clinic_app",
        "audit_event lets clinic_app DELETE, UPDATE",
    ),
    (
        "GRANT DELETE ON {schema}.appointment_event TO clinic_app",
        "appointment_event lets clinic_app DELETE",
    ),
    (
        "ALTER TABLE {schema}.audit_event DISABLE TRIGGER b_append_only",
        "audit_event has no append-only trigger",
    ),
    (
        "DROP TRIGGER b_append_only ON {schema}.appointment_event",
        "appointment_event has no append-only trigger",
    ),
    ("GRANT UPDATE ON tenancy.tenant_home TO clinic_app", "tenant_home lets clinic_app UPDATE"),
    ("GRANT CREATE ON SCHEMA {schema} TO clinic_app", "lets clinic_app CREATE"),
    ("GRANT CONNECT ON DATABASE {database} TO PUBLIC", "lets PUBLIC CONNECT"),
    (
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO clinic_registry",
        "new objects of clinic_owner are granted by default",
    ),
    (
        "ALTER TABLE {schema}.appointment DROP CONSTRAINT no_double_booking_room",
        "missing constraint {schema}.appointment.no_double_booking_room",
    ),
    (
        "ALTER TABLE {schema}.branch DROP CONSTRAINT ck_branch_named, ADD CONSTRAINT ck_branch_named CHECK (true)",
        "constraint {schema}.branch.ck_branch_named is not as in",
    ),
    (
        "DROP INDEX {schema}.uq_specialty_name",
        "missing index {schema}.specialty.uq_specialty_name",
    ),
    (
        "ALTER TABLE {schema}.appointment DISABLE TRIGGER lock_slot_on_insert",
        "trigger {schema}.appointment.lock_slot_on_insert is not as in",
    ),
    ("ALTER TABLE {schema}.patient ADD COLUMN x text", "extra column {schema}.patient.x"),
    ("ALTER TABLE {schema}.branch ALTER COLUMN name DROP NOT NULL", "branch.name is not as in"),
    ("DROP FUNCTION {schema}.login_is_alive", "missing function {schema}.login_is_alive"),
    ("CREATE VIEW {schema}.spy AS SELECT 1 AS x", "extra table {schema}.spy"),
    ("CREATE TABLE {schema}.forgotten (tenant_id uuid, id uuid)", "forgotten has no forced"),
    ("UPDATE {schema}.alembic_version_tenant SET version_num = '0000'", "is at revision 0000"),
    (
        "REVOKE ALL ON SCHEMA {schema} FROM clinic_owner, clinic_migrator",
        "clinic_migrator may not read schema {schema}",
    ),
    ("DROP SCHEMA {schema} CASCADE", "missing schema {schema}"),
    ("DROP TABLE tenancy.tenant_home", "the homes cannot be read"),
    ("CREATE SCHEMA t_nobody", "orphan schema t_nobody"),
]

# Others live there too: the second statement undoes the first.
POOL_DAMAGE = [
    (
        "GRANT UPDATE, DELETE ON pool.audit_event TO clinic_app",
        "REVOKE UPDATE, DELETE ON pool.audit_event FROM clinic_app",
        "table pool.audit_event lets clinic_app DELETE, UPDATE",
    ),
    (
        "ALTER TABLE pool.audit_event DISABLE TRIGGER b_append_only",
        "ALTER TABLE pool.audit_event ENABLE TRIGGER b_append_only",
        "table pool.audit_event has no append-only trigger",
    ),
    (
        "ALTER TABLE pool.appointment DISABLE TRIGGER lock_slot_on_insert",
        "ALTER TABLE pool.appointment ENABLE TRIGGER lock_slot_on_insert",
        "disabled trigger lock_slot_on_insert on pool.appointment",
    ),
    (
        "ALTER TABLE pool.appointment RENAME CONSTRAINT no_double_booking_room TO lost",
        "ALTER TABLE pool.appointment RENAME CONSTRAINT lost TO no_double_booking_room",
        "missing constraint pool.no_double_booking_room",
    ),
    (
        "ALTER INDEX pool.uq_specialty_name RENAME TO lost",
        "ALTER INDEX pool.lost RENAME TO uq_specialty_name",
        "missing index pool.uq_specialty_name",
    ),
    (
        "CREATE INDEX extra ON pool.patient (id)",
        "DROP INDEX pool.extra",
        "extra index pool.extra",
    ),
    (
        "GRANT UPDATE ON tenancy.tenant_home TO clinic_app",
        "REVOKE UPDATE ON tenancy.tenant_home FROM clinic_app",
        "table tenancy.tenant_home lets clinic_app UPDATE",
    ),
]

SERVER_DAMAGE = [
    (
        "GRANT clinic_migrator TO clinic_app",
        "REVOKE clinic_migrator FROM clinic_app",
        "role clinic_app is a member of clinic_migrator",
    ),
    (
        "GRANT clinic_owner TO clinic_app",
        "REVOKE clinic_owner FROM clinic_app",
        "role clinic_app is a member of clinic_owner",
    ),
    (
        "GRANT pg_read_all_data TO clinic_registry",
        "REVOKE pg_read_all_data FROM clinic_registry",
        "role clinic_registry is a member of pg_read_all_data",
    ),
    (
        "CREATE ROLE stranger; GRANT clinic_mover TO stranger",
        "DROP ROLE stranger",
        "role stranger is a member of clinic_mover",
    ),
    (
        "REVOKE clinic_owner FROM clinic_migrator",
        "GRANT clinic_owner TO clinic_migrator",
        "role clinic_migrator is not a member of clinic_owner",
    ),
    (
        "ALTER ROLE clinic_app BYPASSRLS",
        "ALTER ROLE clinic_app NOBYPASSRLS",
        "role clinic_app bypasses row-level security",
    ),
]

REGISTRY_DAMAGE = [
    (
        "GRANT SELECT ON ALL TABLES IN SCHEMA registry TO clinic_app",
        "REVOKE SELECT ON ALL TABLES IN SCHEMA registry FROM clinic_app",
        "table registry.operator lets clinic_app SELECT",
    ),
    (
        "GRANT DELETE ON registry.platform_audit_event TO clinic_registry",
        "REVOKE DELETE ON registry.platform_audit_event FROM clinic_registry",
        "table registry.platform_audit_event lets clinic_registry DELETE",
    ),
    (
        "ALTER TABLE registry.platform_audit_event DISABLE TRIGGER append_only",
        "ALTER TABLE registry.platform_audit_event ENABLE TRIGGER append_only",
        "disabled trigger append_only on registry.platform_audit_event",
    ),
    (
        "ALTER TABLE registry.plan RENAME CONSTRAINT ck_plan_price TO lost",
        "ALTER TABLE registry.plan RENAME CONSTRAINT lost TO ck_plan_price",
        "missing constraint registry.ck_plan_price",
    ),
]
