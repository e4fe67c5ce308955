-- One item of a batch, as far as the items differ.
CREATE TYPE credits_item_2 AS (
    lock bigint, key text, hash text, account_type text, account_id uuid, user_id uuid, workspace_id uuid,
    operation text, quantity bigint, outcome text, occurred_at timestamptz, run_id text, hold_id uuid,
    on_insufficient text, local_charge bigint, policy_id uuid,
    is_known boolean, is_billable boolean, free_quantity bigint, charge bigint
);

-- What was spent after one charge more: a charge beyond what is available is passed over (rules.allocation.affordable).
CREATE OR REPLACE FUNCTION credits_spend_step(p_spent bigint, p_due bigint, p_available bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_spent + p_due <= p_available THEN p_spent + p_due ELSE p_spent END
$$;
CREATE OR REPLACE AGGREGATE credits_spend(bigint, bigint) (
    SFUNC = credits_spend_step, STYPE = bigint, INITCOND = '0'
);
