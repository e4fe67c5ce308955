"""What has happened is booked whoever may not and whatever is left, with warnings and a line on drift pages.

Of credits_consume_4, credits_consume_batch_4 and credits_consume_set_4.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.errors import CountinghouseError
from apps.core.idempotency import Answer
from apps.core.ids import ProductId
from apps.credits.contracts import Consumption
from apps.credits.enums import OnInsufficient
from apps.credits.models import CreditEntry, FreeQuantity, Hold, ShadowDisagreement
from apps.credits.services import (
    credit_policy_publish_prices,
    credits_authorize,
    credits_consume,
    credits_consume_batch,
    hold_capture,
    hold_extend,
)
from apps.credits.services.authorization import LocalDecision
from apps.credits.services.holds import CaptureParams
from apps.tenants.enums import BillingMode
from apps.tenants.models import Organization, Product
from tests.contexts import console_context, product_context
from tests.credits.cast import PRICES, Place, assert_sound, consumption, give, make_place
from tests.factories.tenants import make_membership, make_product, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def place() -> Place:
    return make_place(whole_credits=10)


def set_mode(place: Place, mode: BillingMode) -> None:
    Product.objects.filter(pk=place.product.pk).update(billing_mode=mode)


def alone(place: Place, item: Consumption) -> Answer:
    return credits_consume(place.context, consumption=item)


def in_a_batch(place: Place, item: Consumption) -> Answer:
    """The item, after one that is common."""
    _, result = credits_consume_batch(
        place.context, consumptions=[consumption(place, outcome="failed", operation="unit"), item]
    )
    if isinstance(result, CountinghouseError):
        raise result
    return result


def drift() -> list[str]:
    return list(ShadowDisagreement.objects.order_by("seen_at", "difference").values_list("difference", flat=True))


BOTH = pytest.mark.parametrize("consume", [alone, in_a_batch])


@BOTH
def test_a_recorded_run_is_booked_though_nobody_may(place: Place, consume: Any) -> None:
    item = consumption(place, operation="unit", quantity=12 * MICRO, user_id=make_user().pk)
    with pytest.raises(CountinghouseError) as refused:
        consume(place, item)
    assert (refused.value.problem_code, drift()) == ("not_a_member", [])
    Organization.objects.filter(pk=place.organization.pk).update(closed_at=clock.now())
    recorded = consumption(
        place, operation="unit", quantity=12 * MICRO, user_id=make_user().pk, on_insufficient=OnInsufficient.RECORD
    )
    answer = consume(place, recorded)
    warnings = ["booked_though_not_a_member", "booked_though_lifecycle_denied"]
    assert (answer.body["charged"], answer.body["warnings"]) == (12 * MICRO, warnings)
    assert place.account.balance == -2 * MICRO
    assert sorted(drift()) == sorted(warnings)
    assert consume(place, recorded).body == answer.body
    assert_sound()


def test_a_capture_is_booked_though_the_user_has_left_and_the_organization_is_closed(place: Place) -> None:
    user = make_user()
    membership = make_membership(place.organization, user)
    hold = open_hold(place, user_id=user.pk)
    membership.delete()
    Organization.objects.filter(pk=place.organization.pk).update(closed_at=clock.now())
    answer = hold_capture(place.context, hold_id=hold, key="c", params=CaptureParams("succeeded"))
    warnings = ["booked_though_not_a_member", "booked_though_lifecycle_denied"]
    assert (answer.body["charged"], answer.body["warnings"]) == (2_500_000, warnings)
    assert sorted(drift()) == sorted(warnings)
    assert_sound()


def open_hold(place: Place, **values: Any) -> uuid.UUID:
    question = consumption(place, **values).question
    opened: Any = credits_authorize(place.context, question=question, hold_ttl=timedelta(hours=1), key=uuid.uuid4().hex)
    return uuid.UUID(opened["hold"]["id"])


@BOTH
@pytest.mark.parametrize("mode", [BillingMode.LOCAL, BillingMode.SHADOW])
def test_what_the_product_charged_is_written_down_and_moves_nothing(
    place: Place, consume: Any, mode: BillingMode
) -> None:
    set_mode(place, mode)
    for number, local in enumerate((2 * MICRO, 1_500_000)):
        # 350 files cost 2.5 by our prices, the 100 free ones left aside.
        item = consumption(
            place, f"k-{number}", operation="scan", quantity=350 * MICRO, local_charge=local, user_id=make_user().pk
        )
        answer = consume(place, item)
        entry = CreditEntry.objects.get(pk=str(answer.body["entry_id"]))
        told = [answer.body[name] for name in ("charged", "shadow_charge", "decided_by")]
        assert told == [entry.amount, entry.shadow_charge, entry.decided_by] == [0, 2_500_000, "local"]
        assert entry.local_charge == local
        assert "booked_though_not_a_member" in str(answer.body["warnings"])
        assert drift().count("amount") == number + 1
    assert (place.account.balance, FreeQuantity.objects.count()) == (10 * MICRO, 0)
    agreed = consume(place, consumption(place, local_charge=2_500_000))
    assert (agreed.body["charged"], drift().count("amount")) == (0, 2)
    assert_sound()


@BOTH
def test_in_central_mode_we_charge_and_say_that_theirs_is_ignored(place: Place, consume: Any) -> None:
    set_mode(place, BillingMode.CENTRAL)
    answer = consume(place, consumption(place, local_charge=MICRO))
    assert (answer.body["charged"], answer.body["warnings"]) == (2_500_000, ["local_charge_ignored"])
    assert (place.account.balance, drift()) == (7_500_000, [])
    assert_sound()


def test_a_hold_keeps_the_mode_that_it_was_opened_in(place: Place) -> None:
    set_mode(place, BillingMode.SHADOW)
    first, second = open_hold(place), open_hold(place)
    set_mode(place, BillingMode.CENTRAL)
    params = CaptureParams("succeeded", local_charge=MICRO)
    answer = hold_capture(place.context, hold_id=first, key="c", params=params)
    assert (answer.body["charged"], answer.body["decided_by"], drift()) == (0, "local", ["amount"])
    consumed = alone(place, consumption(place, hold_id=second, local_charge=2_500_000))
    assert (consumed.body["charged"], consumed.body["decided_by"], place.account.held) == (0, "local", 0)
    assert place.account.balance == 10 * MICRO
    third = open_hold(place)
    set_mode(place, BillingMode.SHADOW)
    answer = hold_capture(place.context, hold_id=third, key="d", params=params)
    assert (answer.body["charged"], answer.body["warnings"]) == (2_500_000, ["local_charge_ignored"])
    assert_sound()


def test_shadow_without_a_decision_of_the_product_is_answered_and_said(place: Place) -> None:
    question = consumption(place).question
    told = LocalDecision("allow", 10 * MICRO, 2_500_000)
    for mode, local, warnings in (
        (BillingMode.SHADOW, None, ["no_local_decision"]),
        (BillingMode.SHADOW, told, []),
        (BillingMode.CENTRAL, None, []),
        (BillingMode.LOCAL, None, []),
    ):
        set_mode(place, mode)
        answer = credits_authorize(place.context, question=question, local=local)
        assert (answer["decision"], answer["warnings"]) == ("allow", warnings), mode


@BOTH
def test_a_run_that_was_charged_before_is_said_and_shown_to_both_products(place: Place, consume: Any) -> None:
    blue = make_product("blue", place.organization)
    credit_policy_publish_prices(console_context(), product_id=ProductId(blue.pk), prices=PRICES)
    other = Place(blue, place.organization, product_context(blue))
    first = consume(place, consumption(place, operation="unit", run_id="8841"))
    assert "warnings" not in first.body
    again = consume(place, consumption(place, operation="unit", run_id="8841"))
    assert again.body["warnings"] == ["run_charged_before"]
    told: Any = again.body["run_charged_before"]
    assert (told["entry_id"], told["product"], told["recorded_at"][-1]) == (first.body["entry_id"], "red", "Z")
    assert drift() == ["run_charged_before"]
    consume(other, consumption(other, operation="unit", run_id="8841"))
    by_product = ShadowDisagreement.objects.values_list("product__slug", flat=True)
    assert sorted(by_product) == ["blue", "red", "red"]
    # What costs nothing is no second charge.
    assert "warnings" not in consume(place, consumption(place, outcome="failed", run_id="8841")).body
    assert_sound()


def test_a_run_that_stands_twice_in_one_batch_is_said_once(place: Place) -> None:
    items = [consumption(place, operation="unit", run_id="r", quantity=MICRO) for _ in range(2)]
    results: Any = credits_consume_batch(place.context, consumptions=items)
    assert [result.body.get("warnings") for result in results] == [None, ["run_charged_before"]]


def test_a_hold_lives_longer_on_request_at_most_a_day_in_all(place: Place) -> None:
    hold = open_hold(place)
    opened = Hold.objects.get(pk=hold)
    for minutes, ends in ((30, opened.expires_at), (90, None), (24 * 60, opened.created_at + timedelta(hours=24))):
        now = clock.now()
        hold_extend(place.context, hold_id=hold, key=f"e-{minutes}", ttl=timedelta(minutes=minutes))
        found = Hold.objects.get(pk=hold).expires_at
        assert abs(found - (ends or now + timedelta(minutes=minutes))) < timedelta(seconds=5)
    assert place.account.next_due_at == found
    hold_capture(place.context, hold_id=hold, key="c", params=CaptureParams("succeeded"))
    with pytest.raises(CountinghouseError) as ended:
        hold_extend(place.context, hold_id=hold, key="late", ttl=timedelta(minutes=5))
    assert ended.value.problem_code == "hold_captured"
    assert hold_extend(place.context, hold_id=hold, key="e-30", ttl=timedelta(minutes=30)).replayed


def test_what_was_decided_for_one_price_is_captured_at_it(place: Place) -> None:
    """The price of a capture is that of the hold's opening."""
    give(place, 10 * MICRO)
    hold = open_hold(place)
    dearer = [price for price in PRICES if price.operation != "fix_run"]
    credit_policy_publish_prices(console_context(), product_id=ProductId(place.product.pk), prices=dearer)
    answer = hold_capture(place.context, hold_id=hold, key="c", params=CaptureParams("succeeded", quantity=MICRO))
    assert answer.body["charged"] == 2_500_000


def test_the_price_is_that_of_the_moment_when_it_happened(place: Place) -> None:
    context, old = place.context, clock.now()
    give(place, 10 * MICRO)
    dearer = [type(PRICES[3])("unit", "piece", 2 * MICRO)]
    credit_policy_publish_prices(console_context(), product_id=ProductId(place.product.pk), prices=dearer)
    charges = [
        credits_consume(context, consumption=consumption(place, operation="unit", occurred_at=at)).body["charged"]
        for at in (None, old, None, old - timedelta(days=3))
    ]
    assert charges == [2 * MICRO, MICRO, 2 * MICRO, MICRO]
    results: Any = credits_consume_batch(
        context, consumptions=[consumption(place, operation="unit", occurred_at=at) for at in (None, old, None)]
    )
    assert [result.body["charged"] for result in results] == [2 * MICRO, MICRO, 2 * MICRO]
