-- What a CHECK cannot say: rules over several rows or tables, and who is told of a change.

CREATE FUNCTION registry.refuse_reserved_slug() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM registry.reserved_slug r WHERE r.slug = NEW.slug;
  IF FOUND THEN
    RAISE EXCEPTION 'slug is reserved' USING ERRCODE = 'RGSLG', CONSTRAINT = 'reserved_slug';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER refuse_reserved_slug BEFORE INSERT OR UPDATE OF slug ON registry.tenant
  FOR EACH ROW EXECUTE FUNCTION registry.refuse_reserved_slug();

-- Locks the server's row until the end of the transaction, so that two placements cannot both take the last place.
CREATE FUNCTION registry.check_capacity() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  target registry.database_server;
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.server_id = OLD.server_id THEN
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
CREATE TRIGGER check_capacity BEFORE INSERT OR UPDATE OF server_id ON registry.placement
  FOR EACH ROW EXECUTE FUNCTION registry.check_capacity();

-- The epoch is the fencing token: it never goes back and grows with each change of home. It may skip numbers, since
-- the homes are ahead of a registry that was restored from a backup.
CREATE FUNCTION registry.check_epoch() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.epoch < OLD.epoch
     OR (NEW.epoch = OLD.epoch AND (NEW.server_id, NEW.database_name, NEW.schema_name, NEW.strategy)
           IS DISTINCT FROM (OLD.server_id, OLD.database_name, OLD.schema_name, OLD.strategy)) THEN
    RAISE EXCEPTION 'epoch must grow with a change of home' USING ERRCODE = 'RGEPO', CONSTRAINT = 'placement_epoch';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER check_epoch BEFORE UPDATE ON registry.placement
  FOR EACH ROW EXECUTE FUNCTION registry.check_epoch();

-- Checked at commit: a tenant that can be used has a host name. (A deleted tenant needs none.)
CREATE FUNCTION registry.check_has_domain() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  subject uuid;
BEGIN
  IF TG_TABLE_NAME = 'tenant' THEN
    subject := NEW.id;
  ELSE
    subject := OLD.tenant_id;
  END IF;
  PERFORM 1 FROM registry.tenant t
    WHERE t.id = subject AND t.status IN ('trial', 'active', 'past_due', 'suspended')
      AND NOT EXISTS (SELECT FROM registry.tenant_domain d WHERE d.tenant_id = t.id);
  IF FOUND THEN
    RAISE EXCEPTION 'an active tenant needs a domain' USING ERRCODE = 'RGDOM', CONSTRAINT = 'tenant_has_domain';
  END IF;
  RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER tenant_has_domain AFTER INSERT OR UPDATE OF status ON registry.tenant
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION registry.check_has_domain();
CREATE CONSTRAINT TRIGGER domain_not_the_last AFTER DELETE OR UPDATE OF tenant_id ON registry.tenant_domain
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION registry.check_has_domain();

CREATE FUNCTION registry.refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'table % only grows', TG_TABLE_NAME USING ERRCODE = 'RGAPP';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON registry.platform_audit_event
  FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();

-- Workers keep what they know of tenants in memory; this makes it fresher. Nothing depends on it being heard.
CREATE FUNCTION registry.tell_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  -- Before and after: a host name that passes to another tenant concerns both. The same notice is sent once.
  PERFORM pg_catalog.pg_notify('clinic_registry', CASE TG_TABLE_NAME
    WHEN 'tenant' THEN changed->>'id' WHEN 'database_server' THEN 'servers' ELSE changed->>'tenant_id' END)
    FROM unnest(ARRAY[to_jsonb(OLD), to_jsonb(NEW)]) AS changed WHERE changed IS NOT NULL;
  RETURN NULL;
END
$$;
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON registry.tenant
  FOR EACH ROW EXECUTE FUNCTION registry.tell_change();
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON registry.tenant_domain
  FOR EACH ROW EXECUTE FUNCTION registry.tell_change();
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON registry.placement
  FOR EACH ROW EXECUTE FUNCTION registry.tell_change();
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON registry.database_server
  FOR EACH ROW EXECUTE FUNCTION registry.tell_change();
