"""Events beside the usual ones: deleted drafts, disputes, checkouts that wait; units, and one fact once (spec 04)."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from apps.core import clock
from apps.core.canonical import moment_text
from apps.payments.models import BillingEvent, ProviderDispute, ProviderInvoice, ProviderRefund
from tests.payments.cast import NOON, Stripe, deliver, make_tenant, stored
from tests.payments.test_match_disputes import charge_of, dispute_of
from tests.subscriptions.cast import make_plan

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def stripe() -> Stripe:
    found = Stripe(make_tenant())
    deliver(found.event("customer.created", found.customer(), NOON))
    return found


@pytest.mark.parametrize(
    ("currency", "told", "minor"), [("isk", 500, 5), ("ugx", 120_000, 1200), ("mga", 7, 700), ("kwd", 5120, 5120)]
)
def test_amounts_are_in_iso_units_wherever_they_stand(stripe: Stripe, currency: str, told: int, minor: int) -> None:
    charge = charge_of(stripe, "ch_1") | {"currency": currency, "amount": told, "amount_refunded": told}
    dispute = dispute_of(stripe, "ch_1")
    dispute["data"]["object"] |= {"currency": currency, "amount": told}
    deliver(
        stripe.event("invoice.paid", stripe.invoice("1", "paid", amount=told, currency=currency), NOON),
        stripe.event("charge.refunded", charge, NOON),
        dispute,
    )
    for value in (
        ProviderInvoice.objects.get().amount_paid_minor,
        ProviderRefund.objects.get().charged_minor,
        ProviderDispute.objects.get().amount_minor,
    ):
        assert value == minor


@pytest.mark.parametrize("is_late", [True, False])
def test_a_deleted_draft_stays_deleted(stripe: Stripe, is_late: bool) -> None:
    draft = stripe.invoice("1", "draft")
    events = [stripe.event("invoice.created", draft, NOON), stripe.event("invoice.deleted", draft, NOON + DAY)]
    deliver(*(reversed(events) if is_late else events))
    assert ProviderInvoice.objects.values_list("status", "deleted_at").get() == ("draft", NOON + DAY)


def test_an_overdue_invoice_is_mirrored_with_how_it_is_collected(stripe: Stripe) -> None:
    open_invoice = stripe.invoice(
        "1", "open", collection_method="send_invoice", billing_reason="manual", due_date=int(NOON.timestamp())
    )
    deliver(stripe.event("invoice.overdue", open_invoice, NOON + DAY))
    found = ProviderInvoice.objects.get()
    assert (found.collection_method, found.billing_reason, found.due_at) == ("send_invoice", "manual", NOON)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2), (2, 3, 1, 0)])
def test_a_disputes_life_ends_alike_in_any_order(stripe: Stripe, order: tuple[int, ...]) -> None:
    first = dispute_of(stripe, "ch_1")["data"]["object"]
    events = [
        stripe.event("charge.dispute.created", {**first, "status": "needs_response"}, NOON),
        stripe.event("charge.dispute.funds_withdrawn", {**first, "status": "needs_response"}, NOON),
        stripe.event("charge.dispute.updated", {**first, "status": "under_review"}, NOON + DAY),
        stripe.event("charge.dispute.closed", {**first, "status": "won"}, NOON + 2 * DAY),
    ]
    deliver(stripe.event("charge.refunded", charge_of(stripe, "ch_1"), NOON), *(events[place] for place in order))
    found = ProviderDispute.objects.get()
    assert (found.status, found.funds_withdrawn_at, found.closed_at) == ("won", NOON, NOON + 2 * DAY)
    deliver(stripe.event("charge.dispute.funds_reinstated", {**first, "status": "won"}, NOON + 3 * DAY))
    found.refresh_from_db()
    assert found.funds_reinstated_at == NOON + 3 * DAY


def checkout(stripe: Stripe, step: str, payment_status: str | None, at: Any) -> dict[str, Any]:
    thing = {**stripe.checkout(NOON)["data"]["object"], "payment_status": payment_status}
    return stripe.event(f"checkout.session.{step}", thing, at)


OUTCOMES = {
    "paid": ([("completed", "paid")], "okay"),
    "nothing to pay": ([("completed", "no_payment_required")], "uninitialized"),
    "unpaid yet": ([("completed", "unpaid")], "uninitialized"),
    "paid later": ([("completed", "unpaid"), ("async_payment_succeeded", "paid")], "okay"),
    "never paid": ([("completed", "unpaid"), ("async_payment_failed", "unpaid")], "uninitialized"),
    "expired": ([("expired", "unpaid")], "uninitialized"),
    "a word that is new": ([("completed", "authorized")], "uninitialized"),
}


@pytest.mark.parametrize("kind", OUTCOMES)
def test_a_checkout_counts_once_its_money_has_come(stripe: Stripe, kind: str) -> None:
    steps, status = OUTCOMES[kind]
    events = [checkout(stripe, step, word, NOON + place * DAY) for place, (step, word) in enumerate(steps)]
    deliver(*reversed(events))
    assert [stored(event).status for event in events] == ["processed"] * len(events)
    assert stripe.tenant.status == status


def ways_to_pay(stripe: Stripe) -> dict[str, list[dict[str, Any]]]:
    """How the provider tells of one, before and after a checkout on the next day."""
    method = {"id": "pm_1", "object": "payment_method", "type": "card", "customer": stripe.tenant.customer}
    default = {"invoice_settings": {"default_payment_method": "pm_1"}}
    trial = stripe.subscription("trialing", trial_end=int((NOON + 14 * DAY).timestamp()))
    attached = stripe.event("payment_method.attached", method, NOON)
    detached = stripe.event(
        "payment_method.detached",
        {**method, "customer": None},
        NOON + 3 * DAY,
        previous_attributes={"customer": stripe.tenant.customer},
    )
    return {
        "none": [],
        "a trial without one": [stripe.event("customer.subscription.created", trial, NOON)],
        "attached": [attached],
        "attached later": [stripe.event("payment_method.attached", method, NOON + 2 * DAY)],
        "attached, gone afterwards": [attached, detached],
        "the customer's default": [stripe.event("customer.updated", stripe.customer(**default), NOON)],
        "the customer's former default": [
            stripe.event("customer.updated", stripe.customer(**default), NOON),
            stripe.event("customer.updated", stripe.customer(), NOON + 2 * DAY),
        ],
        "the trial's own": [
            stripe.event("customer.subscription.created", {**trial, "default_payment_method": "pm_1"}, NOON)
        ],
    }


WAYS = {
    **dict.fromkeys(("none", "a trial without one"), "uninitialized"),
    **dict.fromkeys(("attached", "attached later", "attached, gone afterwards", "the trial's own"), "okay"),
    **dict.fromkeys(("the customer's default", "the customer's former default"), "okay"),
}


@pytest.mark.parametrize("mode", ["setup", "subscription"])
@pytest.mark.parametrize("kind", WAYS)
@pytest.mark.slow
def test_a_checkout_with_nothing_to_pay_counts_with_a_way_to_pay_in_any_order(
    stripe: Stripe, kind: str, mode: str
) -> None:
    make_plan()
    free = checkout(stripe, "completed", "no_payment_required", NOON + DAY)
    free["data"]["object"]["mode"] = mode
    events = [free, *ways_to_pay(stripe)[kind]]
    ends = []
    for order in itertools.permutations(events):
        before = transaction.savepoint()
        deliver(*order)
        ends.append(stripe.tenant.status)
        assert {stored(event).status for event in order} == {"processed"}
        transaction.savepoint_rollback(before)
    assert set(ends) == {WAYS[kind]}


def test_a_way_to_pay_alone_says_nothing(stripe: Stripe) -> None:
    make_plan()
    ways = ways_to_pay(stripe)
    deliver(*ways["attached"], *ways["the trial's own"])
    assert stripe.tenant.status == "uninitialized"


@pytest.mark.parametrize("step", ["pending_update_applied", "pending_update_expired"])
def test_pending_updates_are_news_of_the_subscription(stripe: Stripe, step: str) -> None:
    thing = {**stripe.subscription("active"), "metadata": {}}
    event = stripe.event(f"customer.subscription.{step}", thing, NOON)
    deliver(event)
    assert stored(event).status == "processed"
    assert stripe.tenant.config.subscription_status == "subscribed"


def test_one_failed_try_told_by_two_events_is_tracked_once(stripe: Stripe) -> None:
    for attempt, copies in ((1, 2), (2, 3)):
        for _ in range(copies):
            thing = stripe.invoice("1", "open", attempt_count=attempt)
            deliver(stripe.event("invoice.payment_failed", thing, NOON + attempt * DAY))
    assert BillingEvent.objects.filter(name="Invoice Payment Failed").count() == 2


def test_one_checkout_told_by_two_events_is_tracked_once(stripe: Stripe) -> None:
    deliver(checkout(stripe, "completed", "paid", NOON), checkout(stripe, "completed", "paid", NOON + DAY))
    assert BillingEvent.objects.filter(name="Checkout Session Completed").count() == 1


def test_a_try_without_a_number_is_tracked_by_its_event(stripe: Stripe) -> None:
    for day in (1, 2):
        deliver(stripe.event("invoice.payment_failed", stripe.invoice("1", "open"), NOON + day * DAY))
    assert BillingEvent.objects.filter(name="Invoice Payment Failed").count() == 2


def test_a_subscription_is_tracked_with_the_plan_that_its_price_names(stripe: Stripe) -> None:
    make_plan()
    running, ended = stripe.subscription("active"), stripe.subscription("canceled", ended_at=int(NOON.timestamp()) + 60)
    deliver(
        stripe.event("customer.subscription.created", running, NOON),
        stripe.event("customer.subscription.deleted", ended, NOON + DAY),
    )
    told = dict(BillingEvent.objects.values_list("name", "properties"))
    assert {name: told[name]["plan"] for name in ("Subscription Started", "Subscription Ended")} == {
        "Subscription Started": "team",
        "Subscription Ended": "team",
    }


@pytest.mark.parametrize(("amount", "told"), [(0, []), (-2_500, []), (4_900, [4_900])])
def test_an_invoice_paid_is_tracked_where_somebody_paid(stripe: Stripe, amount: int, told: list[int]) -> None:
    deliver(stripe.event("invoice.paid", stripe.invoice("1", "paid", amount=amount), NOON))
    paid = BillingEvent.objects.filter(name="Invoice Paid")
    assert [event.properties["amount_minor"] for event in paid] == told


def properties_of(name: str) -> list[dict[str, object]]:
    return list(BillingEvent.objects.filter(name=name).order_by("occurred_at").values_list("properties", flat=True))


@pytest.mark.parametrize("has_workspace", [True, False])
def test_changes_of_a_subscription_are_tracked_whoever_it_names(stripe: Stripe, has_workspace: bool) -> None:
    make_plan()
    make_plan("business")
    marks: dict[str, Any] = {} if has_workspace else {"metadata": {}}
    end = NOON + 20 * DAY
    steps = [
        ("created", stripe.subscription("active", **marks)),
        ("updated", stripe.subscription("active", cancel_at=int(end.timestamp()), **marks)),
        ("updated", stripe.subscription("active", cancel_at=int(end.timestamp()), **marks)),
        ("updated", stripe.subscription("active", **marks)),
        ("updated", stripe.subscription("active", plan="business", **marks)),
    ]
    deliver(
        *(
            stripe.event(f"customer.subscription.{step}", thing, NOON + number * DAY)
            for number, (step, thing) in enumerate(steps)
        )
    )
    workspace = str(stripe.tenant.workspace.pk) if has_workspace else None
    named = {
        "provider": "stripe",
        "subscription_id": steps[0][1]["id"],
        "plan": "team",
        "workspace_id": workspace,
    }
    assert properties_of("Subscription Started") == [named]
    assert properties_of("Subscription Cancelled") == [{**named, "cancel_at": moment_text(end)}]
    assert properties_of("Subscription Uncancelled") == [named]
    assert properties_of("Plan Phase Change") == [{**named, "plan": "business", "previous_plan": "team"}]


def test_a_checkout_is_tracked_with_its_session_and_subscription(stripe: Stripe) -> None:
    event = checkout(stripe, "completed", "paid", NOON)
    event["data"]["object"]["subscription"] = "sub_1"
    deliver(event)
    (told,) = properties_of("Checkout Session Completed")
    assert (told["session_id"], told["subscription_id"]) == (event["data"]["object"]["id"], "sub_1")


def test_a_grace_period_is_tracked_with_the_status_before_it(stripe: Stripe) -> None:
    at = clock.now().replace(microsecond=0)
    deliver(
        stripe.event("invoice.payment_failed", stripe.invoice("1", "open", attempt_count=1), at),
        stripe.event("invoice.paid", stripe.invoice("1", "paid"), at + timedelta(seconds=1)),
    )
    (began,), (ended,) = properties_of("Grace Period Started"), properties_of("Grace Period Ended")
    assert began["previous_payment_status"] == "uninitialized"
    assert (ended["payment_status"], ended["previous_payment_status"]) == ("okay", "grace_period")
