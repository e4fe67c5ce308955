"""Handles every change of a payment config: connectors, grace anchor, e-mails, events that waited (spec 04).

Registered with `apps.subscriptions.handlers`; runs in the changing transaction, whoever changed the config.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.connectors.selectors.connectors import connectors_for_update
from apps.connectors.services import connectors_auto_disable, connectors_restore
from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.payments.grace import notify_grace_ended, notify_grace_started
from apps.payments.inbox import requeue_unmatched
from apps.payments.models import GraceAnchor
from apps.payments.rules.statuses import CauseChange, causes_of_payment, causes_of_subscription, keeps_anchor
from apps.payments.tracking import GraceEnded, GraceStarted, Tracked, billing_event_record
from apps.subscriptions.enums import PaymentStatus, SubscriptionStatus
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.subscriptions.models.payment_configs import CUSTOMER_FIELDS
from apps.subscriptions.rules.payment_transitions import is_in_grace


def handle_payment_config_change(
    context: ExecutionContext, *, config: OrganizationPaymentConfig, before: Mapping[str, Any]
) -> None:
    """Handle the change; each part returns at once where its fields did not change."""
    _switch_connectors(context, config, before)
    _handle_grace(context, config, before)
    for provider, field in CUSTOMER_FIELDS.items():
        customer_id = getattr(config, field)
        if customer_id and customer_id != before[field]:
            requeue_unmatched(provider, customer_id)


def _switch_connectors(context: ExecutionContext, config: OrganizationPaymentConfig, before: Mapping[str, Any]) -> None:
    changes: list[CauseChange] = []
    status, subscription = PaymentStatus(config.payment_status), SubscriptionStatus(config.subscription_status)
    if before["payment_status"] != status:
        changes += causes_of_payment(status)
    if before["subscription_status"] != subscription:
        changes += causes_of_subscription(subscription)
    organization_id = OrganizationId(config.organization_id)
    if changes:
        # All of them at once, before anything of them is written.
        connectors_for_update(organization_id, None)
    for change in changes:
        switch = connectors_auto_disable if change.is_arrival else connectors_restore
        switch(context, organization_id=organization_id, reason=change.reason)


def _handle_grace(context: ExecutionContext, config: OrganizationPaymentConfig, before: Mapping[str, Any]) -> None:
    status, was = PaymentStatus(config.payment_status), PaymentStatus(before["payment_status"])
    if was == status:
        return
    if not keeps_anchor(status):
        GraceAnchor.objects.filter(organization=config.organization_id).delete()
    if is_in_grace(status):
        _track(context, config, GraceStarted(config.grace_period_end_at))
        notify_grace_started(context, config)
        return
    if is_in_grace(was):
        _track(context, config, GraceEnded(status.value))
    if is_in_grace(was) and keeps_anchor(status):
        notify_grace_ended(context, config, ended_at=before["grace_period_end_at"])


def _track(context: ExecutionContext, config: OrganizationPaymentConfig, properties: Tracked) -> None:
    billing_event_record(
        context,
        properties=properties,
        organization_id=OrganizationId(config.organization_id),
        occurred_at=clock.now(),
        # Each version of the config is one change of it.
        key=f"{properties.name.name.lower()}:{config.pk}:{config.version}",
    )
