-- append-only: appointment_event

-- Bookings of one practitioner, room or patient pass one at a time: on the exclusion constraints alone, parallel
-- conflicting inserts wait for each other until the deadlock detector kills all but one. 7321 is the class of this
-- advisory lock; the key is hashed from clinic and resource, and a collision only costs a wait. Always in ascending
-- order of the keys, so that two bookings of the same resources cannot wait for each other. Held to the end of the
-- transaction, or until the roll-back to a savepoint that it was taken after.
-- Called by itself before a change that touches two appointments at once, so that all keys are taken in one order.
CREATE FUNCTION lock_appointment_resources(
  p_resources uuid[], p_tenant uuid DEFAULT nullif(current_setting('app.tenant_id', true), '')::uuid
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  resource_key integer;
BEGIN
  FOR resource_key IN
    SELECT DISTINCT uuid_hash(resource) # uuid_hash(p_tenant) AS key
      FROM unnest(p_resources) AS resource WHERE resource IS NOT NULL ORDER BY key
  LOOP
    PERFORM pg_advisory_xact_lock(7321, resource_key);
  END LOOP;
END $$;

CREATE FUNCTION lock_slot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    PERFORM lock_appointment_resources(
      ARRAY[NEW.practitioner_id, NEW.room_id, NEW.patient_id], NEW.tenant_id);
  ELSE
    PERFORM lock_appointment_resources(
      ARRAY[NEW.practitioner_id, NEW.room_id, NEW.patient_id, OLD.practitioner_id, OLD.room_id, OLD.patient_id],
      NEW.tenant_id);
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER lock_slot_on_insert BEFORE INSERT ON appointment FOR EACH ROW
  WHEN (NEW.status IN ('pending', 'confirmed', 'arrived', 'in_progress') AND NOT NEW.is_overbooked)
  EXECUTE FUNCTION lock_slot();

-- Also where a slot is given up or stays as it is: a new version of the row is a new entry in the indexes of the
-- exclusion constraints, on which a booking of the same time would wait while this update waits for it.
CREATE TRIGGER lock_slot_on_update BEFORE UPDATE ON appointment FOR EACH ROW
  WHEN ((NEW.status IN ('pending', 'confirmed', 'arrived', 'in_progress') AND NOT NEW.is_overbooked)
     OR (OLD.status IN ('pending', 'confirmed', 'arrived', 'in_progress') AND NOT OLD.is_overbooked))
  EXECUTE FUNCTION lock_slot();

-- The last line behind the rules in src/domain/scheduling/transitions.py; changes nothing.
CREATE FUNCTION keep_status_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.status = 'pending' AND NEW.status IN ('confirmed', 'arrived', 'cancelled'))
    OR (OLD.status = 'confirmed' AND NEW.status IN ('arrived', 'cancelled'))
    OR (OLD.status IN ('pending', 'confirmed') AND NEW.status = 'no_show' AND OLD.starts_at <= now())
    OR (OLD.status = 'arrived' AND NEW.status = 'in_progress')
    OR (OLD.status = 'in_progress' AND NEW.status = 'completed')
  THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'an appointment does not go from % to % now', OLD.status, NEW.status
    USING ERRCODE = '23514', TABLE = 'appointment', CONSTRAINT = 'appointment_status_order';
END $$;

CREATE TRIGGER keep_status_order BEFORE UPDATE ON appointment FOR EACH ROW
  WHEN (OLD.status IS DISTINCT FROM NEW.status)
  EXECUTE FUNCTION keep_status_order();
