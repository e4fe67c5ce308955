"""P2 over HTTP: shuffled, duplicated, partly dropped signed deliveries end as the provider's truth (spec 11)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from django.db import connection

from apps.core import clock
from apps.payments import mirror
from apps.payments.models import ProviderInvoice, WebhookEvent
from apps.payments.providers.contract import read_from
from apps.payments.services import webhook_events_reconcile
from apps.subscriptions.enums import Provider
from tests.contexts import console_context
from tests.payments.cast import Stripe, Tenant, deliver, make_tenant, post, sweep
from tests.payments.lives import Event, StripeTruth, expected_status, random_life
from tests.sizes import size

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.prove]

DELIVERIES = size(small=300, full=10_000)
POSTERS, SWEEPERS = 4, 2
SEED = 11
# What no release of ours has ever read.
SPOILT: tuple[dict[str, Any], ...] = ({"status": "on_hold"}, {"status": None}, {"id": "in_\x00"}, {"id": "\ud800"})
Lives = dict[str, tuple[Tenant, Stripe, list[Event]]]


def make_lives(chance: random.Random, deliveries: int = DELIVERIES) -> Lives:
    """Random lives of so many tenants that their events, duplicates and all, come to about so many deliveries."""
    lives: Lives = {}
    count = 0
    while count < deliveries * 3 // 5:
        stripe = Stripe(make_tenant())
        events = random_life(stripe, chance)
        lives[stripe.tenant.customer] = (stripe.tenant, stripe, events)
        count += len(events)
    return lives


def deliveries_of(events: Sequence[Event], chance: random.Random) -> list[Event]:
    """What arrives: a tenth never does, some twice or three times, in any order."""
    arriving = [event for event in events for _ in range(chance.choice([0, 1, 1, 1, 2, 2, 2, 2, 3, 2]))]
    chance.shuffle(arriving)
    return arriving


def truth_of(lives: Lives) -> StripeTruth:
    truth = StripeTruth()
    for _, stripe, events in lives.values():
        truth.objects |= stripe.truth
        truth.events += events
    return truth


def post_and_close(event: Event) -> int:
    try:
        return post(event)
    finally:
        connection.close()


def sweep_to_the_end() -> None:
    """Sweep until a whole sweep finds nothing more: one ends after a while, so that beat's runs do not pile up."""
    while sum(sweep().values()):
        pass


def sweep_and_close(_: int) -> None:
    try:
        sweep_to_the_end()
    finally:
        connection.close()


def work_through(arriving: Sequence[Event]) -> list[int]:
    """Post from several threads while others work through the inbox; the statuses of the answers."""
    with ThreadPoolExecutor(POSTERS + SWEEPERS) as threads:
        middle = len(arriving) // 2
        answers = list(threads.map(post_and_close, arriving[:middle]))
        sweeping = threads.map(sweep_and_close, range(SWEEPERS))
        answers += threads.map(post_and_close, arriving[middle:])
        list(sweeping)
        list(threads.map(sweep_and_close, range(SWEEPERS)))
    return answers


def differences(lives: Lives) -> list[str]:
    """Where our records differ from the provider's truth."""
    found = []
    for tenant, stripe, events in lives.values():
        ours = dict(
            ProviderInvoice.objects.filter(organization=tenant.organization).values_list("external_id", "status")
        )
        theirs = {name: thing["status"] for name, thing in stripe.truth.items() if name.startswith("in_")}
        if ours != theirs:
            found.append(f"{tenant.customer}: {ours} != {theirs}")
        if tenant.status != expected_status(events):
            found.append(f"{tenant.customer}: {tenant.status} != {expected_status(events)}")
    return found


def unreadable_of(events: Sequence[Event], chance: random.Random) -> list[Event]:
    """As many more as make 5 % of all: events of these invoices in a way that we can't read."""
    spoilt: list[Event] = []
    for number, event in enumerate(chance.choices(events, k=max(1, len(events) // 19))):
        thing = {**event["data"]["object"], **chance.choice(SPOILT)}
        spoilt.append({**event, "id": f"evt_spoilt_{number}", "type": "invoice.updated", "data": {"object": thing}})
    return spoilt


def run(chance: random.Random) -> tuple[Lives, list[int], list[Event]]:
    lives = make_lives(chance)
    truth = truth_of(lives)
    spoilt = unreadable_of(truth.events, chance)
    with read_from(Provider.STRIPE, truth):
        arriving = [*deliveries_of(truth.events, chance), *spoilt, *spoilt]
        chance.shuffle(arriving)
        answers = work_through(arriving)
        missing = {event["id"] for event in truth.events} - set(WebhookEvent.objects.values_list("event_id", flat=True))
        counts = webhook_events_reconcile(console_context(), provider=Provider.STRIPE, now=clock.now())
        assert counts == {"listed": len(truth.events), "found": len(missing), "unreadable": 0, "unfinished": 0}
        sweep_to_the_end()
    return lives, answers, spoilt


@pytest.mark.prove(
    "shuffled, duplicated, dropped, partly unreadable deliveries end as the provider's truth",
    size=DELIVERIES,
    control="last delivery wins is caught",
)
def test_any_deliveries_end_as_the_providers_truth() -> None:
    lives, answers, spoilt = run(random.Random(SEED))  # noqa: S311 - it must repeat
    assert set(answers) == {200}
    everything = [event["id"] for _, _, events in lives.values() for event in events]
    everything += [event["id"] for event in spoilt]
    assert sorted(WebhookEvent.objects.values_list("event_id", flat=True)) == sorted(everything)
    parked = WebhookEvent.objects.filter(event_id__startswith="evt_spoilt_")
    assert set(parked.values_list("status", "reason")) == {("failed", "unreadable")}
    assert set(WebhookEvent.objects.exclude(pk__in=parked).values_list("status", flat=True)) == {"processed"}
    assert differences(lives) == []


def test_control_last_delivery_wins_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def always(order: tuple[datetime, int, str], known: tuple[datetime, int, str]) -> bool:
        return True

    monkeypatch.setattr(mirror, "is_later", always)
    lives = make_lives(random.Random(SEED), 60)  # noqa: S311 - it must repeat
    for _, _, (checkout, *others) in lives.values():
        # One at a time: those that wait for their customer are all due at once, and so in no order.
        for event in (checkout, *reversed(others)):
            deliver(event)
    assert differences(lives) != []
