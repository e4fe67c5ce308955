"""Whatever a provider signs is stored and answered 200; what can't be read is kept with its reason (spec 04)."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from apps.core import clock
from apps.payments.contracts import ObjectSnapshot
from apps.payments.models import ProviderInvoice, ProviderSubscription, WebhookEvent
from apps.payments.providers.parsing import unreadable
from apps.payments.providers.stripe import events
from apps.payments.services import webhook_event_process_again
from tests.contexts import staff_context
from tests.payments.cast import (
    NOON,
    Stripe,
    deliver,
    make_tenant,
    seconds,
    signed_orb,
    signed_stripe,
    stored,
    sweep,
)
from tests.payments.test_process_orb_event import ISSUED, whole
from tests.payments.test_receive_webhook import send
from tests.subscriptions.cast import REASON, make_plan

pytestmark = pytest.mark.django_db
Event = dict[str, Any]


def paid(stripe: Stripe, **values: Any) -> Event:
    return stripe.event("invoice.paid", {**stripe.invoice("1", "paid"), **values}, NOON)


def subscribed(stripe: Stripe, **values: Any) -> Event:
    return stripe.event("customer.subscription.updated", {**stripe.subscription("active"), **values}, NOON)


def put(event: Event, path: str, value: Any) -> Event:
    event = copy.deepcopy(event)
    *way, last = path.split(".")
    place: Any = event
    for name in way:
        place = place[name]
    place[last] = value
    return event


# A value that decides and can't be read: the event is parked, and names the field.
UNREADABLE: dict[str, tuple[Callable[[Stripe], Event], str]] = {
    "a new status": (lambda s: subscribed(s, status="on_hold"), "data.object.status"),
    "another new status": (lambda s: subscribed(s, status="awaiting_approval"), "data.object.status"),
    "no status": (lambda s: paid(s, status=None), "data.object.status"),
    "a status that is a number": (lambda s: paid(s, status=3), "data.object.status"),
    "no object": (lambda s: put(paid(s), "data", {}), "data.object"),
    "an object that is its id": (lambda s: put(paid(s), "data.object", "in_1"), "data.object"),
    "no time": (lambda s: put(paid(s), "created", None), "created"),
    "a time before all": (lambda s: put(paid(s), "created", -(10**12)), "created"),
    "a time after all": (lambda s: put(paid(s), "created", 10**30), "created"),
    "a number longer than any": (lambda s: put(paid(s), "created", 10**4000), "created"),
    "half a surrogate pair in the id": (lambda s: put(paid(s), "data.object.id", "in_\ud800"), "data.object.id"),
    "money that is no number": (lambda s: paid(s, amount_paid="49.00"), "data.object.amount_paid"),
    "money beyond all": (lambda s: paid(s, amount_paid=10**18), "data.object.amount_paid"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_can_not_be_read_is_parked_with_its_field(kind: str) -> None:
    make, field = UNREADABLE[kind]
    stripe = Stripe(make_tenant())
    event = make(stripe)
    deliver(event)
    row = WebhookEvent.objects.get()
    assert (row.status, row.reason, row.field) == ("failed", "unreadable", field)
    assert field in row.error
    assert json.loads(bytes(row.body or b"")) == json.loads(json.dumps(event))
    assert not ProviderInvoice.objects.exists()


# Values that nobody needs: the payment counts all the same.
HARMLESS: dict[str, dict[str, Any]] = {
    "no transitions": {"status_transitions": None},
    "transitions that are a text": {"status_transitions": "none"},
    "a NUL in the number": {"number": "A\x00-1"},
    "half a pair in an address": {"hosted_invoice_url": "https://x.example/\udfff"},
    "a period beyond all": {"period_end": 10**30},
    "a due date that is a text": {"due_date": "soon"},
    "a stablecoin": {"currency": "usdc"},
    "three letters of no currency": {"currency": "zzz"},
    "no currency": {"currency": None},
    "an amount due that is null": {"amount_due": None},
    "a total with a point": {"total": 49.5},
    "no number, no time": {"number": 17, "created": None},
    "deep metadata": {"metadata": json.loads('{"a":' * 60 + "1" + "}" * 60)},
}


@pytest.mark.parametrize("kind", HARMLESS)
def test_a_strange_value_that_nobody_needs_keeps_no_payer_in_grace(kind: str) -> None:
    tenant = make_tenant()
    stripe = Stripe(tenant)
    failed = stripe.event("invoice.payment_failed", stripe.invoice("1", "open"), NOON - timedelta(days=1))
    deliver(stripe.checkout(NOON - timedelta(days=2)), failed)
    assert tenant.status == "grace_period"
    event = paid(stripe, **HARMLESS[kind])
    deliver(event)
    assert stored(event).status == "processed", stored(event).error
    assert tenant.status == "okay"
    if "currency" in HARMLESS[kind]:
        assert ProviderInvoice.objects.values_list("currency", "total_minor").get() == ("", 0)


IGNORED: dict[str, bytes] = {
    "a notification of the second version": json.dumps(
        {
            "id": "evt_test_65",
            "object": "v2.core.event",
            "type": "v1.billing.meter.error_report_triggered",
            "created": "2026-04-01T12:00:00.000Z",
            "related_object": {"id": "mtr_1", "type": "billing.meter", "url": "/v1/billing/meters/mtr_1"},
        }
    ).encode(),
    "22 levels": b'{"id":"evt_1","type":"plan.created","data":' + b'{"a":' * 22 + b"1" + b"}" * 23,
    "100,000 levels": b'{"id":"evt_1","data":' + b"[" * 100_000 + b"]" * 100_000 + b',"type":"plan.created"}',
    "a NUL": b'{"id":"evt_1","type":"plan.created","name":"\\u0000"}',
    "half a pair": b'{"id":"evt_1","type":"plan.created","name":"\\ud83d"}',
    "bytes that are no UTF-8": b'{"id":"evt_1","type":"plan.created","name":"\xff\xfe"}',
    "a name twice": b'{"id":"evt_0","id":"evt_1","type":"plan.created"}',
    "not a number": b'{"id":"evt_1","type":"plan.created","x":NaN,"y":1e999}',
    "a byte order mark": b'\xef\xbb\xbf{"id":"evt_1","type":"plan.created"}',
    "1 MiB": b'{"id":"evt_1","type":"plan.created","x":"' + b"x" * (1024 * 1024 - 43) + b'"}',
}


@pytest.mark.parametrize("kind", IGNORED)
def test_what_does_not_concern_us_is_kept_as_it_came(kind: str) -> None:
    body = IGNORED[kind]
    assert send(body, signed_stripe(body)) == 200
    row = WebhookEvent.objects.get()
    assert (row.status, bytes(row.body or b"")) == ("ignored", body)


@pytest.mark.parametrize("levels", [500, 5_000])
def test_a_handled_event_that_is_too_deep_is_parked(levels: int) -> None:
    """Whatever depth this version of Python reads."""
    body = b'{"id":"evt_1","type":"invoice.paid","data":' + b'{"a":' * levels + b"1" + b"}" * (levels + 1)
    assert send(body, signed_stripe(body)) == 200
    sweep()
    row = WebhookEvent.objects.get()
    assert (row.status, row.reason, row.field) == ("failed", "unreadable", "body")


@pytest.mark.parametrize("name", ["x" * 300, "evt_\x00", "evt_\ud800"])
def test_ids_that_no_column_holds_are_told_apart(name: str) -> None:
    for body in (json.dumps({"id": name + end, "type": "plan.created"}).encode() for end in ("a", "b", "a")):
        assert send(body, signed_stripe(body)) == 200
    assert WebhookEvent.objects.count() == 2


ORB_HARMLESS: dict[str, dict[str, Any]] = {
    "its own currency": {"currency": "credits", "total": "12.345", "amount_due": "12.345"},
    "a tenth of a cent": {"total": "49.001", "amount_due": "49.001"},
    "a number, not a text": {"total": 49.0, "amount_due": 49},
    "a customer of three fields": {"invoice_number": None, "due_date": "whenever"},
}


@pytest.mark.parametrize("kind", ORB_HARMLESS)
def test_orbs_amounts_are_taken_as_they_come(kind: str) -> None:
    tenant = make_tenant()
    event = whole(tenant, "invoice.issued", {**ISSUED, **ORB_HARMLESS[kind]}, NOON)
    deliver(event, provider="orb")
    assert stored(event).status == "processed", stored(event).error
    expected = ("", 0) if kind == "its own currency" else ("USD", 4900)
    assert ProviderInvoice.objects.values_list("currency", "total_minor").get() == expected


@pytest.mark.parametrize(
    ("values", "field"),
    [({"status": "charging"}, "invoice.status"), ({"total": "a lot"}, "invoice.total"), ({"id": 5}, "invoice.id")],
)
def test_orbs_unreadable_events_are_parked(values: dict[str, Any], field: str) -> None:
    event = whole(make_tenant(), "invoice.issued", {**ISSUED, **values}, NOON)
    body = json.dumps(event).encode()
    assert send(body, signed_orb(body), "orb") == 200
    sweep()
    assert (stored(event).status, stored(event).reason, stored(event).field) == ("failed", "unreadable", field)


def test_an_upgrade_reads_what_was_parked(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = make_tenant()
    stripe = Stripe(tenant)
    event = subscribed(stripe, status="canceled")
    read = events.parse_subscription

    def former(body: dict[str, Any], **more: Any) -> ObjectSnapshot:
        raise unreadable("data.object.status", "is a word that this release does not know")

    monkeypatch.setattr(events, "parse_subscription", former)
    deliver(stripe.checkout(NOON), event)
    assert (stored(event).status, stored(event).field) == ("failed", "data.object.status")
    monkeypatch.setattr(events, "parse_subscription", read)
    make_plan()
    webhook_event_process_again(staff_context(), event_pk=stored(event).pk, reason=REASON)
    sweep()
    assert (stored(event).status, stored(event).reason, stored(event).field) == ("processed", "", "")
    assert ProviderSubscription.objects.get().status == "ended"


ENVELOPES: dict[str, tuple[dict[str, Any], str]] = {
    "another merchant's": ({"account": "acct_somebody"}, "other_account"),
    "another merchant's, expanded": ({"account": {"id": "acct_somebody"}}, "other_account"),
    "test mode": ({"livemode": False}, "test_mode"),
}


@pytest.mark.parametrize("kind", ENVELOPES)
def test_an_envelope_that_is_none_of_our_business_is_ignored(kind: str, settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = "sk_live_of_a_test"
    values, reason = ENVELOPES[kind]
    tenant = make_tenant()
    event = {**Stripe(tenant).checkout(NOON), "livemode": True, **values}
    deliver(event)
    assert (stored(event).status, stored(event).reason) == ("ignored", reason)
    assert tenant.config.payment_provider_id is None


def test_test_mode_counts_where_we_are_not_live(settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_of_a_test"
    tenant = make_tenant()
    deliver({**Stripe(tenant).checkout(NOON), "livemode": False})
    assert tenant.status == "okay"


@pytest.mark.parametrize("days", [1.1, 365, 300_000])
def test_an_event_dated_ahead_is_parked_and_makes_nothing_old(days: float) -> None:
    tenant = make_tenant()
    stripe = Stripe(tenant)
    now = clock.now()
    ahead = stripe.event("invoice.payment_failed", stripe.invoice("1", "open"), now + timedelta(days=days))
    deliver(stripe.checkout(NOON), ahead)
    assert (stored(ahead).status, stored(ahead).reason, stored(ahead).field) == ("failed", "unreadable", "created")
    deliver(stripe.event("invoice.paid", stripe.invoice("1", "paid"), now))
    assert ProviderInvoice.objects.get().status == "paid"
    assert tenant.status == "okay"


def test_an_event_dated_within_a_day_counts() -> None:
    tenant = make_tenant()
    stripe = Stripe(tenant)
    event = stripe.event("invoice.paid", stripe.invoice("1", "paid"), clock.now() + timedelta(hours=20))
    deliver(stripe.checkout(NOON), event)
    assert stored(event).status == "processed"
    assert seconds(stored(event).occurred_at) == event["created"]
