"""Days follow one another without gap or overlap, through every change of clocks and zones (spec 07, Daily report)."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import pytest

from apps.core.moments import zone_names, zone_of
from apps.reporting.rules.schedule import due_at, first_day, start_of_day, window_of
from tests.reporting.test_cut_days import ODD_ZONES
from tests.sizes import size

_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)


@pytest.mark.parametrize("name", ODD_ZONES)
def test_each_day_begins_after_the_last_moment_of_the_days_before(name: str) -> None:
    zone = zone_of(name)
    for year in size(small=(2010, 2011), full=tuple(range(2000, 2040))):
        day, former = date(year, 1, 1), None
        while day.year == year:
            start = start_of_day(zone, day)
            assert (start - _TICK).astimezone(zone).date() < day
            assert start.astimezone(zone).date() >= day
            # Nothing of an earlier day comes later.
            assert all((start + n * timedelta(minutes=30)).astimezone(zone).date() >= day for n in range(8))
            assert former is None or former <= start
            former, day = start, day + _DAY


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Europe/Berlin", date(2026, 10, 26), 24),
        ("America/Havana", date(2026, 3, 8), 23),  # no midnight: the day begins at 01:00
        ("Asia/Beirut", date(2026, 3, 29), 23),
        ("Pacific/Apia", date(2011, 12, 30), 0),  # left out
        ("Pacific/Apia", date(2011, 12, 29), 24),
        ("UTC", date(2026, 6, 30), 24),
    ],
)
def test_days_of_clock_changes_have_their_own_length(zone: str, day: date, hours: int) -> None:
    window = window_of(zone_of(zone), day, former_end=None)
    assert window.end - window.start == timedelta(hours=hours)
    assert due_at(zone_of(zone), day) == window.end + timedelta(hours=1)


def test_windows_follow_one_another_whatever_happens_to_the_zone() -> None:
    chance = random.Random(7)  # noqa: S311 - a sample
    zones = sorted(zone_names())
    for _ in range(size(small=60, full=2_000)):
        zone = zone_of(chance.choice(zones))
        day = date(2026, 1, 1) + timedelta(days=chance.randrange(360))
        window = window_of(zone, day, former_end=None)
        for _ in range(12):
            if chance.random() < 0.5:
                zone = zone_of(chance.choice(zones))
            day += _DAY
            following = window_of(zone, day, former_end=window.end)
            assert following.start == window.end
            assert following.start <= following.end <= following.start + timedelta(hours=51)
            window = following


def test_a_new_scope_begins_with_its_first_day_and_an_old_one_with_yesterday() -> None:
    now = datetime(2026, 11, 5, 1, 0, tzinfo=UTC)
    auckland, honolulu = zone_of("Pacific/Auckland"), zone_of("Pacific/Honolulu")
    assert first_day(auckland, created_at=now, now=now) == date(2026, 11, 5)
    assert first_day(honolulu, created_at=now, now=now) == date(2026, 11, 4)
    assert first_day(honolulu, created_at=datetime(2020, 1, 1, tzinfo=UTC), now=now) == date(2026, 11, 3)
