-- The first charge of this run in this account that was not given back in full, whoever reported it. It is looked up by
-- hashes of run and account alone: named plainly, the account would let PostgreSQL read all of its entries instead,
-- wherever its statistics are old.
CREATE OR REPLACE FUNCTION credits_charged_before(p_account uuid, p_run text)
RETURNS TABLE (entry_id uuid, product_id uuid, product text, recorded_at timestamptz) LANGUAGE sql STABLE AS $$
    WITH same AS MATERIALIZED (
        SELECT x.* FROM credits_creditentry x
        WHERE hashtextextended(x.run_id, 0) = hashtextextended(p_run, 0)
            AND uuid_hash_extended(x.account_id, 0) = uuid_hash_extended(p_account, 0) AND x.run_id <> ''
    )
    SELECT s.id, s.product_id, t.slug::text, s.recorded_at FROM same s
    LEFT JOIN tenants_product t ON t.id = s.product_id
    WHERE s.run_id = p_run AND s.account_id = p_account AND s.kind IN ('consumption', 'capture')
        AND (s.shadow_charge > 0 OR -s.amount > COALESCE(
            (SELECT sum(r.amount) FROM credits_creditentry r WHERE r.reversal_of_id = s.id), 0))
    ORDER BY s.sequence LIMIT 1
$$;
