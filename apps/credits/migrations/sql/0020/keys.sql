-- The entry of a consumption is the record of its idempotency key (spec 05, No double charge): its id is made of scope
-- and key, so that the primary key of entries keeps a key from charging twice; it keeps the hash of the request's body,
-- and of the answer what no other column tells. core_idempotencyrecord holds the keys of all other calls, the refusals
-- that are kept, and the consumptions from before.

-- The 256 bits that stand for a key. Its advisory lock is the first 64 of them (apps.core.idempotency.lock_of_key).
CREATE OR REPLACE FUNCTION credits_key_digest(p_scope text, p_key text) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT sha256(convert_to('idempotency' || chr(31) || p_scope || chr(31) || p_key, 'UTF8'))
$$;

-- The id of the entry that a consumption with this key has, or would have: 122 bits of the digest as a UUID of version 8.
CREATE OR REPLACE FUNCTION credits_entry_of_digest(p_digest bytea) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(set_byte(set_byte(substr(p_digest, 1, 16), 6, get_byte(p_digest, 6) & 15 | 128),
        8, get_byte(p_digest, 8) & 63 | 128), 'hex')::uuid
$$;
CREATE OR REPLACE FUNCTION credits_entry_of_key(p_scope text, p_key text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT credits_entry_of_digest(credits_key_digest(p_scope, p_key))
$$;

-- The last 128 bits of a request's hash (apps.core.idempotency.request_hash), which is hexadecimal but for the number of
-- its format in front.
CREATE OR REPLACE FUNCTION credits_body_hash(p_hash text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT right(p_hash, 32)::uuid
$$;

-- What of an answer the entry does not tell, of an account that held nothing and had no overdraft: nothing.
CREATE OR REPLACE FUNCTION credits_answer_rest(p_balance bigint, p_held bigint, p_overdraft bigint) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_held <> 0 OR p_overdraft <> 0
        THEN jsonb_build_object('held', p_held, 'available', p_balance - p_held + p_overdraft) END
$$;

-- The answer to a consumption, the first time and at each repetition.
CREATE OR REPLACE FUNCTION credits_answer(e credits_creditentry) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('entry_id', e.id, 'charged', -e.amount, 'balance', e.balance_after, 'held', 0,
            'available', e.balance_after, 'category', e.category, 'billable', e.is_billable,
            'policy_version', e.policy_version, 'late', e.is_late)
        || CASE WHEN e.local_charge IS NULL THEN '{}'
            ELSE jsonb_build_object('decided_by', 'local', 'shadow_charge', e.shadow_charge) END
        || COALESCE(e.answer_rest, '{}')
$$;

-- Keeps a key that was charged out of the store, where a refusal was overtaken or the release before, which does not look
-- at entries, has its own answer. The lock makes it wait for a charge that is not committed yet.
CREATE OR REPLACE FUNCTION credits_keep_charged_key() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_digest bytea := credits_key_digest(NEW.scope, NEW.key);
BEGIN
    PERFORM pg_advisory_xact_lock(('x' || encode(substr(v_digest, 1, 8), 'hex'))::bit(64)::bigint);
    IF NOT EXISTS (SELECT 1 FROM credits_creditentry e WHERE e.id = credits_entry_of_digest(v_digest)) THEN
        RETURN NEW;
    ELSIF NEW.outcome = 'refused' THEN
        RETURN NULL; -- as ON CONFLICT DO NOTHING
    END IF;
    RAISE unique_violation USING MESSAGE = format('The key %s of %s was charged.', NEW.key, NEW.scope);
END $$;
CREATE OR REPLACE TRIGGER idempotency_record_was_not_charged BEFORE INSERT ON core_idempotencyrecord
    FOR EACH ROW EXECUTE FUNCTION credits_keep_charged_key();

-- Half of a page stays free, for the new version of an account's row that each charge makes: else every single charge
-- has to clear its page first.
ALTER TABLE credits_creditaccount SET (fillfactor = 50);
