"""What an account spent by day is read from the rollups, and is what its entries say (spec 11, Speed)."""

from __future__ import annotations

from datetime import UTC, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest

from apps.core import clock
from apps.credits.rules.forecast import WINDOW_DAYS
from apps.credits.selectors import burn
from apps.credits.selectors.burn import DayOfBurn, days_of_burn
from apps.credits.services import credits_consume
from apps.reporting.selectors.movements import kept_days
from apps.reporting.services import rollups_refresh
from tests.contexts import console_context
from tests.credits.cast import Place, consumption
from tests.credits.history import live_a_month, make_old_place
from tests.reporting.lives import at

pytestmark = pytest.mark.django_db
TOKYO = ZoneInfo("Asia/Tokyo")


@pytest.fixture
def place() -> Place:
    made = make_old_place()
    live_a_month(made)
    return made


def days_of(place: Place, zone: tzinfo = UTC) -> list[DayOfBurn]:
    return days_of_burn(place.organization.pk, now=clock.now(), zone=zone, days=WINDOW_DAYS)


def days_of_entries(place: Place, zone: tzinfo = UTC) -> list[DayOfBurn]:
    today = clock.now().astimezone(zone).date()
    asked = [today - timedelta(days=ago) for ago in reversed(range(WINDOW_DAYS))]
    return burn._of_entries(place.organization.pk, asked, zone)


def test_the_days_of_the_rollups_and_their_tail_are_those_of_the_entries(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollups_refresh(console_context())
    credits_consume(place.context, consumption=consumption(place))
    expected = days_of_entries(place)
    assert sum(len(day.by_product) for day in expected) > WINDOW_DAYS
    # A busy account has as many entries in these days as an idle one in years: none but the tail's is read.
    monkeypatch.delattr(burn, "_of_entries")
    assert days_of(place) == expected
    with at(clock.now() - timedelta(days=2)):
        # What came after the asked days moves no balance in them.
        assert days_of(place)[-1].balance == expected[-3].balance


def test_days_of_another_zone_are_read_from_the_entries(place: Place) -> None:
    rollups_refresh(console_context())
    assert kept_days(place.organization.pk, TOKYO, clock.now().date()) is None
    assert days_of(place, TOKYO) == days_of_entries(place, TOKYO)


def test_an_account_that_is_not_rolled_up_is_read_from_its_entries(place: Place) -> None:
    assert kept_days(place.organization.pk, UTC, clock.now().date()) is None
    assert days_of(place) == days_of_entries(place)
