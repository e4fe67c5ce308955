"""Shapes of events that other systems were reported to misread, each with the report that describes it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from apps.payments.models import ProviderDispute, ProviderInvoice, ProviderSubscription
from apps.subscriptions.models import WorkspaceSubscription
from tests.payments.cast import NOON, Stripe, deliver, make_tenant, seconds, stored
from tests.subscriptions.cast import make_plan

pytestmark = pytest.mark.django_db


@pytest.fixture
def stripe() -> Stripe:
    make_plan("team")
    found = Stripe(make_tenant())
    deliver(found.checkout(NOON))
    return found


def tell(stripe: Stripe, status: str, hours: int, step: str, **values: Any) -> dict[str, Any]:
    thing = stripe.subscription(status, **values)
    return stripe.event(f"customer.subscription.{step}", thing, NOON + timedelta(hours=hours))


def mirrored() -> ProviderSubscription:
    found: ProviderSubscription = ProviderSubscription.objects.get()
    return found


@pytest.mark.parametrize("step", ["updated", "deleted"])
def test_what_is_cancelled_while_paused_is_over(stripe: Stripe, step: str) -> None:
    """letsrevel/revel-backend#402: `pause_collection` stands beside `canceled`, and the pause must not win."""
    pause = {"pause_collection": {"behavior": "void", "resumes_at": None}}
    deliver(tell(stripe, "active", 0, "updated"), tell(stripe, "active", 1, "updated", **pause))
    assert mirrored().pause_behavior == "void"
    over = tell(stripe, "canceled", 2, step, **pause, ended_at=seconds(NOON + timedelta(hours=2)))
    deliver(over)
    assert (stored(over).status, mirrored().status) == ("processed", "ended")
    assert mirrored().ended_at == NOON + timedelta(hours=2)
    record = WorkspaceSubscription.objects.get(workspace=stripe.tenant.workspace)
    assert record.state == "ended"


def test_a_first_payment_that_never_came_ends_nothing_and_starts_nothing(stripe: Stripe) -> None:
    """pay-rails/pay#91: `incomplete_expired` with `canceled_at`, with no `ended_at` and no `cancel_at`."""
    deliver(tell(stripe, "incomplete", 0, "created"))
    gone = tell(stripe, "incomplete_expired", 23, "updated", canceled_at=seconds(NOON), cancel_at=None)
    deliver(gone)
    assert stored(gone).status == "processed"
    assert (mirrored().status, mirrored().cancel_at_period_end) == ("incomplete", False)
    assert not WorkspaceSubscription.objects.filter(state="active").exists()


def test_a_subscription_kept_after_all_is_cancelled_no_more(stripe: Stripe) -> None:
    """laravel/cashier-stripe#669: resumed at the provider, `cancel_at_period_end` is false and `canceled_at` null."""
    ends = tell(stripe, "active", 0, "updated", cancel_at_period_end=True, canceled_at=seconds(NOON))
    deliver(ends)
    assert mirrored().cancel_at_period_end
    deliver(tell(stripe, "active", 1, "updated", cancel_at_period_end=False, canceled_at=None, cancel_at=None))
    assert not mirrored().cancel_at_period_end
    assert not WorkspaceSubscription.objects.get(workspace=stripe.tenant.workspace).cancel_at_period_end


def test_a_dispute_from_the_dashboards_test_button_is_kept(stripe: Stripe) -> None:
    """stripe/stripe-java#650 and andrewculver/koudoku#20: the charge is an object, no evidence, no customer at all."""
    thing = {
        "id": "dp_00000000000000",
        "object": "dispute",
        "amount": 1000,
        "balance_transactions": [],
        "charge": {"id": "ch_00000000000000"},
        "created": seconds(NOON),
        "currency": "usd",
        "evidence_sub_object": {},
        "evidence_details": {"due_by": seconds(NOON + timedelta(days=19)), "submission_count": 0},
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "reason": "general",
        "status": "needs_response",
        "balance_transaction": "txn_00000000000000",
    }
    event = stripe.event("charge.dispute.created", thing, NOON)
    deliver(event)
    assert stored(event).status == "unmatched"
    assert "ch_00000000000000" in stored(event).error
    assert not ProviderDispute.objects.exists()


@pytest.mark.parametrize("parent", [None, {"type": "quote_details", "quote_details": {"quote": "qt_1"}}])
def test_an_invoice_that_is_of_no_subscription_is_paid_all_the_same(stripe: Stripe, parent: Any) -> None:
    """thoughtbot/upcase#665, OpenPipe/OpenPipe#619: a paid invoice that names no subscription."""
    paid = stripe.event("invoice.paid", stripe.invoice("one", "paid", parent=parent), NOON)
    deliver(paid)
    assert stored(paid).status == "processed"
    assert ProviderInvoice.objects.get().status == "paid"


def test_both_places_of_the_period_are_read(stripe: Stripe) -> None:
    """dj-stripe/dj-stripe#2196, better-auth/better-auth#2087: the period stands with the subscription or its items."""
    end = NOON + timedelta(days=12)
    item = {"id": "si_1", "price": {"id": "price_team", "lookup_key": "team"}}
    old = {"current_period_start": seconds(NOON), "current_period_end": seconds(end)}
    deliver(tell(stripe, "active", 0, "updated", items={"object": "list", "data": [item]}, **old))
    assert mirrored().period_end == end
    later = {**item, "current_period_start": seconds(end), "current_period_end": seconds(end + timedelta(days=30))}
    deliver(tell(stripe, "active", 300, "updated", items={"object": "list", "data": [later]}))
    assert (mirrored().period_start, mirrored().period_end) == (end, end + timedelta(days=30))
