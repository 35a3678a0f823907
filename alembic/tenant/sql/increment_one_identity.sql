-- Identity needs nothing beyond its tables: keys, references and checks are in the models.

-- Whether a login session is alive and its user active with these rights: the question of tenancy.enter. A function of
-- each home, so that its plan is kept; a statement of the gate itself would be planned anew for every schema.
CREATE FUNCTION login_is_alive(p_tenant uuid, p_session uuid, p_access_version bigint) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN EXISTS (
    SELECT FROM auth_session s JOIN user_account u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
     WHERE s.tenant_id = p_tenant AND s.id = p_session AND s.revoked_at IS NULL AND s.expires_at > pg_catalog.now()
       AND u.status = 'active' AND u.access_version = p_access_version);
END $$;
