"""Reversals in parts, with free quantity, into ended grants, by whom; holds and free quantity (spec 05)."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.enums import Scope
from apps.core.errors import CountinghouseError
from apps.core.idempotency import Answer
from apps.core.ids import ProductId
from apps.credits.enums import OnInsufficient
from apps.credits.models import CreditEntry, FreeQuantity
from apps.credits.rules.pricing import Price
from apps.credits.services import (
    credit_policy_publish_prices,
    credits_authorize,
    credits_consume,
    entry_reverse,
    hold_capture,
    hold_release,
)
from apps.credits.services.holds import CaptureParams
from apps.tenants.models import Organization
from tests.contexts import console_context, product_context
from tests.credits.cast import Place, assert_sound, consumption, give, look_at, make_place
from tests.factories.tenants import make_product

pytestmark = pytest.mark.django_db
# Three a month are free.
RUN = Price("run", "run", MICRO, free_quantity=3 * MICRO)


@pytest.fixture
def place() -> Place:
    found = make_place(whole_credits=20)
    credit_policy_publish_prices(console_context(), product_id=ProductId(found.product.pk), prices=[RUN])
    return found


def consume(place: Place, runs: int, **values: Any) -> Answer:
    item = consumption(place, operation="run", quantity=runs * MICRO, **values)
    return credits_consume(place.context, consumption=item)


def reverse(place: Place, charge: Answer, amount: int | None = None, key: str | None = None) -> dict[str, Any]:
    entry = uuid.UUID(str(charge.body["entry_id"]))
    answer = entry_reverse(place.context, entry_id=entry, key=key or uuid.uuid4().hex, reason="a test", amount=amount)
    return dict(answer.body)


def refusal(place: Place, charge: Answer, amount: int | None = None) -> str:
    before = _state(place)
    with pytest.raises(CountinghouseError) as refused:
        reverse(place, charge, amount)
    assert _state(place) == before
    return refused.value.problem_code


def _state(place: Place) -> object:
    return CreditEntry.objects.count(), place.account.balance, list(FreeQuantity.objects.values_list("used"))


def test_what_is_given_back_is_free_again(place: Place) -> None:
    charge = consume(place, 5)
    assert charge.body["charged"] == 2 * MICRO
    back = reverse(place, charge)
    assert (back["reversed"], back["free_quantity_returned"], back["remaining"]) == (2 * MICRO, 3 * MICRO, 0)
    assert consume(place, 3).body["charged"] == 0
    assert place.account.balance == 20 * MICRO
    assert_sound()


def test_a_run_that_cost_nothing_gives_its_free_quantity_back(place: Place) -> None:
    charge = consume(place, 3)
    assert refusal(place, charge, MICRO) == "above_limit"
    back = reverse(place, charge)
    assert (back["reversed"], back["free_quantity_returned"]) == (0, 3 * MICRO)
    assert refusal(place, charge) == "already_reversed"
    assert consume(place, 4).body["charged"] == MICRO
    failed = consume(place, 1, outcome="failed")
    assert refusal(place, failed) == "nothing_to_reverse"
    assert_sound()


def test_a_charge_goes_back_in_any_number_of_parts_never_more_than_it_was(place: Place) -> None:
    charge = consume(place, 15)
    parts = [reverse(place, charge, amount * MICRO) for amount in (3, 4)]
    assert [(part["remaining"], part["free_quantity_returned"]) for part in parts] == [(9 * MICRO, 0), (5 * MICRO, 0)]
    assert refusal(place, charge, 5 * MICRO + 1) == "above_limit"
    last = reverse(place, charge, key="last")
    assert (last["reversed"], last["remaining"], last["free_quantity_returned"]) == (5 * MICRO, 0, 3 * MICRO)
    assert refusal(place, charge, 1) == "already_reversed"
    assert reverse(place, charge, key="last") == last
    assert place.account.balance == 20 * MICRO
    assert_sound()


def test_what_goes_back_to_an_ended_grant_lapses_and_is_said(place: Place) -> None:
    start = clock.now()
    give(place, 4 * MICRO, priority=1, expires_at=start + timedelta(hours=1))
    charge = consume(place, 9)
    assert charge.body["charged"] == 6 * MICRO
    look_at(place)
    with time_machine.travel(start + timedelta(hours=2)):
        # The last payer first: the lasting grant paid two, the ended one four before it.
        parts = [reverse(place, charge, amount) for amount in (2 * MICRO, MICRO, None)]
        assert [(part["reversed"], part["lapsed"]) for part in parts] == [
            (2 * MICRO, 0),
            (MICRO, MICRO),
            (3 * MICRO, 3 * MICRO),
        ]
        assert place.account.balance == 20 * MICRO
    assert_sound()


def test_another_product_can_t_give_it_back_but_the_identity_service_and_staff_can(place: Place) -> None:
    charge = consume(place, 10)
    blue = product_context(make_product("blue", place.organization))
    other = Place(place.product, place.organization, blue)
    assert refusal(other, charge, MICRO) == "entry_of_another_product"
    identity = product_context(make_product("id", place.organization), scopes=frozenset({Scope.TENANTS_MANAGE}))
    for context in (identity, console_context(), place.context):
        reverse(Place(place.product, place.organization, context), charge, MICRO)
    assert_sound()


def open_hold(place: Place, runs: int) -> dict[str, Any]:
    question = consumption(place, operation="run", quantity=runs * MICRO).question
    opened: Any = credits_authorize(place.context, question=question, hold_ttl=timedelta(hours=1), key=uuid.uuid4().hex)
    hold: dict[str, Any] = opened["hold"]
    return hold


def test_a_hold_reserves_the_free_quantity_that_its_price_counts_on(place: Place) -> None:
    first, second = open_hold(place, 3), open_hold(place, 3)
    assert (first["amount"], second["amount"], place.account.held) == (0, 3 * MICRO, 3 * MICRO)
    assert consume(place, 1).body["charged"] == MICRO
    params = CaptureParams("succeeded")
    captured = [
        hold_capture(place.context, hold_id=_id(hold), key=hold["id"], params=params) for hold in (first, second)
    ]
    assert [answer.body["charged"] for answer in captured] == [0, 3 * MICRO]
    assert [answer.body["category"] for answer in captured] == ["free", "regular"]
    assert_sound()


def _id(hold: dict[str, Any]) -> uuid.UUID:
    return uuid.UUID(hold["id"])


@pytest.mark.parametrize("end", ["release", "expire", "consume", "capture less"])
def test_a_hold_that_ends_frees_what_it_reserved_and_did_not_use(place: Place, end: str) -> None:
    hold, used = open_hold(place, 5), 0
    with time_machine.travel(clock.now() + timedelta(hours=2 if end == "expire" else 0)):
        if end == "release":
            hold_release(place.context, hold_id=_id(hold), key="end")
        elif end == "expire":
            look_at(place)
        elif end == "consume":
            used = 1
            assert consume(place, 1, hold_id=_id(hold)).body["charged"] == 0
        else:
            used = 2
            params = CaptureParams("succeeded", quantity=2 * MICRO)
            assert hold_capture(place.context, hold_id=_id(hold), key="end", params=params).body["charged"] == 0
        assert place.account.held == 0
        assert consume(place, 5).body["charged"] == (2 + used) * MICRO
    assert_sound()


def test_the_month_is_that_of_the_organization_s_zone() -> None:
    with time_machine.travel("2031-03-01T00:00:00Z"):
        place = make_place(whole_credits=50)
        credit_policy_publish_prices(console_context(), product_id=ProductId(place.product.pk), prices=[RUN])
        Organization.objects.filter(pk=place.organization.pk).update(time_zone="America/New_York")
    # 31 March, 21:00 in New York; April begins at 04:00 in UTC.
    for at, charged in (("2031-04-01T01:00:00Z", 2), ("2031-04-01T03:59:59Z", 5), ("2031-04-01T04:00:00Z", 2)):
        with time_machine.travel(at, tick=False):
            assert consume(place, 5).body["charged"] == charged * MICRO, at
    with time_machine.travel("2031-04-02T00:00:00Z", tick=False):
        late = consume(place, 1, occurred_at=clock.now() - timedelta(days=1), on_insufficient=OnInsufficient.REJECT)
        assert (late.body["charged"], late.body["late"]) == (MICRO, False)
        answer = credits_authorize(place.context, question=consumption(place, operation="run").question)
        assert answer["free_month_ends_at"] == "2031-05-01T04:00:00.000000Z"
    assert list(FreeQuantity.objects.order_by("month").values_list("used", flat=True)) == [3 * MICRO, 3 * MICRO]
    assert_sound()
