"""What there is of a person where the membership is missing (spec 01): one statement, and for denials alone."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from apps.core.errors import Reason
from apps.core.statements import fetch_all
from apps.tenants.missing_rules import MissingFacts, explain_missing
from apps.tenants.reconciliation_rules import Key

# $1: the pairs; $2: the product that asks; $3: whether its people see the answer, who may know of its own reports
# alone, and of an end and a user only what it could have read here (spec 02). Otherwise staff do.
_MISSING = """
WITH asked AS (
    SELECT (a.item->>0)::uuid AS organization_id, (a.item->>1)::uuid AS user_id
    FROM jsonb_array_elements($1::jsonb) a(item)
)
SELECT jsonb_build_object(
    'organization_id', a.organization_id, 'user_id', a.user_id,
    'product', COALESCE((SELECT p.slug FROM tenants_product p WHERE p.id = $2::uuid), ''),
    'removed_at', r.removed_at, 'removed_by', COALESCE(r.removed_by, ''),
    'is_user_known', r.removed_at IS NOT NULL OR EXISTS (
        SELECT 1 FROM tenants_user u WHERE u.id = a.user_id AND (NOT $3::boolean OR u.created_by_product_id = $2::uuid
            OR EXISTS (SELECT 1 FROM tenants_membership m JOIN tenants_productrelation l
                ON l.organization_id = m.organization_id AND l.product_id = $2::uuid WHERE m.user_id = u.id))),
    'is_silent', $2::uuid IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM tenants_membership m WHERE m.origin_product_id = $2::uuid)
        AND NOT EXISTS (SELECT 1 FROM tenants_membershipdrift d WHERE d.product_id = $2::uuid)
        AND NOT EXISTS (SELECT 1 FROM tenants_reconciliationrun n WHERE n.product_id = $2::uuid AND n.received > 0),
    'reports', COALESCE((SELECT jsonb_agg(to_jsonb(x) - 'day' ORDER BY x.day DESC, x.record) FROM (
        SELECT y.*, COALESCE(y.reported_at, y.seen_at) AS day FROM (
            SELECT p.slug AS product, 'membership_drift:' || d.id AS record, d.reported_at, d.last_seen_at AS seen_at,
                d.drift_class, NULLIF(d.resolution, '') AS resolution, NULL AS run_status, NULL AS stop_reason
            FROM tenants_membershipdrift d JOIN tenants_product p ON p.id = d.product_id
            WHERE d.organization_id = a.organization_id AND d.user_id = a.user_id
                AND d.reported NOT IN ('absent', 'removed') AND (NOT $3::boolean OR d.product_id = $2::uuid)
            UNION ALL
            SELECT p.slug, 'reconciliation_run:' || n.id, max(m.changed_at), n.created_at, NULL, NULL, n.status,
                NULLIF(n.stop_reason, '')
            FROM tenants_reconciliationrun n JOIN tenants_product p ON p.id = n.product_id
                JOIN tenants_reportedmember m ON m.run_id = n.id
                    AND m.organization_id = a.organization_id AND m.user_id = a.user_id
            WHERE n.is_staged AND n.status IN ('receiving', 'queued', 'running', 'waiting')
                AND (NOT $3::boolean OR n.product_id = $2::uuid)
            GROUP BY p.slug, n.id
        ) y ORDER BY day DESC, y.record LIMIT 5
    ) x), '[]'::jsonb))
FROM asked a LEFT JOIN LATERAL (
    SELECT e.removed_at, b.slug AS removed_by FROM tenants_membershipremoval e
    LEFT JOIN tenants_product b ON b.id = e.reported_by_id AND (NOT $3::boolean OR b.id = $2::uuid)
    WHERE e.organization_id = a.organization_id AND e.user_id = a.user_id
        AND (NOT $3::boolean OR e.reported_by_id = $2::uuid OR EXISTS (SELECT 1 FROM tenants_productrelation l
            WHERE l.organization_id = e.organization_id AND l.product_id = $2::uuid AND l.created_at <= e.removed_at))
) r ON true
"""


def missing_memberships(
    keys: Sequence[Key], *, product_id: UUID | None, is_for_product: bool = True
) -> dict[Key, Reason]:
    """Why each of these users is no member of the organization beside them: for the product's eyes, or for staff's."""
    pairs = msgspec.json.encode([(organization_id, user_id) for organization_id, user_id in dict.fromkeys(keys)])
    is_limited = "true" if is_for_product else "false"
    rows = fetch_all(_MISSING, (pairs.decode(), product_id, is_limited))
    found = [msgspec.json.decode(text, type=MissingFacts) for (text,) in rows]
    return {(facts.organization_id, facts.user_id): explain_missing(facts) for facts in found}
