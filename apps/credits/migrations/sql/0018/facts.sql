-- Third version of what reads and consumes: the gate also knows whether each running subscription names a workspace
-- (spec 03, rule 5). Those of 0009 stay for the processes of the release before, which run beside this one while it is
-- rolled out. Each rule here stands in apps/credits/rules or apps/subscriptions/rules, which tests hold this to.

-- Everything that a decision about credits rests on, read in one snapshot. One row, whatever exists. The policy is that
-- in force when the run happened, and the first one for what happened before it. `only_named_workspaces`: as in LifecycleFacts.
CREATE OR REPLACE FUNCTION credits_facts_3(
    p_now timestamptz, p_at timestamptz, p_product uuid, p_type text, p_id uuid, p_user uuid, p_workspace uuid,
    p_operation text
) RETURNS TABLE (
    organization_id uuid, closed_at timestamptz, is_demo boolean, user_exists boolean, is_related boolean, role text,
    workspace_organization_id uuid, overlay_state text, overlay_reason text,
    payment_status text, grace_period_end_at timestamptz, subscription_status text, only_named_workspaces boolean,
    config_version integer, category_override text,
    subscription_id uuid, subscription_state text, managed_by text, subscription_version integer,
    trial_ends_at timestamptz, current_period_end timestamptz,
    has_account boolean, balance bigint, held bigint, overdraft_limit bigint, next_due_at timestamptz,
    policy_id uuid, policy_version integer, policy_from timestamptz, billing_mode text,
    free_used bigint, free_month date, free_month_ends_at timestamptz, is_late boolean
) LANGUAGE sql STABLE AS $$
    SELECT o.id, o.closed_at, o.is_demo,
        p_type = 'organization' OR EXISTS (SELECT 1 FROM tenants_user u WHERE u.id = p_id),
        CASE WHEN p_type = 'user' THEN credits_may_use_person(p_product, p_id)
            ELSE EXISTS (
                SELECT 1 FROM tenants_productrelation r WHERE r.organization_id = o.id AND r.product_id = p_product)
            OR (o.kind = 'individual' AND EXISTS (SELECT 1 FROM tenants_membership m
                WHERE m.organization_id = o.id AND m.role = 'owner' AND credits_may_use_person(p_product, m.user_id)))
            END,
        (SELECT m.role FROM tenants_membership m WHERE m.organization_id = o.id AND m.user_id = p_user),
        w.organization_id, w.manual_lifecycle_state, w.manual_lifecycle_reason,
        c.payment_status, c.grace_period_end_at, c.subscription_status,
        p_workspace IS NOT NULL AND COALESCE(c.subscription_scope = 'workspaces', false),
        c.version, c.usage_category_override,
        s.id, s.state, s.managed_by, s.version, s.trial_ends_at, s.current_period_end,
        a.organization_id IS NOT NULL, COALESCE(a.balance, 0), COALESCE(a.held, 0), COALESCE(a.overdraft_limit, 0),
        a.next_due_at,
        p.id, p.version, p.effective_from, product.billing_mode,
        COALESCE((SELECT q.used FROM credits_freequantity q
            WHERE q.account_id = o.id AND q.product_id = p_product AND q.operation = p_operation
            AND q.month = f.month), 0),
        f.month, (f.month + interval '1 month') AT TIME ZONE zone.name, f.is_late
    FROM (SELECT CASE WHEN p_type = 'organization' THEN p_id ELSE credits_account_of(p_type, p_id) END AS id) named
    LEFT JOIN tenants_organization o ON o.id = named.id
    CROSS JOIN LATERAL (SELECT COALESCE(o.time_zone, 'UTC') AS name) zone
    CROSS JOIN LATERAL credits_free_month(p_at, p_now, zone.name) f
    LEFT JOIN credits_creditaccount a ON a.organization_id = o.id
    LEFT JOIN subscriptions_organizationpaymentconfig c ON c.organization_id = o.id
    LEFT JOIN tenants_workspace w ON w.id = p_workspace
    LEFT JOIN subscriptions_workspacesubscription s ON s.workspace_id = w.id
    LEFT JOIN tenants_product product ON product.id = p_product
    LEFT JOIN LATERAL (
        (SELECT v.id, v.version, v.effective_from FROM credits_creditpolicy v
            WHERE v.product_id = p_product AND v.status = 'published' AND v.effective_from <= p_at
            ORDER BY v.version DESC LIMIT 1)
        UNION ALL
        (SELECT v.id, v.version, v.effective_from FROM credits_creditpolicy v
            WHERE v.product_id = p_product AND v.status = 'published' AND v.effective_from <= p_now
            ORDER BY v.version LIMIT 1)
        LIMIT 1
    ) p ON true
$$;
