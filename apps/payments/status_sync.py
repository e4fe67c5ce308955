"""Syncs an organization's payment config with the mirror (spec 04): payment status and subscription status.

Called in the transaction that changed the mirror, with the config locked, so that events of one organization that are
processed at the same time each see what the other wrote.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import F, Q

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.core.moments import after
from apps.payments.contracts import ProviderEvent
from apps.payments.enums import InvoiceStatus, ProviderSubscriptionStatus
from apps.payments.models import GraceAnchor, ProviderCustomer, ProviderInvoice, ProviderSubscription
from apps.payments.rules.statuses import (
    InvoiceFacts,
    PaymentFacts,
    PaymentStep,
    payment_facts,
    steps_towards,
    subscription_statuses,
    subscription_steps,
)
from apps.subscriptions.contracts import (
    Lock,
    MarkOkay,
    PaymentConfigChange,
    ProviderNews,
    ReanchorGrace,
    SetSubscriptionStatus,
    StartGrace,
)
from apps.subscriptions.enums import PaymentStatus, SubscriptionStatus
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.subscriptions.rules.payment_transitions import SUBSCRIPTION_STATUS_MAY_BECOME, grace_length, is_in_grace
from apps.subscriptions.selectors.records import payment_config_for_update
from apps.subscriptions.services import payment_config_change


def load_payment_facts(organization_id: OrganizationId) -> PaymentFacts:
    """What the mirrored invoices and checkouts of the organization say."""
    rows = ProviderInvoice.objects.filter(organization=organization_id).exclude(_UNIMPORTANT)
    values = rows.values_list("external_id", "status", "failed_at", "uncollectible_at", "lock_settled_at")
    invoices = [
        InvoiceFacts(external_id, InvoiceStatus(status), failed_at, uncollectible_at, settled_at is not None)
        for external_id, status, failed_at, uncollectible_at, settled_at in values
    ]
    checkouts = ProviderCustomer.objects.filter(organization=organization_id, checkout_completed_at__isnull=False)
    has_paid = Q(organization=organization_id, status=InvoiceStatus.PAID)
    is_good = checkouts.exists() or ProviderInvoice.objects.filter(has_paid).exists()
    return payment_facts(invoices, has_completed_checkout=is_good)


# Paid without ever failing: years of them would be read for one bit, which is asked for by itself.
_UNIMPORTANT = Q(failed_at__isnull=True, uncollectible_at__isnull=True)


def sync_payment_status(
    context: ExecutionContext, config: OrganizationPaymentConfig, event: ProviderEvent | None
) -> None:
    """Make the changes that the mirror calls for; while staff decide, they are stored as evidence instead."""
    organization_id = OrganizationId(config.organization_id)
    facts = load_payment_facts(organization_id)
    anchor = GraceAnchor.objects.filter(organization=organization_id).first()
    status = PaymentStatus(config.payment_status)
    for step in steps_towards(facts, status, anchor.anchored_at if anchor else None):
        change = _change_for(step, facts, config, anchor)
        payment_config_change(
            context, organization_id=organization_id, change=change, news=_provider_news(event, facts, step)
        )
    _mark_locks_decided(organization_id, facts)
    _store_grace_anchor(organization_id, facts)


def sync_subscription_status(context: ExecutionContext, config: OrganizationPaymentConfig) -> None:
    """Set what the mirrored subscriptions say: subscribed while one runs, unsubscribed once all that ran have ended."""
    organization_id = OrganizationId(config.organization_id)
    # One that ended before it started never ran: it is kept, and unsubscribes nobody (spec 04).
    has_run = ~Q(status=ProviderSubscriptionStatus.ENDED) | Q(started_at__lt=F("ended_at"))
    mirrored = ProviderSubscription.objects.filter(has_run, organization=organization_id)
    statuses = mirrored.order_by().values_list("status", flat=True).distinct()
    desired = subscription_statuses(ProviderSubscriptionStatus(status) for status in statuses)
    current = SubscriptionStatus(config.subscription_status)
    for status in subscription_steps(desired, current, SUBSCRIPTION_STATUS_MAY_BECOME):
        payment_config_change(context, organization_id=organization_id, change=SetSubscriptionStatus(status))


def _change_for(
    step: PaymentStep, facts: PaymentFacts, config: OrganizationPaymentConfig, anchor: GraceAnchor | None
) -> PaymentConfigChange:
    since = facts.unpaid_since
    if step is PaymentStep.LOCK:
        return Lock()
    if step is PaymentStep.START_GRACE and since is not None:
        return StartGrace(since)
    if step is PaymentStep.REANCHOR_GRACE and since is not None:
        return ReanchorGrace(since, keep_until=_extended_end(config, anchor))
    return MarkOkay()


def _extended_end(config: OrganizationPaymentConfig, anchor: GraceAnchor | None) -> datetime | None:
    """The end that staff have promised by extending; None where the end is the anchor's own."""
    end = config.grace_period_end_at
    return end if end is not None and anchor is not None and end > anchor.ends_at else None


def _provider_news(event: ProviderEvent | None, facts: PaymentFacts, step: PaymentStep) -> ProviderNews | None:
    if event is None:
        return None
    external_id = event.snapshot.external_id if event.snapshot else ""
    object_id = {PaymentStep.LOCK: next(iter(facts.given_up), ""), PaymentStep.START_GRACE: facts.unpaid}
    return ProviderNews(object_id.get(step) or external_id, step.value, event.occurred_at)


def _mark_locks_decided(organization_id: OrganizationId, facts: PaymentFacts) -> None:
    """Mark the invoices as decided, so that they don't lock again what staff unlock."""
    if facts.given_up:
        rows = ProviderInvoice.objects.filter(organization=organization_id, external_id__in=facts.given_up)
        rows.filter(lock_settled_at__isnull=True).update(lock_settled_at=clock.now())


def _store_grace_anchor(organization_id: OrganizationId, facts: PaymentFacts) -> None:
    """Write down what a grace period that runs now rests on. Leaving grace for good clears it (`consequences`)."""
    config = payment_config_for_update(organization_id)
    if config is None or facts.unpaid_since is None or not is_in_grace(PaymentStatus(config.payment_status)):
        return
    ends_at = after(facts.unpaid_since, grace_length(config.grace_period_days))
    GraceAnchor.objects.update_or_create(
        organization_id=organization_id, defaults={"anchored_at": facts.unpaid_since, "ends_at": ends_at}
    )
