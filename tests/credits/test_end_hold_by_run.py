"""A run that names its hold (credits_consume_4) ends that hold alone, and takes or gives back what it reserved."""

from __future__ import annotations

import pytest

from apps.core.amounts import MICRO
from apps.core.ids import OrganizationId
from apps.credits.models import FreeQuantity, Hold
from apps.tenants.services import product_relation_upsert
from tests.contexts import console_context
from tests.credits.cast import Place, assert_sound, consumption, make_place
from tests.credits.test_book_what_happened import open_hold
from tests.credits.test_consume_at_edges import BOTH, Consume, told

pytestmark = pytest.mark.django_db


def free_used(place: Place) -> dict[str, int]:
    return dict(FreeQuantity.objects.filter(account=place.account).values_list("operation", "used"))


@BOTH
@pytest.mark.parametrize("taken", [0, 1, 2])
def test_the_other_holds_stay_open(consume: Consume, taken: int) -> None:
    place = make_place(whole_credits=10)
    holds = [open_hold(place, operation="unit") for _ in range(3)]
    answer = consume(place, consumption(place, operation="unit", hold_id=holds[taken])).body
    status = {hold: "captured" if hold == holds[taken] else "open" for hold in holds}
    assert dict(Hold.objects.values_list("pk", "status")) == status
    assert place.account.held == 2 * MICRO
    assert [answer[name] for name in ("balance", "held", "available")] == [9 * MICRO, 2 * MICRO, 7 * MICRO]
    assert_sound()


@BOTH
@pytest.mark.parametrize(("asked", "said"), [(5, "charged"), (6, "insufficient_credits")])
def test_a_run_may_take_its_hold_and_what_no_other_hold_has(consume: Consume, asked: int, said: str) -> None:
    place = make_place(whole_credits=10)
    own, other = (open_hold(place, operation="unit", quantity=units * MICRO) for units in (2, 5))
    item = consumption(place, operation="unit", quantity=asked * MICRO, hold_id=own)
    assert told(consume, place, item) == said
    status = "captured" if said == "charged" else "open"
    assert dict(Hold.objects.values_list("pk", "status")) == {own: status, other: "open"}
    assert place.account.balance == (5 if said == "charged" else 10) * MICRO
    assert_sound()


@BOTH
@pytest.mark.parametrize(("operation", "quantity", "left"), [("scan", 40, 40), ("scan", 100, 100), ("unit", 1, 0)])
def test_free_units_that_a_hold_reserved_are_its_runs_or_go_back(
    consume: Consume, operation: str, quantity: int, left: int
) -> None:
    """For another operation than the one that was asked for, nothing is taken of what was reserved."""
    place = make_place(whole_credits=10)
    hold = open_hold(place, operation="scan", quantity=60 * MICRO)
    assert free_used(place) == {"scan": 60 * MICRO}
    consume(place, consumption(place, operation=operation, quantity=quantity * MICRO, hold_id=hold))
    assert free_used(place) == {"scan": left * MICRO}
    assert place.account.balance == (9 if operation == "unit" else 10) * MICRO
    assert_sound()


@BOTH
def test_a_hold_of_another_product_is_not_taken(consume: Consume) -> None:
    place, other = make_place("red", whole_credits=10), make_place("blue")
    product_relation_upsert(
        console_context(), organization_id=OrganizationId(place.organization.pk), product_slug=other.product.slug
    )
    theirs = Place(other.product, place.organization, other.context)
    hold = open_hold(place, operation="unit")
    refused = told(consume, theirs, consumption(theirs, operation="unit", hold_id=hold))
    assert refused == told(consume, theirs, consumption(theirs, operation="unit", hold_id=hold))
    assert refused == "hold_of_another_product"
    assert Hold.objects.get(pk=hold).status == "open"
    assert place.account.balance == 10 * MICRO


@BOTH
def test_a_hold_that_has_ended_is_taken_no_second_time(consume: Consume) -> None:
    place = make_place(whole_credits=10)
    hold = open_hold(place, operation="unit")
    consume(place, consumption(place, operation="unit", hold_id=hold))
    assert told(consume, place, consumption(place, operation="unit", hold_id=hold)) != "charged"
    assert place.account.balance == 9 * MICRO
    assert_sound()
