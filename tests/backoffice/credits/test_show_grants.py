"""What is left of grants, and who paid, on the pages that show it: as of now, also where no job has run (spec 05)."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.amounts import MICRO
from apps.core.enums import Role
from apps.credits.enums import OnInsufficient
from apps.credits.models import CreditEntry, GrantBurn
from apps.credits.services import credits_consume
from tests.backoffice.people import client_of
from tests.credits.cast import Place, assert_sound, consumption, make_place

pytestmark = pytest.mark.django_db

LISTS = ("credits_creditgrant", "credits_uncoveredcharge")


@pytest.fixture
def place() -> Place:
    """100 credits granted, 70 and then 50 charged, which nobody has looked at since."""
    found = make_place(whole_credits=100)
    for quantity in (70, 50):
        item = consumption(found, operation="unit", quantity=quantity * MICRO, on_insufficient=OnInsufficient.RECORD)
        credits_consume(found.context, consumption=item)
    assert not GrantBurn.objects.exists()
    return found


def shown(route: str, *args: object) -> str:
    answer = client_of(Role.BILLING_OPERATIONS).get(reverse(f"admin:{route}", args=args))
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_the_list_of_grants_shows_what_the_charges_have_left(place: Place) -> None:
    assert "0 <small>of 100</small>" in shown("credits_creditgrant_changelist")
    assert_sound()


def test_the_page_of_a_grant_shows_what_it_paid(place: Place) -> None:
    page = shown("credits_creditgrant_change", place.account.grants.get().pk)
    assert "0 <small>of 100</small>" in page
    assert all(f"{amount}" in page for amount in ("-70", "-30"))


def test_the_page_of_a_charge_shows_who_paid_it_and_what_waits(place: Place) -> None:
    page = shown("credits_creditentry_change", CreditEntry.objects.get(kind="consumption", amount=-50 * MICRO).pk)
    assert "Not paid by any grant yet" in page


def test_the_list_of_uncovered_charges_shows_a_debt_as_soon_as_there_is_one(place: Place) -> None:
    assert "20" in shown("credits_uncoveredcharge_changelist")
    assert place.account.uncovered.get().amount_left == 20 * MICRO


@pytest.mark.parametrize("name", LISTS)
def test_whoever_may_not_look_settles_nothing(place: Place, name: str) -> None:
    assert Client().get(reverse(f"admin:{name}_changelist")).status_code == 302
    assert not GrantBurn.objects.exists()
