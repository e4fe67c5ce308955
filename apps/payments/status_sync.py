"""Syncs an organization's payment config with the mirror (spec 04): payment status and subscription status.

Called in the transaction that changed the mirror, with the config locked, so that events of one organization that are
processed at the same time each see what the other wrote.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q, QuerySet

from apps.core import clock
from apps.core.amounts import format_minor
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.payments.contracts import ProviderEvent
from apps.payments.enums import InvoiceStatus, ProviderSubscriptionStatus, ReviewKind
from apps.payments.models import (
    GraceAnchor,
    ProviderCustomer,
    ProviderInvoice,
    ProviderPaymentMethod,
    ProviderSubscription,
)
from apps.payments.rules.following import subscription_scope, subscription_statuses, subscription_steps
from apps.payments.rules.statuses import (
    InvoiceFacts,
    PaymentFacts,
    PaymentStep,
    payment_facts,
    standing_of,
    steps_towards,
)
from apps.payments.workspace_sync import open_reviews
from apps.subscriptions.contracts import (
    Lock,
    MarkOkay,
    PaymentConfigChange,
    PaymentStanding,
    ProviderNews,
    ReanchorGrace,
    SetSubscriptionStatus,
    StartGrace,
    Unlock,
)
from apps.subscriptions.enums import PaymentStatus, SubscriptionStatus
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.subscriptions.rules.payment_transitions import (
    grace_end,
    is_in_grace,
    is_legal,
)
from apps.subscriptions.selectors.records import payment_config_for_update
from apps.subscriptions.services import payment_config_change

# Stripe's words: the first invoice of a subscription; an invoice that is sent, to be paid by its due date.
_CREATES_SUBSCRIPTION, SENT = "subscription_create", "send_invoice"
IS_SENT = Q(status=InvoiceStatus.OPEN, due_at__isnull=False, collection_method=SENT)


def load_payment_facts(organization_id: OrganizationId) -> PaymentFacts:
    """What the mirrored invoices and checkouts of the organization say now."""
    rows = ProviderInvoice.objects.filter(organization=organization_id).exclude(_UNIMPORTANT)
    invoices = [_facts_of(row) for row in rows.defer("hosted_invoice_url", "invoice_pdf")]
    has_paid = Q(organization=organization_id, amount_paid_minor__gt=0)
    is_good = _has_completed_checkout(organization_id) or ProviderInvoice.objects.filter(has_paid).exists()
    return payment_facts(invoices, has_completed_checkout=is_good, now=clock.now())


def _has_completed_checkout(organization_id: OrganizationId) -> bool:
    """Whether a checkout was completed and paid, or had nothing to pay and there is a way to pay on file (spec 04).

    A way to pay counts once we have heard of it, also where it is gone since: else news that come late, of before it
    was removed, would end in another status than the same news in their order.
    """
    customers = ProviderCustomer.objects.filter(organization=organization_id)
    is_any = Q(checkout_completed_at__isnull=False) | Q(free_checkout_at__isnull=False)
    paid_at = list(customers.filter(is_any).values_list("checkout_completed_at", flat=True))
    if not paid_at or any(moment is not None for moment in paid_at):
        return bool(paid_at)
    named = Q(organization=organization_id, method_named_at__isnull=False)
    return (
        ProviderPaymentMethod.objects.filter(organization=organization_id).exists()
        or customers.filter(named).exists()
        or ProviderSubscription.objects.filter(named).exists()
    )


# Paid without ever failing: years of them would be read for one bit, which is asked for by itself.
_UNIMPORTANT = Q(failed_at__isnull=True, uncollectible_at__isnull=True) & ~Q(IS_SENT)


def _facts_of(row: ProviderInvoice) -> InvoiceFacts:
    return InvoiceFacts(
        external_id=row.external_id,
        status=InvoiceStatus(row.status),
        failed_at=row.failed_at,
        uncollectible_at=row.uncollectible_at,
        is_lock_settled=row.lock_settled_at is not None,
        paid_minor=row.amount_paid_minor,
        creates_subscription=row.billing_reason == _CREATES_SUBSCRIPTION,
        due_at=row.due_at if row.collection_method == SENT else None,
        is_forgiven=row.forgiven_at is not None,
        told_at=row.told_at,
    )


def read_standing(config: OrganizationPaymentConfig) -> PaymentStanding:
    """What staff hand the payment status back to: what the mirrored invoices say now (spec 04)."""
    facts = load_payment_facts(OrganizationId(config.organization_id))
    ends_at = _grace_end(config, facts)
    status = standing_of(facts, ends_at=ends_at, now=clock.now())
    return PaymentStanding(status, ends_at if is_in_grace(status) else None)


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
    store_grace_anchor(organization_id, facts)
    _review_late_payment(organization_id, facts)


def sync_subscription_status(context: ExecutionContext, config: OrganizationPaymentConfig) -> None:
    """Set what the mirrored subscriptions say: subscribed while one runs, unsubscribed once all that ran have ended.

    Subscribed for the named workspaces alone while each that runs names one (spec 03, rule 5).
    """
    organization_id = OrganizationId(config.organization_id)
    # One that ended before it started never ran: it is kept, and unsubscribes nobody (spec 04).
    has_run = ~Q(status=ProviderSubscriptionStatus.ENDED) | Q(started_at__lt=F("ended_at"))
    mirrored = ProviderSubscription.objects.filter(has_run, organization=organization_id)
    told = mirrored.annotate(names_workspace=Q(workspace_id__isnull=False)).order_by()
    known = [
        (ProviderSubscriptionStatus(status), names_workspace)
        for status, names_workspace in told.values_list("status", "names_workspace").distinct()
    ]
    desired, scope = subscription_statuses(status for status, _ in known), subscription_scope(known)
    current = SubscriptionStatus(config.subscription_status)
    steps = subscription_steps(desired, current)
    if not steps and desired and config.subscription_scope != scope:
        steps = desired[-1:]
    for status in steps:
        payment_config_change(context, organization_id=organization_id, change=SetSubscriptionStatus(status, scope))


def _change_for(
    step: PaymentStep, facts: PaymentFacts, config: OrganizationPaymentConfig, anchor: GraceAnchor | None
) -> PaymentConfigChange:
    since = facts.unpaid_since
    if step is PaymentStep.LOCK:
        return Lock()
    if step is PaymentStep.START_GRACE and since is not None:
        return StartGrace(since, told_at=facts.told_at)
    if step is PaymentStep.REANCHOR_GRACE and since is not None:
        return ReanchorGrace(since, keep_until=_extended_end(config, anchor), told_at=facts.told_at)
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


def store_grace_anchor(organization_id: OrganizationId, facts: PaymentFacts) -> None:
    """Write down what the grace period that runs, or the disabling after it, rests on, and that the owners are told.

    Leaving both for good clears it (`config_handlers`). A disabling rests on what it rested on before.
    """
    config = payment_config_for_update(organization_id)
    if config is None or facts.unpaid_since is None or not is_in_grace(PaymentStatus(config.payment_status)):
        return
    ends_at = _grace_end(config, facts)
    if facts.told_at is None:
        unpaid = ProviderInvoice.objects.filter(organization=organization_id, external_id=facts.unpaid)
        unpaid.update(told_at=clock.now())
    GraceAnchor.objects.update_or_create(
        organization_id=organization_id, defaults={"anchored_at": facts.unpaid_since, "ends_at": ends_at}
    )


def anchor_standing(config: OrganizationPaymentConfig) -> None:
    """Write down what a config rests on that staff have just handed back, in grace or disabled."""
    facts = load_payment_facts(OrganizationId(config.organization_id))
    store_grace_anchor(OrganizationId(config.organization_id), facts)
    if facts.unpaid_since is not None and not is_in_grace(PaymentStatus(config.payment_status)):
        GraceAnchor.objects.update_or_create(
            organization_id=config.organization_id,
            defaults={"anchored_at": facts.unpaid_since, "ends_at": _grace_end(config, facts)},
        )


def _grace_end(config: OrganizationPaymentConfig, facts: PaymentFacts) -> datetime | None:
    if facts.unpaid_since is None:
        return None
    notice = timedelta(days=settings.GRACE_NOTICE_DAYS)
    told_at = facts.told_at or clock.now()
    return grace_end(facts.unpaid_since, told_at, days=config.grace_period_days, notice=notice)


def _review_late_payment(organization_id: OrganizationId, facts: PaymentFacts) -> None:
    """Ask staff about money that came for an invoice that had been given up: only they unlock (spec 04)."""
    config = payment_config_for_update(organization_id)
    if config is None or not facts.paid_late or not is_legal(Unlock.verb, PaymentStatus(config.payment_status)):
        return
    rows = ProviderInvoice.objects.filter(organization=organization_id, external_id__in=facts.paid_late)
    named = ", ".join(describe_invoice(row) for row in rows.order_by("external_id"))
    sentence = (
        f"Paid after it had been given up: {named}. The organization is still locked; unlock it if all is in order."
    )
    open_reviews(organization_id, None, {ReviewKind.PAID_WHILE_LOCKED: sentence})


def open_invoices(organization_id: OrganizationId) -> QuerySet[ProviderInvoice]:
    """What counts against the organization, the earliest first: unpaid after a failure or its due date, or given up."""
    return invoices_against([organization_id])


def invoices_against(organization_ids: Iterable[UUID]) -> QuerySet[ProviderInvoice]:
    """The same of many organizations."""
    failed = Q(status=InvoiceStatus.OPEN, failed_at__isnull=False) & ~Q(billing_reason=_CREATES_SUBSCRIPTION)
    due = IS_SENT & Q(due_at__lte=clock.now())
    rows = ProviderInvoice.objects.filter(organization__in=list(organization_ids), forgiven_at__isnull=True)
    return rows.filter(failed | due | Q(status=InvoiceStatus.UNCOLLECTIBLE)).order_by("issued_at", "pk")


def owed_until(config: OrganizationPaymentConfig, rows: Iterable[ProviderInvoice]) -> datetime | None:
    """Until when these invoices of `invoices_against` may stay unpaid: the end of the grace period that runs, which
    staff may have moved, or of the one that should; None where none is unpaid.
    """
    facts = payment_facts(map(_facts_of, rows), has_completed_checkout=False, now=clock.now())
    ends_at = _grace_end(config, facts)
    return None if ends_at is None else max(ends_at, config.grace_period_end_at or ends_at)


def describe_invoice(row: ProviderInvoice) -> str:
    """The invoice in a sentence: "A-1 (49.00 EUR, paid on 3 April 2026)"."""
    moment = row.paid_at if row.status == InvoiceStatus.PAID else row.failed_at or row.due_at
    word = {InvoiceStatus.PAID: "paid on", InvoiceStatus.UNCOLLECTIBLE: "given up, failed on"}.get(
        InvoiceStatus(row.status), "failed on" if row.failed_at else "due since"
    )
    when = f", {word} {moment.day} {moment:%B %Y}" if moment else ""
    amount = format_minor(row.total_minor, row.currency) if row.currency else ""
    return f"{row.number or row.external_id} ({amount}{when})"
