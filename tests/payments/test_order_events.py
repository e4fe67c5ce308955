"""P2: the order and the number of deliveries do not matter, same-second ties included (spec 11)."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

import pytest
import time_machine
from django.db import connection, transaction

from apps.core.context import ExecutionContext
from apps.payments import mirror, processing, workspace_sync
from apps.payments.models import ProviderSubscription
from apps.payments.providers.contract import read_from
from apps.payments.record_steps import name_of
from apps.subscriptions.enums import Provider
from tests.payments.cast import NOON, Tenant, make_tenant
from tests.payments.lives import (
    Event,
    StripeTruth,
    doubled_events,
    hard_events,
    moving_events,
    process_all,
    process_next,
    seven_events,
    state_of,
)
from tests.sizes import IS_FULL, size
from tests.subscriptions.cast import make_plan

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.prove, pytest.mark.usefixtures("one_moment")]

ORDERS = size(small=16, full=5_040)
Life = Callable[[Tenant], list[Event]]


@pytest.fixture
def one_moment() -> Iterator[None]:
    """All news come at one moment, long after what they tell: when we tell the owners must not depend on the order."""
    with time_machine.travel(NOON + timedelta(days=60), tick=False):
        yield


def orders(count: int) -> Iterator[tuple[int, ...]]:
    """So many of all orders of seven events, the usual and the reversed one always among them."""
    every = list(itertools.permutations(range(7)))
    if count >= len(every):
        yield from every
        return
    yield from (every[0], every[-1])
    yield from random.Random(7).sample(every[1:-1], count - 2)  # noqa: S311 - it must repeat


def ends(life: Life, count: int) -> set[str]:
    """The different states that so many orders of the life end in.

    Orders that begin alike share that beginning: it is processed once, and undone to its savepoint for the next one.
    Those of one pair of first events share a transaction. More would make each step slower than the one before, since
    what a savepoint undid is swept after the end of its transaction alone.
    """
    tenant = make_tenant()
    events = life(tenant)
    found = set[str]()
    for _, alike in itertools.groupby(sorted(orders(count)), key=lambda order: order[:2]):
        block = transaction.atomic()
        block._from_testcase = True  # type: ignore[attr-defined]  # else no durable block may stand in it
        with block:
            found.update(_ends(tenant, events, list(alike), 0, []))
            transaction.set_rollback(True)
        if IS_FULL:
            with connection.cursor() as cursor:
                cursor.execute("VACUUM")
    return found


def _ends(
    tenant: Tenant, events: list[Event], some: Sequence[tuple[int, ...]], depth: int, waiting: list[Event]
) -> Iterator[str]:
    if depth == len(events):
        assert waiting == []
        yield json.dumps(state_of(tenant), default=str, sort_keys=True)
        return
    for position, alike in itertools.groupby(some, key=lambda order: order[depth]):
        before = transaction.savepoint()
        waits = process_next(events[position], waiting)
        yield from _ends(tenant, events, list(alike), depth + 1, waits)
        transaction.savepoint_rollback(before)
        transaction.savepoint_commit(before)  # else it stays open


@pytest.mark.prove("any order of a 7-event life ends in one state", size=ORDERS, control="last delivery wins is caught")
@pytest.mark.parametrize("life", [seven_events, hard_events])
def test_every_order_ends_in_one_state(life: Life) -> None:
    make_plan()
    (end,) = ends(life, ORDERS)
    status = json.loads(end)["payment_status"]
    assert status == ("okay" if life is seven_events else "grace_period")


@pytest.mark.prove(
    "any order of two subscriptions' lives ends in one record", size=ORDERS, control="the last news wins is caught"
)
@pytest.mark.parametrize("life", [moving_events, doubled_events])
def test_every_order_of_two_subscriptions_ends_in_one_record(life: Life) -> None:
    make_plan()
    business = make_plan("business")
    (end,) = ends(life, ORDERS)
    found = json.loads(end)
    record = found["record"]
    told = (found["subscription_status"], record["state"], found["reviews"])
    assert (found["follows"], *told) == ("b", "subscribed", "active", _REVIEWS[life])
    assert (record["plan_id"] == str(business.pk)) is (life is doubled_events)


_REVIEWS: dict[Life, list[str]] = {moving_events: [], doubled_events: ["charged_twice"]}


def test_control_the_last_news_wins_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def follow_the_event(context: ExecutionContext, mirrored: ProviderSubscription) -> None:
        rows = {name_of(mirrored): mirrored}
        monkeypatch.setattr(workspace_sync, "mirrored_subscriptions", lambda *_: rows)
        workspace_sync.sync_workspaces_of(context, mirrored)

    monkeypatch.setattr(processing, "sync_workspaces_of", follow_the_event)
    make_plan()
    make_plan("business")
    assert len(ends(moving_events, 12)) > 1


def test_with_a_key_ties_are_settled_by_asking_and_every_order_ends_in_one_state() -> None:
    make_plan()
    truth = StripeTruth()

    def known_life(tenant: Tenant) -> list[Event]:
        events = seven_events(tenant)
        truth.objects = {event["data"]["object"]["id"]: event["data"]["object"] for event in events}
        return events

    with read_from(Provider.STRIPE, truth):
        assert len(ends(known_life, ORDERS // 2)) == 1
    assert truth.questions


def test_duplicates_change_nothing() -> None:
    make_plan()
    tenant = make_tenant()
    events = seven_events(tenant)
    process_all(events)
    before = state_of(tenant)
    process_all([event for event in events for _ in range(2)])
    process_all(list(reversed(events)))
    assert state_of(tenant) == before


def test_control_last_delivery_wins_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def always(order: tuple[datetime, int, str], known: tuple[datetime, int, str]) -> bool:
        return True

    monkeypatch.setattr(mirror, "is_later", always)
    make_plan()
    assert len(ends(seven_events, 12)) > 1
