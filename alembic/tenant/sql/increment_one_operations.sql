-- append-only: audit_event

-- Reserves an Idempotency-Key for the caller's transaction: true when it is this transaction's to answer,
-- false when another transaction has answered under it. While that other one runs, the insert waits on the
-- primary key's index for its end, at most as long as lock_timeout says (then SQLSTATE 55P03); the SET clause
-- gives the transaction its own lock_timeout back. Records of the last day only are kept.
CREATE FUNCTION reserve_idempotency_key(
  p_user uuid, p_key text, p_method text, p_path text, p_body_sha256 bytea, p_kept interval
) RETURNS boolean LANGUAGE plpgsql SET lock_timeout = '5s' AS $$
BEGIN
  -- SKIP LOCKED: two requests of one user must not wait for each other's tidying up.
  DELETE FROM idempotency_record r
   USING (SELECT key FROM idempotency_record
           WHERE user_id = p_user AND key <> p_key AND expires_at <= now()
           ORDER BY key LIMIT 100 FOR UPDATE SKIP LOCKED) expired
   WHERE r.user_id = p_user AND r.key = expired.key;
  INSERT INTO idempotency_record AS r (user_id, key, method, path, body_sha256, expires_at)
  VALUES (p_user, p_key, p_method, p_path, p_body_sha256, now() + p_kept)
  ON CONFLICT ON CONSTRAINT pk_idempotency_record DO UPDATE
     SET method = excluded.method, path = excluded.path, body_sha256 = excluded.body_sha256,
         status_code = NULL, response_headers = NULL, response_body = NULL,
         created_at = now(), expires_at = excluded.expires_at
   WHERE r.expires_at <= now();
  RETURN FOUND;
END $$;
