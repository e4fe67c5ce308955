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
        -- Both ends and OFFSET 0: else the planner takes a third of all entries for new, and reads the whole ledger.
        CROSS JOIN LATERAL (SELECT * FROM credits_creditentry one WHERE one.account_id = a.organization_id
            AND one.sequence > a.burned_sequence AND one.sequence <= a.last_sequence OFFSET 0) e
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
