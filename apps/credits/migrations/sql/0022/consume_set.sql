-- What a batch can decide at once (spec 11, Speed, Batches): repeated keys, keys in flight, what is refused whatever the
-- account holds, and the common consumptions: new, known, allowed, without hold, past the free quantity, each charged
-- while it is affordable and refused where it is not. From the first item of an account on that is neither (a hold, a
-- free quantity, a debt to record), its items go one by one, by `credits_consume_4`, with the same result. The caller
-- holds the accounts' rows, locked in their order, and this function's statement begins after them, so it reads nothing
-- stale. Where a key is taken meanwhile, the unique violation undoes the whole batch and it is sent again: nothing is
-- charged twice.
CREATE OR REPLACE FUNCTION credits_consume_set_4(
    p_items credits_item_2[], p_common jsonb, p_locked boolean[],
    p_letters text, p_payments text[], p_states text[], p_overlays text[], p_statuses text[]
) RETURNS TABLE (place bigint, outcome text, answer jsonb, facts jsonb) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := (p_common->>'now')::timestamptz;
    v_scope text := p_common->>'scope';
    v_endpoint text := p_common->>'endpoint';
    v_product uuid := (p_common->>'product')::uuid;
    v_is_identity boolean := (p_common->>'is_identity')::boolean;
    v_actor text := p_common->>'actor_label';
    v_request text := p_common->>'request_id';
BEGIN
    RETURN QUERY
    WITH item AS MATERIALIZED (
        SELECT i.*, credits_entry_of_key(v_scope, i.key) AS entry_id, i.ordinality AS place,
            p_locked[i.ordinality] AS is_locked, CASE WHEN i.account_type = 'organization' THEN i.account_id
            ELSE credits_account_of(i.account_type, i.account_id) END AS account
        FROM unnest(p_items) WITH ORDINALITY AS i
    ), fact AS MATERIALIZED (
        SELECT d.account_type, d.account_id, d.user_id AS acting, d.workspace_id AS workspace, d.operation, f.*,
            f AS everything, c.last_sequence,
            COALESCE(credits_gate_letter_2(f.closed_at IS NOT NULL, f.payment_status, f.subscription_state,
                f.overlay_state, f.subscription_status, f.only_named_workspaces,
                p_letters, p_payments, p_states, p_overlays, p_statuses), 'n') AS letter
        FROM (SELECT DISTINCT account_type, account_id, user_id, workspace_id, operation FROM item) d,
            LATERAL credits_facts_3(
                v_now, v_now, v_product, d.account_type, d.account_id, d.user_id, d.workspace_id, d.operation) f
            LEFT JOIN credits_creditaccount c ON c.organization_id = f.organization_id
    ), judged AS MATERIALIZED (
        SELECT i.*, f.balance, f.held, f.overdraft_limit, f.last_sequence, f.policy_version, f.everything,
            COALESCE(f.category_override, '') AS override,
            CASE WHEN COALESCE(f.category_override, '') = '' AND i.is_billable THEN i.charge ELSE 0 END AS due,
            f.balance - f.held + CASE WHEN f.letter = 'g' THEN 0 ELSE f.overdraft_limit END AS available,
            COALESCE(k.operation, v_endpoint) AS used_for, COALESCE(k.created_at, x.recorded_at) AS used_at,
            CASE WHEN x.id IS NULL THEN k.answer ELSE credits_answer(x) END AS first_answer,
            CASE WHEN NOT i.is_locked THEN 'in_flight'
            WHEN x.id IS NOT NULL
                THEN CASE WHEN x.body_hash = credits_body_hash(i.hash) THEN 'replayed' ELSE 'reused' END
            WHEN k.id IS NOT NULL THEN credits_key_outcome(k, v_endpoint, i.hash)
            -- What the policy of another moment may say, or a debt, a hold, a free quantity: one by one.
            WHEN f.policy_id IS DISTINCT FROM i.policy_id OR i.occurred_at < f.policy_from OR i.occurred_at > v_now
                THEN NULL
            WHEN NOT f.has_account OR NOT (f.is_related OR v_is_identity) OR NOT i.is_known
                OR (i.workspace_id IS NOT NULL AND f.workspace_organization_id IS DISTINCT FROM f.organization_id)
                THEN 'refused'
            WHEN i.local_charge IS NOT NULL OR i.occurred_at < v_now - interval '35 days' THEN NULL
            WHEN (i.user_id IS NOT NULL AND f.role IS NULL) OR f.letter NOT IN ('y', 'w', 'g')
                THEN CASE WHEN i.on_insufficient = 'record' THEN NULL ELSE 'refused' END
            WHEN f.next_due_at <= v_now OR i.hold_id IS NOT NULL THEN NULL
            WHEN COALESCE(f.category_override, '') = '' AND i.is_billable AND i.free_quantity > 0 AND NOT (
                f.free_used >= i.free_quantity
                AND f.free_month = (SELECT m.month FROM credits_free_month(i.occurred_at, v_now, o.time_zone) m))
                THEN NULL
            WHEN i.run_id <> '' AND (count(*) OVER (PARTITION BY i.account, i.run_id) > 1
                OR EXISTS (SELECT 1 FROM credits_charged_before(i.account, i.run_id))) THEN NULL
            ELSE 'charged' END AS verdict
        FROM item i
        JOIN fact f ON f.account_type = i.account_type AND f.account_id = i.account_id AND f.operation = i.operation
            AND COALESCE(f.acting::text, '') = COALESCE(i.user_id::text, '')
            AND COALESCE(f.workspace::text, '') = COALESCE(i.workspace_id::text, '')
        LEFT JOIN tenants_organization o ON o.id = f.organization_id
        LEFT JOIN credits_creditentry x ON x.id = i.entry_id
        LEFT JOIN core_idempotencyrecord k ON k.scope = v_scope AND k.key = i.key
    ), weighed AS MATERIALIZED (
        -- Windows rather than joins: nothing here tells the planner how many rows to expect.
        SELECT j.*, bool_or(j.verdict IS NULL) OVER running AS is_later,
            credits_spend(CASE WHEN j.verdict = 'charged' THEN j.due ELSE 0 END, j.available) OVER running AS spent
        FROM judged j WINDOW running AS (PARTITION BY j.account ORDER BY j.place ROWS UNBOUNDED PRECEDING)
    ), compared AS MATERIALIZED (
        SELECT w.*, w.verdict = 'charged' AND w.due > 0
            AND w.spent = lag(w.spent, 1, 0::bigint) OVER (PARTITION BY w.account ORDER BY w.place) AS is_unaffordable
        FROM weighed w WHERE NOT w.is_later
    ), decided AS MATERIALIZED (
        SELECT c.*, c.verdict = 'charged' AND NOT c.is_unaffordable AS goes,
            bool_or(c.is_unaffordable AND c.on_insufficient = 'record') OVER running AS is_debt,
            count(*) FILTER (WHERE c.verdict = 'charged' AND NOT c.is_unaffordable) OVER running AS number
        FROM compared c WINDOW running AS (PARTITION BY c.account ORDER BY c.place ROWS UNBOUNDED PRECEDING)
    ), placed AS MATERIALIZED (
        SELECT d.*, CASE WHEN d.override <> '' THEN d.override ELSE 'regular' END AS category,
            d.last_sequence + d.number AS sequence, d.balance - d.spent AS balance_after,
            credits_answer_rest(d.balance - d.spent, d.held, d.overdraft_limit) AS answer_rest
        FROM decided d WHERE d.goes AND NOT d.is_debt
    ), payer AS MATERIALIZED (
        SELECT d.account, max(d.spent) AS total, count(*) AS items FROM placed d GROUP BY d.account
    ), moved AS (
        UPDATE credits_creditaccount c SET balance = c.balance - payer.total,
            last_sequence = c.last_sequence + payer.items,
            burned_sequence = CASE WHEN c.burned_sequence = c.last_sequence AND payer.total = 0
                THEN c.last_sequence + payer.items ELSE c.burned_sequence END
        FROM payer WHERE c.organization_id = payer.account
    ), entered AS (
        INSERT INTO credits_creditentry (id, account_id, sequence, kind, amount, balance_after, product_id, operation,
            quantity, free_quantity, outcome, category, is_billable, is_late, acting_user_id, workspace_id, run_id,
            policy_version, idempotency_key, body_hash, answer_rest, reason, actor_label, request_id, occurred_at,
            recorded_at)
        SELECT d.entry_id, d.account, d.sequence, 'consumption', -d.due, d.balance_after, v_product, d.operation,
            d.quantity, 0, d.outcome, d.category, d.is_billable, false, d.user_id, d.workspace_id,
            COALESCE(d.run_id, ''), d.policy_version, d.key, credits_body_hash(d.hash), d.answer_rest, '', v_actor,
            v_request, d.occurred_at, v_now
        FROM placed d
    )
    -- Not from the rows that were inserted: joining them to their places looks at each pair.
    SELECT d.place, 'charged', credits_answer_of(d.entry_id, -d.due, d.balance_after, d.category, d.is_billable,
        d.policy_version, false, NULL, NULL, d.answer_rest), NULL::jsonb
    FROM placed d
    UNION ALL
    SELECT d.place, CASE WHEN d.verdict = 'charged' THEN 'refused' ELSE d.verdict END,
        CASE d.verdict WHEN 'reused' THEN jsonb_build_object('operation', d.used_for, 'created_at', d.used_at)
            WHEN 'replayed' THEN d.first_answer WHEN 'refused_before' THEN d.first_answer END,
        -- What it was refused upon: the account as the items before it left it.
        CASE WHEN d.verdict IN ('charged', 'refused')
            THEN to_jsonb(d.everything) || jsonb_build_object('balance', d.balance - d.spent) END
    FROM decided d WHERE NOT d.goes AND NOT d.is_debt;
END $$;
