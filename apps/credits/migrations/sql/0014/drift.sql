-- A line on the drift page of a product, about an entry that was just written. Charges that lie one smallest step of the
-- price apart are rounded otherwise.
CREATE OR REPLACE FUNCTION credits_note_drift(
    p_difference text, p_product uuid, e credits_creditentry, p_balance bigint, p_charge bigint
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO credits_shadowdisagreement (id, product_id, organization_id, difference, operation, quantity,
        local_decision, local_balance, local_charge, central_decision, central_code, central_balance, central_charge,
        entry_id, request_id, seen_at)
    SELECT gen_random_uuid(), p_product, e.account_id, d.difference, e.operation, e.quantity,
        CASE WHEN e.local_charge IS NULL THEN '' ELSE 'allow' END, NULL, e.local_charge, 'allow', d.difference,
        p_balance, p_charge, e.id, e.request_id, e.recorded_at
    FROM (SELECT CASE WHEN p_difference = 'amount' AND abs(e.local_charge - p_charge) <= COALESCE((
            SELECT o.quantum FROM credits_operationprice o JOIN credits_creditpolicy p ON p.id = o.policy_id
            WHERE p.product_id = p_product AND p.version = e.policy_version AND o.operation = e.operation), 0)
        THEN 'rounding' ELSE p_difference END AS difference) d
$$;
