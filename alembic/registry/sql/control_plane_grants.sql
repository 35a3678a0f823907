-- clinic_registry is the only role that works here at run time; it owns nothing and has no grant on a tenant table.

GRANT USAGE ON SCHEMA registry TO clinic_registry;
GRANT SELECT ON ALL TABLES IN SCHEMA registry TO clinic_registry;
GRANT INSERT, UPDATE, DELETE ON registry.tenant, registry.tenant_domain, registry.reserved_slug,
  registry.database_server, registry.placement, registry.plan, registry.operator, registry.operator_session,
  registry.provisioning_step, registry.rate_limit TO clinic_registry;
GRANT INSERT ON registry.platform_audit_event TO clinic_registry;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA registry FROM PUBLIC;
