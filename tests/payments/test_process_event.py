"""From a signed event to the payment config, the workspace subscription and the mirror (spec 04)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.core.ids import RequestId
from apps.payments.contracts import ProviderEvent
from apps.payments.models import ProviderInvoice, ProviderSubscription
from apps.payments.processing import ProcessingResult, process
from apps.payments.providers.contract import payment_provider
from apps.payments.services import events, webhook_event_process
from apps.subscriptions.enums import Provider
from apps.subscriptions.models import WorkspaceSubscription
from tests.contexts import console_context
from tests.payments.cast import NOON, Stripe, make_tenant, post, stored
from tests.payments.on_time import deliver
from tests.subscriptions.cast import make_plan

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_checkout_a_subscription_and_a_paid_invoice() -> None:
    tenant, plan = make_tenant(), make_plan()
    stripe = Stripe(tenant)
    deliver(stripe.checkout(NOON))
    assert tenant.status == "okay"
    assert tenant.config.payment_provider_id == tenant.customer
    deliver(stripe.event("customer.subscription.created", stripe.subscription("active"), NOON))
    record = WorkspaceSubscription.objects.get(workspace=tenant.workspace)
    assert (record.state, record.managed_by, record.plan_id, record.started_at) == ("active", "stripe", plan.pk, NOON)
    assert record.current_period_end == NOON + timedelta(days=30)
    assert tenant.config.subscription_status == "subscribed"
    deliver(stripe.event("invoice.paid", stripe.invoice("1", "paid"), NOON))
    invoice = ProviderInvoice.objects.get(organization=tenant.organization)
    assert (invoice.status, invoice.currency, invoice.amount_paid_minor) == ("paid", "EUR", 4900)


def test_a_failed_payment_starts_grace_at_its_own_time() -> None:
    tenant = make_tenant()
    stripe = Stripe(tenant)
    failed = stripe.event("invoice.payment_failed", stripe.invoice("1", "open"), NOON)
    deliver(stripe.checkout(NOON - timedelta(days=1)), failed)
    assert tenant.status == "grace_period"
    assert tenant.config.grace_period_end_at == NOON + timedelta(days=14)
    deliver(stripe.event("invoice.paid", stripe.invoice("1", "paid"), NOON + timedelta(days=1)))
    assert tenant.status == "okay"
    assert tenant.config.grace_period_end_at is None


def test_an_end_of_the_subscription() -> None:
    tenant = make_tenant()
    make_plan()
    stripe = Stripe(tenant)
    gone = stripe.event("customer.subscription.deleted", stripe.subscription("canceled"), NOON + timedelta(days=3))
    deliver(stripe.checkout(NOON), gone)
    assert tenant.config.subscription_status == "unsubscribed"
    record = WorkspaceSubscription.objects.get(workspace=tenant.workspace)
    assert (record.state, record.ended_at) == ("ended", NOON + timedelta(days=3))
    assert ProviderSubscription.objects.get().status == "ended"
    assert stored(gone).status == "processed"


def test_a_step_that_no_verb_makes_is_a_new_start() -> None:
    tenant = make_tenant()
    make_plan()
    stripe = Stripe(tenant)
    deliver(stripe.checkout(NOON))
    deliver(stripe.event("customer.subscription.created", stripe.subscription("active"), NOON))
    trial_end = NOON + timedelta(days=9)
    back = stripe.subscription("trialing", trial_end=int(trial_end.timestamp()))
    event = stripe.event("customer.subscription.updated", back, NOON + timedelta(days=1))
    deliver(event)
    assert stored(event).status == "processed"
    record = WorkspaceSubscription.objects.get()
    assert (record.state, record.trial_ends_at, record.started_at, record.ended_at) == (
        "trialing",
        trial_end,
        NOON,
        None,
    )


def test_an_event_that_races_the_checkout_of_its_customer_is_taken_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = make_tenant()
    stripe = Stripe(tenant)
    paid, checkout = stripe.event("invoice.paid", stripe.invoice("1", "paid"), NOON), stripe.checkout(NOON)
    assert post(paid) == 200

    def overtaken(event: ProviderEvent, *, request_id: RequestId) -> ProcessingResult:
        result = process(event, request_id=request_id)
        if event.event_id == paid["id"]:
            # While the first is still at work, the checkout that ties its customer is stored and processed.
            process(payment_provider(Provider.STRIPE).parse_event(checkout), request_id=request_id)
        return result

    monkeypatch.setattr(events, "process", overtaken)
    webhook_event_process(console_context(), event_pk=stored(paid).pk)
    assert stored(paid).status == "received"
    monkeypatch.undo()
    webhook_event_process(console_context(), event_pk=stored(paid).pk)
    assert stored(paid).status == "processed"
