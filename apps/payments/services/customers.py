"""Keeping the customer that was made for an organization (spec 04, Outbox and provider customers)."""

from __future__ import annotations

from django.db import transaction

from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.payments.inbox import CUSTOMER_FIELDS
from apps.subscriptions.contracts import SetProviderCustomer
from apps.subscriptions.enums import Provider
from apps.subscriptions.selectors.records import payment_config_for_update
from apps.subscriptions.services import payment_config_change


@transaction.atomic
def provider_customer_keep(
    context: ExecutionContext, *, organization_id: OrganizationId, provider: Provider, customer_id: str
) -> bool:
    """Keep the customer on the organization's config, unless one stands there; whether it was kept.

    One that stands there came by a checkout in the meantime, and is the one that pays. Gated, audited and refused as
    `payment_config_change` does.
    """
    config = payment_config_for_update(organization_id)
    if config is None or getattr(config, CUSTOMER_FIELDS[provider]):
        return False
    payment_config_change(context, organization_id=organization_id, change=SetProviderCustomer(provider, customer_id))
    return True
