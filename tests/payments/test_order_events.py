"""P2: the order and the number of deliveries do not matter, same-second ties included (spec 11)."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import pytest

from apps.payments import mirror
from apps.payments.asking import answered_by
from apps.subscriptions.enums import Provider
from tests.payments.cast import Tenant, make_tenant
from tests.payments.lives import Event, StripeTruth, hard_events, process_all, seven_events, state_of
from tests.sizes import size
from tests.subscriptions.cast import make_plan

pytestmark = [pytest.mark.django_db, pytest.mark.prove]

ORDERS = size(small=16, full=5_040)
Life = Callable[[Tenant], list[Event]]


def orders(count: int) -> Iterator[Sequence[int]]:
    """So many of all orders of seven events, the usual and the reversed one always among them."""
    every = list(itertools.permutations(range(7)))
    if count >= len(every):
        yield from every
        return
    yield from (every[0], every[-1])
    yield from random.Random(7).sample(every[1:-1], count - 2)  # noqa: S311 - it must repeat


def ends(life: Life, count: int) -> set[str]:
    """The different states that so many orders of the life end in."""
    found = set()
    for order in orders(count):
        tenant = make_tenant()
        events = life(tenant)
        process_all([events[position] for position in order])
        found.add(json.dumps(state_of(tenant), default=str, sort_keys=True))
    return found


@pytest.mark.prove("any order of a 7-event life ends in one state", size=ORDERS, control="last delivery wins is caught")
@pytest.mark.parametrize("life", [seven_events, hard_events])
def test_every_order_ends_in_one_state(life: Life) -> None:
    make_plan()
    (end,) = ends(life, ORDERS)
    status = json.loads(end)["payment_status"]
    assert status == ("okay" if life is seven_events else "grace_period")


def test_with_a_key_ties_are_settled_by_asking_and_every_order_ends_in_one_state() -> None:
    make_plan()
    found = set()
    for order in orders(ORDERS // 2):
        tenant, truth = make_tenant(), StripeTruth()
        events = seven_events(tenant)
        truth.objects = {event["data"]["object"]["id"]: event["data"]["object"] for event in events}
        with answered_by(Provider.STRIPE, truth):
            process_all([events[position] for position in order])
        assert truth.questions
        found.add(json.dumps(state_of(tenant), default=str, sort_keys=True))
    assert len(found) == 1


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
