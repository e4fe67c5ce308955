-- One item of a batch, as far as the items differ.
CREATE TYPE credits_item AS (
    lock bigint, key text, hash text, account_type text, account_id uuid, user_id uuid, workspace_id uuid,
    operation text, quantity bigint, outcome text, occurred_at timestamptz, is_late boolean, run_id text, hold_id uuid,
    is_known boolean, is_billable boolean, free_quantity bigint, charge bigint
);
