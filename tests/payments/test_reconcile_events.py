"""Reconciliation with Stripe's list of events: page by page, and never from the beginning again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from apps.backoffice.pages.jobs import _reconciliation_note
from apps.core.failpoints import Failpoint
from apps.payments.models import ReconciliationCursor, WebhookEvent
from apps.payments.providers.contract import ProviderCallError
from apps.payments.providers.stripe import api as stripe_api
from apps.payments.services import webhook_events_reconcile
from apps.subscriptions.enums import Provider
from tests.contexts import console_context
from tests.core.processes import dies_at, kill, started
from tests.counterparts.stripe_fake import StripeFake, running
from tests.sizes import size

pytestmark = pytest.mark.django_db(transaction=True)

KILLS = size(small=5, full=200)
SEED = 3
PLACES: tuple[Failpoint, ...] = ("reconciliation.after_fetch", "reconciliation.after_step")


@pytest.fixture
def fake(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[StripeFake]:
    """Pages of five, so that there are many."""
    monkeypatch.setattr(stripe_api, "_PAGE", 5)
    with running(StripeFake()) as fake:
        settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = "sk_test_fake", fake.base
        yield fake


def now_of(fake: StripeFake) -> datetime:
    return datetime.fromtimestamp(fake.now, UTC)


def happen(fake: StripeFake, count: int, seconds: int = 60) -> list[str]:
    """So many events, each some seconds after the one before."""
    names = []
    for number in range(count):
        fake.now += seconds
        names.append(fake.emit("invoice.created", {"id": f"in_{number}", "object": "invoice"})["id"])
    return names


def reconcile(fake: StripeFake, most_pages: int = 1_000) -> dict[str, int]:
    return webhook_events_reconcile(
        console_context(), provider=Provider.STRIPE, now=now_of(fake), most_pages=most_pages
    )


def stored() -> set[str]:
    return set(WebhookEvent.objects.values_list("event_id", flat=True))


def pages(fake: StripeFake) -> int:
    count = len([path for _, path, _ in fake.requests if path == "/v1/events"])
    fake.requests.clear()
    return count


def test_the_next_night_lists_only_what_came_since(fake: StripeFake) -> None:
    first = happen(fake, 23)
    fake.now += 7_200  # a list is read again for an hour back, as it may show an event late
    assert reconcile(fake) == {"listed": 23, "found": 23, "unreadable": 0, "unfinished": 0}
    assert pages(fake) == 5
    fake.now += 24 * 3_600
    second = happen(fake, 4)
    assert reconcile(fake) == {"listed": 4, "found": 4, "unreadable": 0, "unfinished": 0}
    assert pages(fake) == 1
    assert stored() == {*first, *second}


def test_what_is_listed_late_is_found_the_next_night(fake: StripeFake) -> None:
    happen(fake, 3)
    reconcile(fake)
    late = fake.emit("invoice.created", {"id": "in_late", "object": "invoice"})
    late["created"] = fake.now - 1_800
    fake.now += 24 * 3_600
    assert reconcile(fake)["found"] == 1
    assert late["id"] in stored()


def test_a_run_is_bounded_and_the_next_goes_on_where_it_stopped(fake: StripeFake) -> None:
    names = happen(fake, 23)
    fake.now += 7_200
    assert reconcile(fake, most_pages=2) == {"listed": 10, "found": 10, "unreadable": 0, "unfinished": 1}
    assert "a run has reached back to" in _reconciliation_note()
    # Meanwhile newer ones come, which the pass under way does not see.
    fake.now += 24 * 3_600
    newer = happen(fake, 2)
    assert reconcile(fake) == {"listed": 15, "found": 15, "unreadable": 0, "unfinished": 0}
    assert stored() == {*names, *newer}
    assert "compared until" in _reconciliation_note()
    assert "goes on" not in _reconciliation_note()


def test_a_cursor_that_stripe_has_forgotten_goes_on_by_its_moment(fake: StripeFake) -> None:
    names = happen(fake, 12)
    reconcile(fake, most_pages=1)
    after = ReconciliationCursor.objects.get().after
    fake.events = [event for event in fake.events if event["id"] != after]
    assert reconcile(fake)["unfinished"] == 0
    assert stored() == set(names)


def test_many_events_of_one_second_are_each_listed_once(fake: StripeFake) -> None:
    names = happen(fake, 17, seconds=0)
    for _ in range(10):
        reconcile(fake, most_pages=1)
    assert stored() == set(names)


def test_an_answer_that_fails_leaves_the_cursor_where_it_was(fake: StripeFake, settings: Settings) -> None:
    happen(fake, 12)
    reconcile(fake, most_pages=1)
    before = ReconciliationCursor.objects.values().get()
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"
    with pytest.raises(ProviderCallError):
        reconcile(fake)
    assert ReconciliationCursor.objects.values().get() == before


def test_without_a_key_there_is_nothing_to_compare(settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = ""
    fake = StripeFake()
    assert reconcile(fake) == {"listed": 0, "found": 0, "unreadable": 0, "unfinished": 0}
    assert not ReconciliationCursor.objects.exists()


@pytest.mark.parametrize("place", PLACES)
def test_killed_at_each_named_place_it_goes_on(fake: StripeFake, place: Failpoint) -> None:
    names = happen(fake, 12)
    assert dies_at(place, lambda: reconcile(fake))
    reconcile(fake)
    assert stored() == set(names)


def test_killed_at_random_it_misses_nothing_and_never_begins_again(fake: StripeFake) -> None:
    chance = random.Random(SEED)  # noqa: S311 - it must repeat
    names: list[str] = []
    for _ in range(KILLS):
        names += happen(fake, 15)
        fake.now += int(timedelta(hours=5).total_seconds())
        process = started(lambda: reconcile(fake))
        process.join(chance.uniform(0.02, 0.25))
        kill(process)
    pages(fake)
    while reconcile(fake)["unfinished"]:
        continue
    lost = set(names) - stored()
    # Stripe itself forgets what is older than a month.
    assert not [event for event in fake.events if event["id"] in lost and fake.now - event["created"] < 29 * 86_400]
    pages(fake)
    reconcile(fake)
    assert pages(fake) <= 1
    print(f"reconciliation: {KILLS} kills, seed {SEED}, {len(names)} events, each stored once")
