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
            last_sequence = c.last_sequence + payer.items,
            burned_sequence = CASE WHEN c.burned_sequence = c.last_sequence AND payer.total = 0
                THEN c.last_sequence + payer.items ELSE c.burned_sequence END
        FROM payer WHERE c.organization_id = payer.account
    ), entered AS (
        INSERT INTO credits_creditentry (id, account_id, sequence, kind, amount, balance_after, product_id, operation,
            quantity, free_quantity, outcome, category, is_billable, is_late, acting_user_id, workspace_id, run_id,
            policy_version, idempotency_key, reason, actor_label, request_id, occurred_at, recorded_at)
        SELECT d.entry_id, d.account, d.sequence, 'consumption', -d.due, d.balance_after, v_product, d.operation,
            d.quantity, 0, d.outcome, d.category, d.is_billable, d.is_late, d.user_id, d.workspace_id,
            COALESCE(d.run_id, ''), d.policy_version, d.key, '', v_actor, v_request, d.occurred_at, v_now
        FROM placed d
    )
    SELECT w.place, w.answer FROM answered w;
END $$;
