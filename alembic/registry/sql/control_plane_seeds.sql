-- Plans of the first day, and names that no clinic may take as its own.

INSERT INTO registry.plan (id, code, name, kind, price_minor, currency, duration_days, max_users, max_patients,
                           max_branches, max_documents, max_storage_mb, max_agents, allowed_strategies)
VALUES
  ('01938000-0000-7000-8000-000000000001', 'prueba', 'Prueba', 'trial', 0, 'USD', 30,
   10, 500, 3, 1000, 1000, 10, ARRAY['row', 'schema', 'database']),
  ('01938000-0000-7000-8000-000000000002', 'basico', 'Plan Básico', 'monthly', 2999, 'USD', 30,
   10, 500, 3, 1000, 1000, 10, ARRAY['row', 'schema']),
  ('01938000-0000-7000-8000-000000000003', 'anual', 'Plan Anual', 'annual', 29990, 'USD', 365,
   25, 5000, 10, 5000, 5000, 25, ARRAY['row', 'schema']),
  ('01938000-0000-7000-8000-000000000004', 'empresa', 'Plan Empresa', 'custom', 0, 'USD', 365,
   500, 100000, 100, 10000, 10000, 50, ARRAY['database', 'schema', 'row']);

INSERT INTO registry.reserved_slug (slug, why)
SELECT slug, 'host name of the platform' FROM unnest(ARRAY[
  'www', 'api', 'app', 'admin', 'platform', 'registry', 'auth', 'login', 'ingreso', 'signup', 'registro', 'docs',
  'help', 'ayuda', 'support', 'soporte', 'status', 'health', 'metrics', 'static', 'assets', 'cdn', 'media', 'files',
  'blog', 'shop', 'billing', 'pagos', 'webhooks', 'localhost']) AS slug
UNION ALL
SELECT slug, 'name of a service (RFC 2142 and common use)' FROM unnest(ARRAY[
  'mail', 'smtp', 'imap', 'pop', 'webmail', 'ftp', 'ssh', 'dns', 'ns1', 'ns2', 'mx1', 'mx2', 'vpn', 'autodiscover',
  'autoconfig', 'wpad', 'postmaster', 'hostmaster', 'webmaster', 'abuse', 'security', 'noc', 'root',
  'info', 'noreply', 'no-reply']) AS slug
UNION ALL
SELECT slug, 'would be taken for a part of the system' FROM unnest(ARRAY[
  'public', 'default', 'tenant', 'tenants', 'clinic', 'clinica', 'polyclinic', 'system', 'postgres', 'pool',
  'internal', 'staging', 'test', 'dev', 'null', 'none', 'undefined']) AS slug;
