-- Who decides on credits of the organization with the product: the exception for the organization, else the stable
-- percentage, else the product (apps.tenants.billing_modes says the same). The one place that the hot path asks.
CREATE OR REPLACE FUNCTION tenants_billing_mode(p_product uuid, p_organization uuid) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT COALESCE(
        (SELECT e.mode FROM tenants_billingmodeexception e
            WHERE e.product_id = p.id AND e.organization_id = p_organization),
        CASE WHEN p.percentage > 0 AND p_organization IS NOT NULL
            AND ('x' || substr(encode(sha256(uuid_send(p_organization)), 'hex'), 1, 8))::bit(32)::bigint % 100
                < p.percentage
            THEN p.percentage_mode END,
        p.billing_mode)
    FROM tenants_product p WHERE p.id = p_product
$$;
