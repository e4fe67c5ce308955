-- Lets the charges that the accounts posted since they were last looked at take what the live grants hold, in burn order:
-- priority, soonest expiry, oldest (rules.allocation.allocate, for many charges at once). What they don't cover waits for
-- the next grants. Nothing but this, a grant's beginning or end, and a reversal changes what is left of a grant, and each
-- of those burns first; so it comes to the same whether each charge burns at once or many of them later. The caller
-- holds the accounts' rows.
CREATE OR REPLACE FUNCTION credits_burn(p_accounts uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH charge AS MATERIALIZED (
        SELECT e.id, e.account_id, e.sequence, -e.amount AS due,
            (sum(-e.amount) OVER (PARTITION BY e.account_id ORDER BY e.sequence))::bigint AS spent
        FROM credits_creditaccount a
        JOIN credits_creditentry e ON e.account_id = a.organization_id AND e.sequence > a.burned_sequence
        WHERE a.organization_id = ANY (p_accounts) AND e.amount < 0 AND e.kind NOT IN ('expiry', 'void')
    ), live AS MATERIALIZED (
        -- Each grant covers the stretch from `begins` to `ends` of what its account spends.
        SELECT g.id, g.account_id, (sum(g.remaining) OVER burning)::bigint AS ends,
            (sum(g.remaining) OVER burning)::bigint - g.remaining AS begins
        FROM credits_creditgrant g WHERE g.account_id = ANY (p_accounts) AND NOT g.is_spent
        WINDOW burning AS (PARTITION BY g.account_id ORDER BY g.priority, g.expires_at, g.created_at, g.id
            ROWS UNBOUNDED PRECEDING)
    ), burned AS MATERIALIZED (
        SELECT c.id AS entry_id, c.account_id, c.sequence, l.id AS grant_id, l.begins,
            LEAST(c.spent, l.ends) - GREATEST(c.spent - c.due, l.begins) AS amount
        FROM charge c
        JOIN live l ON l.account_id = c.account_id AND l.begins < c.spent AND l.ends > c.spent - c.due
    ), kept AS (
        INSERT INTO credits_grantburn (entry_id, grant_id, amount)
        SELECT b.entry_id, b.grant_id, b.amount FROM burned b ORDER BY b.account_id, b.sequence, b.begins
    ), taken AS (
        UPDATE credits_creditgrant g SET remaining = g.remaining - t.amount
        FROM (SELECT b.grant_id, sum(b.amount)::bigint AS amount FROM burned b GROUP BY b.grant_id) t
        WHERE g.id = t.grant_id
    ), owed AS (
        INSERT INTO credits_uncoveredcharge (entry_id, account_id, sequence, amount_left)
        SELECT c.id, c.account_id, c.sequence, LEAST(c.due, c.spent - COALESCE(l.covered, 0)) FROM charge c
        LEFT JOIN (SELECT account_id, max(ends) AS covered FROM live GROUP BY account_id) l
            ON l.account_id = c.account_id
        WHERE c.spent > COALESCE(l.covered, 0)
    )
    UPDATE credits_creditaccount SET burned_sequence = last_sequence
    WHERE organization_id = ANY (p_accounts) AND burned_sequence < last_sequence;
END $$;

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
        idempotency_key, reason, actor_label, request_id, occurred_at, recorded_at)
    VALUES (e.id, e.account_id, a.last_sequence, e.kind, e.amount, a.balance, e.product_id, e.operation,
        e.quantity, e.free_quantity, e.free_month, e.outcome, e.category, e.is_billable, e.is_late, e.acting_user_id,
        e.workspace_id, e.run_id, e.hold_id, e.grant_id, e.reversal_of_id, e.policy_version,
        e.shadow_charge, e.local_charge, e.idempotency_key, e.reason, e.actor_label, e.request_id, e.occurred_at,
        e.recorded_at);
    RETURN a;
END $$;

-- Moves what was used of a month's free quantity; what open holds reserve counts as used. What goes back can't be more
-- than was used.
CREATE OR REPLACE FUNCTION credits_use_free(
    p_account uuid, p_product uuid, p_operation text, p_month date, p_quantity bigint
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF p_quantity > 0 THEN
        INSERT INTO credits_freequantity AS q (account_id, product_id, operation, month, used)
        VALUES (p_account, p_product, p_operation, p_month, p_quantity)
        ON CONFLICT (account_id, product_id, operation, month) DO UPDATE SET used = q.used + EXCLUDED.used;
    ELSIF p_quantity < 0 THEN
        UPDATE credits_freequantity q SET used = q.used + p_quantity
        WHERE q.account_id = p_account AND q.product_id = p_product AND q.operation = p_operation AND q.month = p_month;
    END IF;
END $$;

-- The first charge of this run in this account that was not given back in full, whoever reported it. The index is by the
-- hash of the run; the account alone would mean to look through all of its entries.
CREATE OR REPLACE FUNCTION credits_charged_before(p_account uuid, p_run text)
RETURNS TABLE (entry_id uuid, product_id uuid, product text, recorded_at timestamptz) LANGUAGE sql STABLE AS $$
    WITH same AS MATERIALIZED (
        SELECT x.id, x.product_id, x.recorded_at, x.sequence, x.amount, x.shadow_charge FROM credits_creditentry x
        WHERE hashtextextended(x.run_id, 0) = hashtextextended(p_run, 0) AND x.run_id <> '' AND x.run_id = p_run
            AND x.account_id = p_account AND x.kind IN ('consumption', 'capture')
    )
    SELECT s.id, s.product_id, t.slug::text, s.recorded_at FROM same s
    LEFT JOIN tenants_product t ON t.id = s.product_id
    WHERE s.shadow_charge > 0 OR -s.amount > COALESCE(
        (SELECT sum(r.amount) FROM credits_creditentry r WHERE r.reversal_of_id = s.id), 0)
    ORDER BY s.sequence LIMIT 1
$$;

-- A line on the drift page of a product, about an entry that was just written.
CREATE OR REPLACE FUNCTION credits_note_drift(
    p_difference text, p_product uuid, e credits_creditentry, p_balance bigint, p_charge bigint
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO credits_shadowdisagreement (id, product_id, organization_id, difference, operation, quantity,
        local_decision, local_balance, local_charge, central_decision, central_code, central_balance, central_charge,
        entry_id, request_id, seen_at)
    VALUES (gen_random_uuid(), p_product, e.account_id, p_difference, e.operation, e.quantity,
        CASE WHEN e.local_charge IS NULL THEN '' ELSE 'allow' END, NULL, e.local_charge, 'allow', p_difference,
        p_balance, p_charge, e.id, e.request_id, e.recorded_at)
$$;
