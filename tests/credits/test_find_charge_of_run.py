"""credits_charged_before: the first charge of a run in an account that was not given back in full."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from apps.core.amounts import MICRO
from apps.credits.models import CreditEntry
from apps.credits.services import entry_reverse
from apps.tenants.enums import BillingMode
from tests.credits.cast import Place, consumption, give, make_place
from tests.credits.test_book_what_happened import alone, set_mode
from tests.credits.test_race_for_credits import make_places
from tests.factories.tenants import make_product

pytestmark = pytest.mark.django_db


def found(place: Place, run: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM credits_charged_before(%s, %s)", [place.organization.pk, run])
        return list(cursor.fetchall())


def charge(place: Place, run: str, **values: Any) -> CreditEntry:
    answer = alone(place, consumption(place, run_id=run, **{"operation": "unit", **values})).body
    return CreditEntry.objects.get(pk=str(answer["entry_id"]))


def told(entry: CreditEntry, place: Place) -> list[Any]:
    return [(entry.pk, place.product.pk, place.product.slug, entry.recorded_at)]


def test_it_is_the_first_one_of_this_run_in_this_account() -> None:
    make_product("blue")
    place, other = make_places(2)
    make_product("green")
    for each in (place, other):
        give(each, 10 * MICRO)
    first = {name: charge(place, name) for name in ("a", "b")}
    charge(place, "a")
    charge(other, "c")
    charge(place, "")
    for name in ("a", "b"):
        assert found(place, name) == told(first[name], place)
    assert found(place, "c") == found(place, "") == found(other, "a") == []


@pytest.mark.parametrize(("back", "is_found"), [(0, True), (MICRO - 1, True), (MICRO, False)])
def test_what_was_given_back_in_full_was_not_charged(back: int, is_found: bool) -> None:
    place = make_place(whole_credits=10)
    entry, beside = charge(place, "a"), charge(place, "b")
    entry_reverse(place.context, entry_id=beside.pk, key="beside", reason="It was ours.")
    if back:
        entry_reverse(place.context, entry_id=entry.pk, key="a", reason="It was ours.", amount=back)
    assert found(place, "a") == (told(entry, place) if is_found else [])
    assert found(place, "b") == []


def test_a_run_that_cost_nothing_was_not_charged() -> None:
    place = make_place(whole_credits=10)
    charge(place, "a", outcome="failed")
    charge(place, "b", operation="scan")
    assert found(place, "a") == found(place, "b") == []


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_what_would_have_been_charged_counts(outcome: str) -> None:
    place = make_place(whole_credits=10)
    set_mode(place, BillingMode.SHADOW)
    entry = charge(place, "a", local_charge=MICRO, outcome=outcome)
    assert found(place, "a") == (told(entry, place) if outcome == "succeeded" else [])
