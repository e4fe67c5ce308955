"""Kept events are decided by staff: one or all of a reason, processed again or dismissed, and back (spec 04)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from apps.core.enums import Role
from apps.core.errors import ConflictError, ForbiddenError, NotFoundError, UnprocessableError
from apps.core.models import AuditEntry
from apps.payments.models import Review, WebhookEvent
from apps.payments.providers.contract import read_from
from apps.payments.selectors.inbox import kept_groups
from apps.payments.services import (
    webhook_event_dismiss,
    webhook_event_process_again,
    webhook_events_process_alike,
)
from apps.subscriptions.enums import Provider
from tests.contexts import staff_context
from tests.payments.cast import NOON, Stripe, deliver, make_tenant, stored, sweep
from tests.payments.lives import StripeTruth
from tests.subscriptions.cast import REASON, make_plan

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def park(count: int, **values: Any) -> list[WebhookEvent]:
    """So many events that are parked because of these values of their invoices."""
    stripe = Stripe(make_tenant())
    events = [
        stripe.event("invoice.updated", {**stripe.invoice(str(number), "open"), **values}, NOON)
        for number in range(count)
    ]
    deliver(*events)
    return [stored(event) for event in events]


def test_what_waits_is_grouped_by_reason_and_field() -> None:
    park(3, status="on_hold")
    park(2, amount_paid="a lot")
    tenant = make_tenant()
    deliver(Stripe(tenant).event("invoice.paid", Stripe(tenant).invoice("1", "paid"), NOON))
    found = [(group.reason, group.field, group.count) for group in kept_groups()]
    assert found == [
        ("unreadable", "data.object.status", 3),
        ("unreadable", "data.object.amount_paid", 2),
        ("customer_unknown", "", 1),
    ]


def test_all_of_a_reason_are_processed_again_and_no_other() -> None:
    first, *_ = park(3, status="on_hold")
    (other,) = park(1, amount_paid="a lot")
    count = webhook_events_process_alike(staff_context(), event_pk=first.pk, reason=REASON)
    assert count == 3
    assert WebhookEvent.objects.filter(status="received", attempts=0, reason="", error="").count() == 3
    other.refresh_from_db()
    assert other.status == "failed"
    (entry,) = AuditEntry.objects.filter(event="webhook_event.processed_again")
    assert entry.after["events"] == 3
    sweep()
    assert WebhookEvent.objects.filter(status="failed", field="data.object.status").count() == 3


@pytest.mark.parametrize(("with_alike", "count"), [(False, 1), (True, 2)])
def test_a_dismissal_is_kept_and_taken_back(with_alike: bool, count: int) -> None:
    first, _ = park(2, status="on_hold")
    done = webhook_event_dismiss(staff_context(), event_pk=first.pk, reason="Not ours.", with_alike=with_alike)
    assert done == count
    dismissed = WebhookEvent.objects.filter(status="ignored", reason="dismissed", error="Dismissed: Not ours.")
    assert dismissed.count() == count
    assert sum(group.count for group in kept_groups()) == 2 - count
    assert AuditEntry.objects.filter(event="webhook_event.dismissed").count() == 1
    webhook_event_process_again(staff_context(), event_pk=first.pk, reason=REASON)
    sweep()
    first.refresh_from_db()
    assert (first.status, first.reason) == ("failed", "unreadable")


DECISIONS: dict[str, Any] = {
    "dismiss": webhook_event_dismiss,
    "process alike": webhook_events_process_alike,
}


@pytest.mark.parametrize("name", DECISIONS)
def test_a_refused_decision_changes_nothing(name: str) -> None:
    decide = DECISIONS[name]
    event, _ = park(2, status="on_hold")
    before = list(WebhookEvent.objects.order_by("pk").values())
    with pytest.raises(ForbiddenError):
        decide(staff_context(Role.SUPPORT), event_pk=event.pk, reason=REASON)
    with pytest.raises(UnprocessableError):
        decide(staff_context(), event_pk=event.pk, reason=" ")
    with pytest.raises(NotFoundError):
        decide(staff_context(), event_pk=make_tenant().organization.pk, reason=REASON)
    assert list(WebhookEvent.objects.order_by("pk").values()) == before


def test_a_processed_event_is_not_dismissed() -> None:
    event = Stripe(make_tenant()).checkout(NOON)
    deliver(event)
    with pytest.raises(ConflictError):
        webhook_event_dismiss(staff_context(), event_pk=stored(event).pk, reason=REASON)
    assert stored(event).status == "processed"


@pytest.mark.parametrize("is_on", [True, False])
def test_customers_without_our_mark_are_not_ours_by_a_setting(is_on: bool, settings: Settings) -> None:
    settings.UNMARKED_CUSTOMERS_ARE_NOT_OURS = is_on
    stripe = Stripe(make_tenant())
    told = stripe.event("customer.updated", stripe.customer(metadata={"shop": "other"}), NOON)
    invoice = stripe.event("invoice.paid", stripe.invoice("1", "paid"), NOON)
    truth = StripeTruth()
    truth.objects = {stripe.tenant.customer: stripe.customer(metadata={})}
    with read_from(Provider.STRIPE, truth):
        deliver(told, invoice)
    expected = ("ignored", "not_ours") if is_on else ("unmatched", "customer_unknown")
    assert [(stored(event).status, stored(event).reason) for event in (told, invoice)] == [expected] * 2


def test_a_marked_customer_waits_whatever_the_setting(settings: Settings) -> None:
    settings.UNMARKED_CUSTOMERS_ARE_NOT_OURS = True
    stripe = Stripe(make_tenant())
    invoice = stripe.event("invoice.paid", stripe.invoice("1", "paid"), NOON)
    truth = StripeTruth()
    truth.objects = {stripe.tenant.customer: stripe.customer()}
    with read_from(Provider.STRIPE, truth):
        deliver(invoice)
    assert stored(invoice).status == "unmatched"
    deliver(stripe.event("customer.updated", stripe.customer(), NOON))
    assert stored(invoice).status == "processed"


def paused_life(stripe: Stripe) -> list[dict[str, Any]]:
    pause = {"pause_collection": {"behavior": "mark_uncollectible"}}
    resumed = stripe.event("customer.subscription.updated", stripe.subscription("active"), NOON + 9 * DAY)
    resumed["data"]["previous_attributes"] = pause
    given_up = stripe.invoice("1", "uncollectible", parent=None, subscription=stripe.subscription("active")["id"])
    return [
        stripe.event("customer.subscription.updated", {**stripe.subscription("active"), **pause}, NOON + DAY),
        stripe.event("invoice.marked_uncollectible", given_up, NOON + 5 * DAY),
        resumed,
    ]


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (2, 0, 1)])
def test_a_pause_never_locks_and_asks_for_review_while_it_lasts(order: tuple[int, ...]) -> None:
    make_plan("team")
    stripe = Stripe(make_tenant())
    life = paused_life(stripe)
    deliver(stripe.checkout(NOON), life[0])
    assert "is paused" in Review.objects.get(kind="paused").sentence
    deliver(*(life[place] for place in order))
    assert stripe.tenant.status == "okay"
    assert not Review.objects.filter(kind="paused").exists()


@pytest.mark.parametrize("days", [-1, 20])
def test_an_invoice_given_up_outside_the_pause_locks(days: int) -> None:
    make_plan("team")
    stripe = Stripe(make_tenant())
    life = paused_life(stripe)
    deliver(stripe.checkout(NOON), life[0], life[2])
    late = {**stripe.invoice("2", "uncollectible"), "parent": None, "subscription": life[0]["data"]["object"]["id"]}
    deliver(stripe.event("invoice.marked_uncollectible", late, NOON + days * DAY))
    assert stripe.tenant.status == "locked"
