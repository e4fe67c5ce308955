-- Fourth version of what consumes: the entry is the record of its key.

-- One consumption from beginning to end: key, lock, facts, gate, price, floor, hold, ledger, grants, answer. Each query
-- in here sees what was committed before it began, so that after the lock of the account nothing is stale.
-- Nothing is rounded or priced here: the charges come computed, for no free quantity and for the one expected.
-- Each query has one plan for all values: left to itself PostgreSQL plans some of them anew for each call.
CREATE OR REPLACE FUNCTION credits_consume_4(
    p jsonb, p_letters text, p_payments text[], p_states text[], p_overlays text[], p_statuses text[]
) RETURNS TABLE (outcome text, answer jsonb, facts jsonb) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_now timestamptz := (p->>'now')::timestamptz;
    v_at timestamptz := (p->>'occurred_at')::timestamptz;
    v_product uuid := (p->>'product')::uuid;
    -- The function is asked about people alone: it is planned anew for each call.
    v_account uuid := CASE WHEN p->>'account_type' = 'organization' THEN (p->>'account_id')::uuid
        ELSE credits_account_of(p->>'account_type', (p->>'account_id')::uuid) END;
    v_user uuid := (p->>'user_id')::uuid;
    v_workspace uuid := (p->>'workspace_id')::uuid;
    v_quantity bigint := (p->>'quantity')::bigint;
    v_local bigint := (p->>'local_charge')::bigint;
    v_is_local boolean := false;
    v_is_recorded boolean := (p->>'on_insufficient') = 'record';
    v_letter text;
    v_is_member boolean;
    v_is_open boolean;
    v_price bigint := 0;
    v_charge bigint;
    v_free bigint := 0;
    v_reserved bigint := 0;
    v_force boolean := false;
    v_released bigint := 0;
    v_warnings text[] := '{}';
    v_ignored text[];
    v_outcome text;
    v_entry uuid := credits_entry_of_key(p->>'scope', p->>'key');
    r core_idempotencyrecord;
    f record;
    h credits_hold;
    b record;
    a credits_creditaccount;
    e credits_creditentry;
BEGIN
    IF NOT pg_try_advisory_xact_lock((p->>'lock')::bigint) THEN
        RETURN QUERY SELECT 'in_flight', NULL::jsonb, NULL::jsonb; RETURN;
    END IF;
    SELECT * INTO e FROM credits_creditentry x WHERE x.id = v_entry;
    IF FOUND THEN
        IF e.body_hash = credits_body_hash(p->>'hash') THEN
            RETURN QUERY SELECT 'replayed', credits_answer(e), NULL::jsonb; RETURN;
        END IF;
        RETURN QUERY SELECT 'reused',
            jsonb_build_object('operation', p->>'endpoint', 'created_at', e.recorded_at), NULL::jsonb; RETURN;
    END IF;
    SELECT * INTO r FROM core_idempotencyrecord k WHERE k.scope = p->>'scope' AND k.key = p->>'key';
    IF FOUND THEN
        v_outcome := credits_key_outcome(r, p->>'endpoint', p->>'hash');
        RETURN QUERY SELECT v_outcome, CASE WHEN v_outcome = 'reused'
            THEN jsonb_build_object('operation', r.operation, 'created_at', r.created_at) ELSE r.answer END, NULL::jsonb;
        RETURN;
    END IF;
    PERFORM 1 FROM credits_creditaccount c WHERE c.organization_id = v_account FOR NO KEY UPDATE;
    SELECT * INTO STRICT f FROM credits_facts_3(v_now, v_at, v_product, p->>'account_type', (p->>'account_id')::uuid,
        v_user, v_workspace, p->>'operation');
    <<charge>>
    BEGIN
        IF f.policy_id IS DISTINCT FROM (p->>'policy_id')::uuid THEN
            outcome := 'stale_policy'; EXIT charge;
        END IF;
        v_letter := credits_gate_letter_2(f.closed_at IS NOT NULL, f.payment_status, f.subscription_state,
            f.overlay_state, f.subscription_status, f.only_named_workspaces,
            p_letters, p_payments, p_states, p_overlays, p_statuses);
        v_is_member := v_user IS NULL OR f.role IS NOT NULL;
        v_is_open := COALESCE(v_letter, 'n') IN ('y', 'w', 'g');
        IF p->>'hold_id' IS NOT NULL THEN
            SELECT * INTO h FROM credits_hold x WHERE x.id = (p->>'hold_id')::uuid AND x.account_id = f.organization_id;
        END IF;
        IF v_local IS NOT NULL THEN
            -- Who decides: what the hold was opened in, or what holds for the organization now.
            f.billing_mode := COALESCE(NULLIF(h.billing_mode, ''), tenants_billing_mode(v_product, f.organization_id));
            v_is_local := f.billing_mode <> 'central';
        END IF;
        outcome := 'refused';
        IF NOT f.has_account OR NOT (f.is_related OR (p->>'is_identity')::boolean) OR NOT (p->>'is_known')::boolean
            OR (v_workspace IS NOT NULL AND f.workspace_organization_id IS DISTINCT FROM f.organization_id)
            OR NOT (v_is_recorded OR v_is_local OR (v_is_member AND v_is_open)) THEN
            EXIT charge;
        END IF;
        IF f.next_due_at <= v_now THEN
            outcome := 'due'; EXIT charge;
        END IF;
        IF p->>'hold_id' IS NOT NULL THEN
            IF h.id IS NULL OR h.product_id <> v_product OR h.status <> 'open' THEN
                outcome := CASE WHEN h.id IS NULL THEN 'hold_unknown' WHEN h.product_id <> v_product THEN 'hold_foreign'
                    ELSE 'hold_' || h.status END;
                EXIT charge;
            END IF;
            v_released := h.amount;
            -- What the hold reserved is this run's to take.
            IF h.free_month = f.free_month AND h.operation = p->>'operation' THEN
                v_reserved := h.free_quantity;
                f.free_used := f.free_used - v_reserved;
            END IF;
        END IF;
        f.category_override := COALESCE(f.category_override, '');
        IF f.category_override = '' AND (p->>'is_billable')::boolean THEN
            v_free := LEAST(v_quantity, GREATEST((p->>'free_quantity')::bigint - f.free_used, 0));
            IF v_free = 0 THEN
                v_price := (p->>'charge')::bigint;
            ELSIF v_free < v_quantity THEN
                IF (p->>'free_expected')::bigint IS DISTINCT FROM v_free THEN
                    outcome := 'free_boundary'; EXIT charge;
                END IF;
                v_price := (p->>'charge_expected')::bigint;
            END IF;
        END IF;
        e.category := CASE WHEN f.category_override <> '' THEN f.category_override
            WHEN v_free = v_quantity THEN 'free' ELSE 'regular' END;
        v_charge := v_price;
        IF v_is_local THEN
            v_charge := 0; v_free := 0;
            e.shadow_charge := v_price; e.local_charge := v_local;
        ELSIF v_charge > v_released AND v_charge > v_released + f.balance - f.held
            + (CASE WHEN v_letter = 'g' THEN 0 ELSE f.overdraft_limit END) THEN
            IF NOT v_is_recorded THEN
                EXIT charge;
            END IF;
            v_force := true;
        END IF;
        PERFORM credits_use_free(f.organization_id, v_product, p->>'operation', f.free_month, v_free - v_reserved)
            WHERE v_free <> v_reserved;
        e.id := v_entry; e.account_id := f.organization_id; e.kind := 'consumption'; e.amount := -v_charge;
        e.product_id := v_product; e.operation := p->>'operation'; e.quantity := v_quantity; e.free_quantity := v_free;
        e.free_month := CASE WHEN v_free > 0 THEN f.free_month END;
        e.outcome := p->>'outcome'; e.is_billable := (p->>'is_billable')::boolean; e.is_late := f.is_late;
        e.acting_user_id := v_user; e.workspace_id := v_workspace; e.run_id := COALESCE(p->>'run_id', '');
        e.hold_id := h.id; e.policy_version := f.policy_version; e.idempotency_key := p->>'key';
        e.body_hash := credits_body_hash(p->>'hash');
        e.reason := ''; e.actor_label := p->>'actor_label'; e.request_id := p->>'request_id';
        e.occurred_at := v_at; e.recorded_at := v_now;
        IF e.run_id <> '' AND v_price > 0 THEN
            SELECT * INTO b FROM credits_charged_before(e.account_id, e.run_id);
            IF FOUND THEN
                v_warnings := v_warnings || 'run_charged_before'::text;
            END IF;
        END IF;
        IF NOT v_is_member THEN
            v_warnings := v_warnings || 'booked_though_not_a_member'::text;
        END IF;
        IF NOT v_is_open THEN
            v_warnings := v_warnings || 'booked_though_lifecycle_denied'::text;
        END IF;
        IF v_at < v_now - interval '35 days' THEN
            v_warnings := v_warnings || 'booked_for_review'::text;
        END IF;
        -- The account is locked, so that it is still what its facts say.
        e.balance_after := f.balance - v_charge;
        e.answer_rest := credits_answer_rest(e.balance_after, f.held - v_released, f.overdraft_limit);
        IF 'run_charged_before' = ANY (v_warnings) THEN
            e.answer_rest := COALESCE(e.answer_rest, '{}') || jsonb_build_object('run_charged_before',
                jsonb_build_object('entry_id', b.entry_id, 'product', b.product,
                'recorded_at', to_char(b.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')));
        END IF;
        v_ignored := CASE WHEN v_local IS NOT NULL AND NOT v_is_local THEN '{local_charge_ignored}' ELSE '{}' END;
        IF v_warnings || v_ignored <> '{}' THEN
            e.answer_rest := COALESCE(e.answer_rest, '{}') || jsonb_build_object('warnings', v_warnings || v_ignored);
        END IF;
        a := credits_post(e, v_released, v_force);
        IF h.id IS NOT NULL THEN
            IF h.free_quantity > 0 AND v_reserved = 0 THEN
                PERFORM credits_use_free(h.account_id, h.product_id, h.operation, h.free_month, -h.free_quantity);
            END IF;
            UPDATE credits_hold SET status = 'captured', ended_at = v_now WHERE id = h.id;
            -- Where the hold had kept a grant from expiring, whoever comes next looks.
            UPDATE credits_creditaccount SET next_due_at = v_now WHERE organization_id = e.account_id AND EXISTS (
                SELECT 1 FROM credits_creditgrant g
                WHERE g.account_id = e.account_id AND NOT g.is_spent AND g.expires_at <= v_now);
        END IF;
        -- Each warning is a line on the drift page, but for the one that only says what was ignored.
        PERFORM credits_note_drift(w, v_product, e, a.balance, v_price) FROM unnest(v_warnings) w;
        IF 'run_charged_before' = ANY (v_warnings) THEN
            PERFORM credits_note_drift('run_charged_before', b.product_id, e, a.balance, v_price)
                WHERE b.product_id <> v_product;
        END IF;
        PERFORM credits_note_drift('amount', v_product, e, a.balance, v_price) WHERE v_is_local AND v_local <> v_price;
        answer := credits_answer(e);
        outcome := 'charged';
        RETURN NEXT; RETURN;
    END charge;
    -- Nothing is charged: what it was decided upon goes back, to be explained.
    facts := to_jsonb(f);
    RETURN NEXT;
END $$;

-- Many consumptions in one transaction, with what they have in common apart; accounts locked in their order: what can be
-- decided at once, at once, the rest one by one; each item's outcome with its place, from 1. Where an item must be sent
-- again, what follows it in its account waits with it ("later"), so that the order of items holds. The places of what is
-- locked and of what is done are arrays, since a join with so many places would look at each pair.
CREATE OR REPLACE FUNCTION credits_consume_batch_4(
    p_items jsonb, p_common jsonb, p_letters text, p_payments text[], p_states text[], p_overlays text[], p_statuses text[]
) RETURNS TABLE (place bigint, outcome text, answer jsonb, facts jsonb) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    i record;
    v_items credits_item_2[] := ARRAY(SELECT x FROM jsonb_populate_recordset(NULL::credits_item_2, p_items) x);
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
    FOR i IN SELECT s.place, s.outcome, s.answer, s.facts FROM credits_consume_set_4(
        v_items, p_common, v_locked, p_letters, p_payments, p_states, p_overlays, p_statuses) s
    LOOP
        place := i.place; outcome := i.outcome; answer := i.answer; facts := i.facts;
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
            SELECT c.outcome, c.answer, c.facts INTO outcome, answer, facts FROM credits_consume_4(
                p_common || i.item, p_letters, p_payments, p_states, p_overlays, p_statuses) c;
            IF outcome IN ('due', 'free_boundary', 'stale_policy') THEN
                v_blocked := i.account;
            END IF;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;

-- What the release before sends while both run: one store of keys for both.
CREATE OR REPLACE FUNCTION credits_consume_3(
    p jsonb, p_letters text, p_payments text[], p_states text[], p_overlays text[], p_statuses text[]
) RETURNS TABLE (outcome text, answer jsonb, facts jsonb) LANGUAGE sql AS $$
    SELECT * FROM credits_consume_4(p, p_letters, p_payments, p_states, p_overlays, p_statuses)
$$;
CREATE OR REPLACE FUNCTION credits_consume_batch_3(
    p_items jsonb, p_common jsonb, p_letters text, p_payments text[], p_states text[], p_overlays text[], p_statuses text[]
) RETURNS TABLE (place bigint, outcome text, answer jsonb, facts jsonb) LANGUAGE sql AS $$
    SELECT * FROM credits_consume_batch_4(p_items, p_common, p_letters, p_payments, p_states, p_overlays, p_statuses)
$$;
