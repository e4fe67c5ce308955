-- One item of a batch, as far as the items differ.
CREATE TYPE credits_item AS (
    lock bigint, key text, hash text, account_type text, account_id uuid, user_id uuid, workspace_id uuid,
    operation text, quantity bigint, outcome text, occurred_at timestamptz, is_late boolean, run_id text, hold_id uuid,
    is_known boolean, is_billable boolean, free_quantity bigint, charge bigint
);

-- The common consumptions of a batch, all at once: every item of an account whose items are all new, known, allowed,
-- without hold, past the free quantity, and affordable together. What is left out goes one by one, by
-- `credits_consume`, with the same result (spec 11, Speed, Batches). The caller holds the accounts' rows, locked in
-- their order, and this function's statement begins after them, so it reads nothing stale.
-- The store of keys is append-only and keeps the answer beside the key, so the answer is computed first; where a key is
-- taken meanwhile, the unique violation undoes the whole batch and it is sent again: nothing is charged unrecorded.
CREATE OR REPLACE FUNCTION credits_consume_set(
    p_items credits_item[], p_common jsonb, p_locked boolean[],
    p_letters text, p_payments text[], p_states text[], p_overlays text[], p_statuses text[]
) RETURNS TABLE (place bigint, answer jsonb) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := (p_common->>'now')::timestamptz;
    v_scope text := p_common->>'scope';
    v_product uuid := (p_common->>'product')::uuid;
    v_policy uuid := (p_common->>'policy_id')::uuid;
    v_is_identity boolean := (p_common->>'is_identity')::boolean;
    v_actor text := p_common->>'actor_label';
    v_request text := p_common->>'request_id';
BEGIN
    RETURN QUERY
    WITH item AS MATERIALIZED (
        SELECT i.*, gen_random_uuid() AS entry_id, i.ordinality AS place, p_locked[i.ordinality] AS is_locked,
            CASE WHEN i.account_type = 'organization' THEN i.account_id
            ELSE credits_account_of(i.account_type, i.account_id) END AS account
        FROM unnest(p_items) WITH ORDINALITY AS i
    ), fact AS MATERIALIZED (
        SELECT d.account_type, d.account_id, d.user_id AS acting, d.workspace_id AS workspace, d.operation, f.*, c.last_sequence,
            credits_gate_letter(f.closed_at IS NOT NULL, f.payment_status, f.subscription_state, f.overlay_state,
                f.subscription_status, p_letters, p_payments, p_states, p_overlays, p_statuses) AS letter
        FROM (SELECT DISTINCT account_type, account_id, user_id, workspace_id, operation FROM item) d,
            LATERAL credits_facts(
                v_now, v_product, d.account_type, d.account_id, d.user_id, d.workspace_id, d.operation) f
            LEFT JOIN credits_creditaccount c ON c.organization_id = f.organization_id
    ), judged AS MATERIALIZED (
        SELECT i.*, f.balance, f.held, f.overdraft_limit, f.last_sequence,
            f.policy_version, COALESCE(f.category_override, '') AS override,
            CASE WHEN COALESCE(f.category_override, '') = '' AND i.is_billable THEN i.charge ELSE 0 END AS due,
            f.balance - f.held + CASE WHEN f.letter = 'g' THEN 0 ELSE f.overdraft_limit END AS available,
            k.key IS NULL AND i.is_locked AND i.hold_id IS NULL AND f.policy_id IS NOT DISTINCT FROM v_policy
                AND f.has_account AND (f.is_related OR v_is_identity) AND i.is_known
                AND (i.user_id IS NULL OR f.role IS NOT NULL)
                AND (i.workspace_id IS NULL OR f.workspace_organization_id IS NOT DISTINCT FROM f.organization_id)
                AND COALESCE(f.letter, 'n') IN ('y', 'w', 'g') AND COALESCE(f.next_due_at > v_now, true)
                AND (COALESCE(f.category_override, '') <> '' OR NOT i.is_billable OR f.free_used >= i.free_quantity)
                AS is_common
        FROM item i
        JOIN fact f ON f.account_type = i.account_type AND f.account_id = i.account_id AND f.operation = i.operation
            AND COALESCE(f.acting::text, '') = COALESCE(i.user_id::text, '')
            AND COALESCE(f.workspace::text, '') = COALESCE(i.workspace_id::text, '')
        LEFT JOIN core_idempotencyrecord k ON k.scope = v_scope AND k.key = i.key
    ), weighed AS MATERIALIZED (
        -- Windows rather than joins: nothing here tells the planner how many rows to expect.
        SELECT j.*, row_number() OVER running AS number, (sum(j.due) OVER running)::bigint AS spent,
            bool_and(j.is_common) OVER whole AND (sum(j.due) OVER whole = 0
                OR sum(j.due) OVER whole <= min(j.available) OVER whole) AS goes
        FROM judged j
        WINDOW whole AS (PARTITION BY j.account),
            running AS (PARTITION BY j.account ORDER BY j.place ROWS UNBOUNDED PRECEDING)
    ), placed AS MATERIALIZED (
        SELECT d.*, CASE WHEN d.override <> '' THEN d.override ELSE 'regular' END AS category,
            d.last_sequence + d.number AS sequence, d.balance - d.spent AS balance_after
        FROM weighed d WHERE d.goes
    ), payer AS MATERIALIZED (
        SELECT d.account, max(d.spent) AS total, count(*) AS items FROM placed d GROUP BY d.account
    ), answered AS MATERIALIZED (
        SELECT d.place, d.key, d.hash, jsonb_build_object('entry_id', d.entry_id, 'charged', d.due,
            'balance', d.balance_after, 'held', d.held, 'available', d.balance_after - d.held + d.overdraft_limit,
            'category', d.category, 'billable', d.is_billable, 'policy_version', d.policy_version,
            'late', d.is_late) AS answer
        FROM placed d
    ), claimed AS (
        INSERT INTO core_idempotencyrecord (scope, key, operation, body_hash, outcome, status, answer, created_at)
        SELECT v_scope, w.key, 'credits.consume', w.hash, 'answered', 201, w.answer, v_now FROM answered w
    ), moved AS (
        UPDATE credits_creditaccount c SET balance = c.balance - payer.total,
            last_sequence = c.last_sequence + payer.items
        FROM payer WHERE c.organization_id = payer.account
    ), entered AS (
        INSERT INTO credits_creditentry (id, account_id, sequence, kind, amount, balance_after, product_id, operation,
            quantity, free_quantity, outcome, category, is_billable, is_late, acting_user_id, workspace_id, run_id,
            policy_version, idempotency_key, reason, actor_label, request_id, occurred_at, recorded_at)
        SELECT d.entry_id, d.account, d.sequence, 'consumption', -d.due, d.balance_after, v_product, d.operation,
            d.quantity, 0, d.outcome, d.category, d.is_billable, d.is_late, d.user_id, d.workspace_id,
            COALESCE(d.run_id, ''), d.policy_version, d.key, '', v_actor, v_request, d.occurred_at, v_now
        FROM placed d
    ), purse AS MATERIALIZED (
        -- Each grant covers the stretch from `begins` to `ends` of what its account spends, in burn order.
        SELECT payer.account, array_agg(g.id) AS ids, array_agg(g.begins) AS begins, array_agg(g.ends) AS ends,
            COALESCE(max(g.ends), 0) AS covered
        FROM payer LEFT JOIN LATERAL (
            SELECT x.id, (sum(x.remaining) OVER burning)::bigint AS ends,
                (sum(x.remaining) OVER burning)::bigint - x.remaining AS begins
            FROM credits_creditgrant x WHERE x.account_id = payer.account AND NOT x.is_spent
            WINDOW burning AS (ORDER BY x.priority, x.expires_at, x.created_at, x.id ROWS UNBOUNDED PRECEDING)
        ) g ON g.begins < payer.total
        WHERE payer.total > 0 GROUP BY payer.account
    ), charged AS MATERIALIZED (
        -- A window hands each account's purse to its items, again without a join.
        SELECT b.* FROM (
            SELECT u.entry_id, u.account, u.sequence, u.due, u.spent,
                first_value(u.ids) OVER whole AS ids, first_value(u.begins) OVER whole AS begins,
                first_value(u.ends) OVER whole AS ends, first_value(u.covered) OVER whole AS covered
            FROM (
                SELECT NULL::uuid AS entry_id, t.account, 0::bigint AS sequence, 0::bigint AS due, 0::bigint AS spent,
                    t.ids, t.begins, t.ends, t.covered FROM purse t
                UNION ALL
                SELECT d.entry_id, d.account, d.sequence, d.due, d.spent, NULL, NULL, NULL, NULL FROM placed d
                WHERE d.due > 0
            ) u WINDOW whole AS (PARTITION BY u.account ORDER BY u.sequence)
        ) b WHERE b.due > 0
    ), burned AS MATERIALIZED (
        SELECT d.entry_id, g.id AS grant_id, d.account, d.sequence, g.begins,
            LEAST(d.spent, g.ends) - GREATEST(d.spent - d.due, g.begins) AS amount
        FROM charged d, unnest(d.ids, d.begins, d.ends) AS g(id, begins, ends)
        WHERE g.begins < d.spent AND g.ends > d.spent - d.due
    ), kept AS (
        INSERT INTO credits_grantburn (entry_id, grant_id, amount)
        SELECT b.entry_id, b.grant_id, b.amount FROM burned b ORDER BY b.account, b.sequence, b.begins
    ), taken AS (
        UPDATE credits_creditgrant g SET remaining = g.remaining - t.amount
        FROM (SELECT b.grant_id, sum(b.amount)::bigint AS amount FROM burned b GROUP BY b.grant_id) t
        WHERE g.id = t.grant_id
    ), owed AS (
        INSERT INTO credits_uncoveredcharge (entry_id, account_id, sequence, amount_left)
        SELECT d.entry_id, d.account, d.sequence, LEAST(d.due, d.spent - d.covered)
        FROM charged d WHERE d.spent > d.covered
    )
    SELECT w.place, w.answer FROM answered w;
END $$;
