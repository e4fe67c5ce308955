"""Fills `subscription_scope` from the mirrored subscriptions, and from who set the status last (spec 03, rule 5).

Unaudited: the versions of the rows show it, and `apps.subscriptions.history` reads it there.
"""

from __future__ import annotations

from django.db import migrations

FILL = """
UPDATE subscriptions_organizationpaymentconfig c SET subscription_scope = told.scope
FROM (
    SELECT k.organization_id, CASE WHEN setter.kind = 'user' THEN 'staff' ELSE 'workspaces' END AS scope
    FROM subscriptions_organizationpaymentconfig k
    LEFT JOIN LATERAL (
        SELECT e.actor_kind AS kind FROM core_auditentry e
        WHERE e.organization_id = k.organization_id AND e.event = 'payment_config.subscription_status_set'
        ORDER BY e.sequence DESC LIMIT 1
    ) setter ON true
    WHERE k.subscription_status = 'subscribed' AND (setter.kind = 'user' OR (
        SELECT bool_and(s.workspace_id IS NOT NULL) FROM payments_providersubscription s
        WHERE s.organization_id = k.organization_id AND s.status NOT IN ('incomplete', 'ended')))
) told
WHERE c.organization_id = told.organization_id
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0011_periods_of_usage"), ("subscriptions", "0008_subscription_scope")]
    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]
