-- The letter of the lifecycle gate for these facts. The letters are the WorkspaceLifecycleResolver's answers to every
-- combination, computed by it and handed over; this function only finds the place.
CREATE OR REPLACE FUNCTION credits_gate_letter_2(
    p_closed boolean, p_payment text, p_state text, p_overlay text, p_status text, p_only_named boolean,
    p_letters text, p_payments text[], p_states text[], p_overlays text[], p_statuses text[]
) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT substr(p_letters, 1 + ((((
        (CASE WHEN p_closed THEN 1 ELSE 0 END)
        * cardinality(p_payments) + array_position(p_payments, COALESCE(p_payment, 'uninitialized')) - 1)
        * cardinality(p_states) + array_position(p_states, COALESCE(p_state, '')) - 1)
        * cardinality(p_overlays) + array_position(p_overlays, COALESCE(p_overlay, '')) - 1)
        * cardinality(p_statuses) + array_position(p_statuses, COALESCE(p_status, 'pre_subscription')) - 1)
        * 2 + (CASE WHEN p_only_named THEN 1 ELSE 0 END), 1)
$$;
