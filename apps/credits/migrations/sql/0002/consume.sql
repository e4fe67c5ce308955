-- The letter of the lifecycle gate for these facts. The letters are the WorkspaceLifecycleResolver's answers to every
-- combination, computed by it and handed over; this function only finds the place.
CREATE OR REPLACE FUNCTION credits_gate_letter(
    p_closed boolean, p_payment text, p_state text, p_overlay text, p_status text,
    p_letters text, p_payments text[], p_states text[], p_overlays text[], p_statuses text[]
) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT substr(p_letters, 1 + (((
        (CASE WHEN p_closed THEN 1 ELSE 0 END)
        * cardinality(p_payments) + array_position(p_payments, COALESCE(p_payment, 'uninitialized')) - 1)
        * cardinality(p_states) + array_position(p_states, COALESCE(p_state, '')) - 1)
        * cardinality(p_overlays) + array_position(p_overlays, COALESCE(p_overlay, '')) - 1)
        * cardinality(p_statuses) + array_position(p_statuses, COALESCE(p_status, 'pre_subscription')) - 1, 1)
$$;

-- One consumption from beginning to end: key, lock, facts, gate, price, floor, hold, ledger, grants, answer. Each query
-- in here sees what was committed before it began, so that after the lock of the account nothing is stale.
-- Nothing is rounded or priced here: the charges come computed, for no free quantity and for the one expected.
-- Each query has one plan for all values: left to itself PostgreSQL plans some of them anew for each call.
CREATE OR REPLACE FUNCTION credits_consume(
    p jsonb, p_letters text, p_payments text[], p_states text[], p_overlays text[], p_statuses text[]
) RETURNS TABLE (outcome text, answer jsonb, facts jsonb) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_now timestamptz := (p->>'now')::timestamptz;
    v_product uuid := (p->>'product')::uuid;
    -- The function is asked about people alone: it is planned anew for each call.
    v_account uuid := CASE WHEN p->>'account_type' = 'organization' THEN (p->>'account_id')::uuid
        ELSE credits_account_of(p->>'account_type', (p->>'account_id')::uuid) END;
    v_user uuid := (p->>'user_id')::uuid;
    v_workspace uuid := (p->>'workspace_id')::uuid;
    v_quantity bigint := (p->>'quantity')::bigint;
    v_letter text;
    v_charge bigint := 0;
    v_free bigint := 0;
    v_force boolean := false;
    v_released bigint := 0;
    r record;
    f record;
    h record;
    a credits_creditaccount;
    e credits_creditentry;
BEGIN
    IF NOT pg_try_advisory_xact_lock((p->>'lock')::bigint) THEN
        RETURN QUERY SELECT 'in_flight', NULL::jsonb, NULL::jsonb; RETURN;
    END IF;
    SELECT * INTO r FROM core_idempotencyrecord k WHERE k.scope = p->>'scope' AND k.key = p->>'key';
    IF FOUND THEN
        RETURN QUERY SELECT CASE WHEN r.operation <> 'credits.consume' OR r.body_hash <> p->>'hash' THEN 'reused'
            WHEN r.outcome = 'refused' THEN 'refused_before' ELSE 'replayed' END, r.answer, NULL::jsonb;
        RETURN;
    END IF;
    PERFORM 1 FROM credits_creditaccount c WHERE c.organization_id = v_account FOR NO KEY UPDATE;
    SELECT * INTO STRICT f FROM credits_facts(
        v_now, v_product, p->>'account_type', (p->>'account_id')::uuid, v_user, v_workspace, p->>'operation');
    <<charge>>
    BEGIN
        IF f.policy_id IS DISTINCT FROM (p->>'policy_id')::uuid THEN
            outcome := 'stale_policy'; EXIT charge;
        END IF;
        v_letter := credits_gate_letter(f.closed_at IS NOT NULL, f.payment_status, f.subscription_state, f.overlay_state,
            f.subscription_status, p_letters, p_payments, p_states, p_overlays, p_statuses);
        outcome := 'refused';
        IF NOT f.has_account OR NOT (f.is_related OR (p->>'is_identity')::boolean) OR NOT (p->>'is_known')::boolean
            OR (v_user IS NOT NULL AND f.role IS NULL)
            OR (v_workspace IS NOT NULL AND f.workspace_organization_id IS DISTINCT FROM f.organization_id)
            OR COALESCE(v_letter, 'n') NOT IN ('y', 'w', 'g') THEN
            EXIT charge;
        END IF;
        IF f.next_due_at <= v_now THEN
            outcome := 'due'; EXIT charge;
        END IF;
        IF p->>'hold_id' IS NOT NULL THEN
            SELECT * INTO h FROM credits_hold x WHERE x.id = (p->>'hold_id')::uuid AND x.account_id = f.organization_id;
            IF NOT FOUND OR h.product_id <> v_product OR h.status <> 'open' THEN
                outcome := CASE WHEN h.id IS NULL THEN 'hold_unknown' WHEN h.product_id <> v_product THEN 'hold_foreign'
                    ELSE 'hold_' || h.status END;
                EXIT charge;
            END IF;
            v_released := h.amount;
        END IF;
        f.category_override := COALESCE(f.category_override, '');
        IF f.category_override = '' AND (p->>'is_billable')::boolean THEN
            v_free := LEAST(v_quantity, GREATEST((p->>'free_quantity')::bigint - f.free_used, 0));
            IF v_free = 0 THEN
                v_charge := (p->>'charge')::bigint;
            ELSIF v_free < v_quantity THEN
                IF (p->>'free_expected')::bigint IS DISTINCT FROM v_free THEN
                    outcome := 'free_boundary'; EXIT charge;
                END IF;
                v_charge := (p->>'charge_expected')::bigint;
            END IF;
        END IF;
        IF v_charge > v_released + f.balance - f.held + (CASE WHEN v_letter = 'g' THEN 0 ELSE f.overdraft_limit END)
        THEN
            v_force := (p->>'on_insufficient') = 'record';
            IF NOT v_force AND v_charge > v_released THEN
                EXIT charge;
            END IF;
        END IF;
        IF v_free > 0 THEN
            INSERT INTO credits_freequantity AS q (account_id, product_id, operation, month, used)
            VALUES (f.organization_id, v_product, p->>'operation',
                date_trunc('month', v_now AT TIME ZONE 'UTC')::date, v_free)
            ON CONFLICT (account_id, product_id, operation, month) DO UPDATE SET used = q.used + EXCLUDED.used;
        END IF;
        e.id := gen_random_uuid(); e.account_id := f.organization_id; e.kind := 'consumption'; e.amount := -v_charge;
        e.product_id := v_product; e.operation := p->>'operation'; e.quantity := v_quantity; e.free_quantity := v_free;
        e.outcome := p->>'outcome'; e.is_billable := (p->>'is_billable')::boolean; e.is_late := (p->>'is_late')::boolean;
        e.category := CASE WHEN f.category_override <> '' THEN f.category_override
            WHEN v_free = v_quantity THEN 'free' ELSE 'regular' END;
        e.acting_user_id := v_user; e.workspace_id := v_workspace; e.run_id := COALESCE(p->>'run_id', '');
        e.hold_id := (p->>'hold_id')::uuid; e.policy_version := f.policy_version; e.idempotency_key := p->>'key';
        e.reason := ''; e.actor_label := p->>'actor_label'; e.request_id := p->>'request_id';
        e.occurred_at := (p->>'occurred_at')::timestamptz; e.recorded_at := v_now;
        a := credits_post(e, v_released, v_force);
        IF e.hold_id IS NOT NULL THEN
            UPDATE credits_hold SET status = 'captured', ended_at = v_now WHERE id = e.hold_id;
            -- Where the hold had kept a grant from expiring, whoever comes next looks.
            UPDATE credits_creditaccount SET next_due_at = v_now WHERE organization_id = e.account_id AND EXISTS (
                SELECT 1 FROM credits_creditgrant g
                WHERE g.account_id = e.account_id AND NOT g.is_spent AND g.expires_at <= v_now);
        END IF;
        answer := jsonb_build_object('entry_id', e.id, 'charged', v_charge, 'balance', a.balance, 'held', a.held,
            'available', a.balance - a.held + a.overdraft_limit, 'category', e.category, 'billable', e.is_billable,
            'policy_version', e.policy_version, 'late', e.is_late);
        INSERT INTO core_idempotencyrecord (scope, key, operation, body_hash, outcome, status, answer, created_at)
        VALUES (p->>'scope', p->>'key', 'credits.consume', p->>'hash', 'answered', 201, answer, v_now);
        outcome := 'charged';
        RETURN NEXT; RETURN;
    END charge;
    -- Nothing is charged: what it was decided upon goes back, to be explained.
    facts := to_jsonb(f);
    RETURN NEXT;
END $$;

-- Many consumptions in one transaction, with what they have in common apart; accounts locked in their order: the common
-- ones at once, the rest one by one; each item's outcome with its place, from 1. Where an item must be sent again, what
-- follows it in its account waits with it ("later"), so that the order of items holds. The places of what is locked and
-- of what is done are arrays, since a join with so many places would look at each pair.
CREATE OR REPLACE FUNCTION credits_consume_batch(
    p_items jsonb, p_common jsonb, p_letters text, p_payments text[], p_states text[], p_overlays text[], p_statuses text[]
) RETURNS TABLE (place bigint, outcome text, answer jsonb, facts jsonb) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    i record;
    v_items credits_item[] := ARRAY(SELECT x FROM jsonb_populate_recordset(NULL::credits_item, p_items) x);
    v_blocked uuid;
    v_locked boolean[];
    v_done boolean[] := array_fill(false, ARRAY[cardinality(v_items)]);
BEGIN
    -- All accounts first, also those of the rest: two batches that meet wait for each other in one order alone.
    PERFORM 1 FROM credits_creditaccount c WHERE c.organization_id IN (
        SELECT CASE WHEN x.account_type = 'organization' THEN x.account_id
            ELSE credits_account_of(x.account_type, x.account_id) END
        FROM unnest(v_items) x
    ) ORDER BY c.organization_id FOR NO KEY UPDATE;
    v_locked := ARRAY(SELECT pg_try_advisory_xact_lock(x.lock) FROM unnest(v_items) x);
    outcome := 'charged'; facts := NULL;
    FOR i IN SELECT s.place, s.answer FROM credits_consume_set(
        v_items, p_common, v_locked, p_letters, p_payments, p_states, p_overlays, p_statuses) s
    LOOP
        place := i.place; answer := i.answer;
        v_done[i.place] := true;
        RETURN NEXT;
    END LOOP;
    FOR i IN SELECT x.number, x.item,
            credits_account_of(x.item->>'account_type', (x.item->>'account_id')::uuid) AS account
        FROM jsonb_array_elements(p_items) WITH ORDINALITY AS x(item, number)
        WHERE NOT v_done[x.number] ORDER BY 3, 1
    LOOP
        place := i.number;
        IF i.account = v_blocked THEN
            outcome := 'later'; answer := NULL; facts := NULL;
        ELSE
            SELECT c.outcome, c.answer, c.facts INTO outcome, answer, facts FROM credits_consume(
                p_common || i.item, p_letters, p_payments, p_states, p_overlays, p_statuses) c;
            IF outcome IN ('due', 'free_boundary', 'stale_policy') THEN
                v_blocked := i.account;
            END IF;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
