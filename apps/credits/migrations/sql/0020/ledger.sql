-- Posts one entry: moves the balance and gives the entry its place; a charge burns later. `p_released` is taken off what
-- is held. With `p_force` the debt is recorded though it breaks the floor, which then moves with it.
-- The columns are named: one that is younger than this function takes its default.
CREATE OR REPLACE FUNCTION credits_post(e credits_creditentry, p_released bigint, p_force boolean)
RETURNS credits_creditaccount LANGUAGE plpgsql AS $$
DECLARE
    a credits_creditaccount;
BEGIN
    UPDATE credits_creditaccount SET balance = balance + e.amount, held = held - p_released,
        last_sequence = last_sequence + 1,
        burned_sequence = CASE WHEN burned_sequence = last_sequence AND (e.amount >= 0 OR e.kind IN ('expiry', 'void'))
            THEN last_sequence + 1 ELSE burned_sequence END,
        floor = CASE WHEN p_force THEN LEAST(floor, balance + e.amount - held + p_released) ELSE floor END
    WHERE organization_id = e.account_id RETURNING * INTO STRICT a;
    INSERT INTO credits_creditentry (id, account_id, sequence, kind, amount, balance_after, product_id, operation,
        quantity, free_quantity, free_month, outcome, category, is_billable, is_late, acting_user_id, workspace_id,
        run_id, hold_id, grant_id, reversal_of_id, policy_version, shadow_charge, local_charge,
        idempotency_key, body_hash, answer_rest, reason, actor_label, request_id, occurred_at, recorded_at)
    VALUES (e.id, e.account_id, a.last_sequence, e.kind, e.amount, a.balance, e.product_id, e.operation,
        e.quantity, e.free_quantity, e.free_month, e.outcome, e.category, e.is_billable, e.is_late, e.acting_user_id,
        e.workspace_id, e.run_id, e.hold_id, e.grant_id, e.reversal_of_id, e.policy_version,
        e.shadow_charge, e.local_charge, e.idempotency_key, e.body_hash, e.answer_rest, e.reason, e.actor_label,
        e.request_id, e.occurred_at, e.recorded_at);
    RETURN a;
END $$;
