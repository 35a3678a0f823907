-- Every table of the clinic behind the clinic's wall (tenancy.protect in src/tenancy/sql/database.sql).
SELECT tenancy.protect(name::regclass) FROM unnest(ARRAY[
  'user_account', 'user_role', 'auth_session',
  'branch', 'branch_member', 'room', 'specialty', 'person', 'person_identifier', 'practitioner', 'patient',
  'service_category', 'service', 'availability_rule', 'availability_exception', 'appointment',
  'idempotency_record', 'document_counter', 'tenant_setting']) AS name;
SELECT tenancy.protect(name::regclass, true) FROM unnest(ARRAY['appointment_event', 'audit_event']) AS name;
