"""The payment config that comes into being with its organization (spec 02, Membership authority)."""

from __future__ import annotations

from django.db import transaction

from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.ids import AuditTarget, OrganizationId
from apps.core.row_versions import row_versions_attribute
from apps.subscriptions import events
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.subscriptions.snapshots import PAYMENT_CONFIG_TARGET, payment_config_values


@transaction.atomic
def payment_config_create(context: ExecutionContext, *, organization_id: OrganizationId) -> OrganizationPaymentConfig:
    """Make the config of a new organization, in the transaction that makes the organization; one each."""
    row_versions_attribute(context)
    config = OrganizationPaymentConfig.objects.create(organization_id=organization_id)
    audit_append(
        context,
        events.PAYMENT_CONFIG_CREATED,
        AuditTarget(PAYMENT_CONFIG_TARGET, config.pk, organization_id),
        after=payment_config_values(config),
    )
    return config
