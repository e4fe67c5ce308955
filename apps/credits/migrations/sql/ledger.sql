-- Takes `p_amount` from the live grants in burn order: priority, soonest expiry, oldest (spec 05). What they don't
-- cover waits for the next grants; that is returned. The caller holds the account's row.
CREATE OR REPLACE FUNCTION credits_burn(p_account uuid, p_entry uuid, p_sequence bigint, p_amount bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_left bigint := p_amount;
    v_take bigint;
    g record;
BEGIN
    -- Nearly always the first grant pays it all: one statement instead of three.
    WITH first AS (
        SELECT id, remaining FROM credits_creditgrant WHERE account_id = p_account AND NOT is_spent
        ORDER BY priority, expires_at, created_at, id LIMIT 1
    ), taken AS (
        UPDATE credits_creditgrant x SET remaining = x.remaining - p_amount FROM first
        WHERE x.id = first.id AND first.remaining >= p_amount RETURNING x.id
    )
    INSERT INTO credits_grantburn (entry_id, grant_id, amount) SELECT p_entry, taken.id, p_amount FROM taken;
    IF FOUND THEN
        RETURN 0;
    END IF;
    FOR g IN SELECT id, remaining FROM credits_creditgrant WHERE account_id = p_account AND NOT is_spent
        ORDER BY priority, expires_at, created_at, id
    LOOP
        v_take := LEAST(v_left, g.remaining);
        UPDATE credits_creditgrant SET remaining = remaining - v_take WHERE id = g.id;
        INSERT INTO credits_grantburn (entry_id, grant_id, amount) VALUES (p_entry, g.id, v_take);
        v_left := v_left - v_take;
        EXIT WHEN v_left = 0;
    END LOOP;
    IF v_left > 0 THEN
        INSERT INTO credits_uncoveredcharge (entry_id, account_id, sequence, amount_left)
        VALUES (p_entry, p_account, p_sequence, v_left);
    END IF;
    RETURN v_left;
END $$;

-- Posts one entry: moves the balance, gives the entry its place, and lets a charge burn grants. `p_released` is taken
-- off what is held. With `p_force` the debt is recorded though it breaks the floor, which then moves with it.
CREATE OR REPLACE FUNCTION credits_post(e credits_creditentry, p_released bigint, p_force boolean) RETURNS credits_creditaccount
LANGUAGE plpgsql AS $$
DECLARE
    a credits_creditaccount;
    v_uncovered bigint;
BEGIN
    UPDATE credits_creditaccount SET balance = balance + e.amount, held = held - p_released,
        last_sequence = last_sequence + 1,
        floor = CASE WHEN p_force THEN LEAST(floor, balance + e.amount - held + p_released) ELSE floor END
    WHERE organization_id = e.account_id RETURNING * INTO STRICT a;
    e.sequence := a.last_sequence;
    e.balance_after := a.balance;
    INSERT INTO credits_creditentry SELECT e.*;
    IF e.amount < 0 AND e.kind IN ('consumption', 'capture', 'adjustment') THEN
        -- An assignment: `PERFORM` would be a query of its own.
        v_uncovered := credits_burn(e.account_id, e.id, e.sequence, -e.amount);
    END IF;
    RETURN a;
END $$;
