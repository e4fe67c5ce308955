-- What of an answer the entry does not tell, of an account that held nothing and had no overdraft: nothing. STABLE, as
-- jsonb_build_object is: called IMMUTABLE, the function would be run by itself for each row, and not as a part of its query.
CREATE OR REPLACE FUNCTION credits_answer_rest(p_balance bigint, p_held bigint, p_overdraft bigint) RETURNS jsonb
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN p_held <> 0 OR p_overdraft <> 0
        THEN jsonb_build_object('held', p_held, 'available', p_balance - p_held + p_overdraft) END
$$;

-- The answer to a consumption, from what its entry keeps.
CREATE OR REPLACE FUNCTION credits_answer_of(
    p_entry uuid, p_amount bigint, p_balance_after bigint, p_category text, p_is_billable boolean,
    p_policy_version integer, p_is_late boolean, p_local_charge bigint, p_shadow_charge bigint, p_rest jsonb
) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('entry_id', p_entry, 'charged', -p_amount, 'balance', p_balance_after, 'held', 0,
            'available', p_balance_after, 'category', p_category, 'billable', p_is_billable,
            'policy_version', p_policy_version, 'late', p_is_late)
        || CASE WHEN p_local_charge IS NULL THEN '{}'
            ELSE jsonb_build_object('decided_by', 'local', 'shadow_charge', p_shadow_charge) END
        || COALESCE(p_rest, '{}')
$$;

-- The same of an entry, the first time and at each repetition.
CREATE OR REPLACE FUNCTION credits_answer(e credits_creditentry) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT credits_answer_of(e.id, e.amount, e.balance_after, e.category, e.is_billable, e.policy_version, e.is_late,
        e.local_charge, e.shadow_charge, e.answer_rest)
$$;
