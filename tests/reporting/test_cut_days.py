"""Each moment's day is the zone's own, through every change of clocks (spec 07, Which time counts)."""

from __future__ import annotations

import random
from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta

import pytest

from apps.core.moments import zone_names, zone_of
from apps.reporting.rules.days import DayTable, day_table
from apps.reporting.rules.pieces import Piece, cut_pieces
from apps.reporting.rules.windows import Timeframe, TimeWindow, timeframes
from tests.sizes import size

ODD_ZONES = (
    "America/St_Johns",  # until 2011 clocks went back over midnight, from 00:01 to 23:01
    "Pacific/Apia",  # left out 30 December 2011
    "Australia/Lord_Howe",  # half an hour
    "Africa/Casablanca",  # back for one month a year
    "America/Havana",
    "Asia/Beirut",
    "America/Nuuk",
    "Pacific/Kiritimati",
    "Asia/Kathmandu",
)


def day_in(table_starts: tuple[datetime, ...], days: tuple[date, ...], moment: datetime) -> date:
    return days[bisect_right(table_starts, moment) - 1]


@pytest.mark.parametrize("name", ODD_ZONES)
def test_every_quarter_of_an_hour_has_the_day_of_the_zone(name: str) -> None:
    zone = zone_of(name)
    for year in size(small=(2010, 2011, 2024), full=tuple(range(2000, 2040))):
        first, last = datetime(year, 1, 1, 0, 7, tzinfo=UTC), datetime(year + 1, 1, 2, tzinfo=UTC)
        table = day_table(zone, first, last)
        moment = first
        while moment <= last:
            assert day_in(table.starts, table.days, moment) == moment.astimezone(zone).date(), moment
            moment += timedelta(minutes=15)


def test_every_zone_around_each_start() -> None:
    chance = random.Random(1)  # noqa: S311 - a sample
    for name in sorted(zone_names())[:: size(small=9, full=1)]:
        zone = zone_of(name)
        first = datetime(chance.randrange(2000, 2038), chance.randrange(1, 13), 1, tzinfo=UTC)
        table = day_table(zone, first, first + timedelta(days=400))
        for start in table.starts[1:]:
            for moment in (start - timedelta(microseconds=1), start, start + timedelta(minutes=1, microseconds=1)):
                assert day_in(table.starts, table.days, moment) == moment.astimezone(zone).date(), (name, moment)


def test_a_day_that_was_left_out_is_not_there_and_one_that_came_twice_is_there_twice() -> None:
    apia = day_table(zone_of("Pacific/Apia"), datetime(2011, 12, 28, tzinfo=UTC), datetime(2012, 1, 2, tzinfo=UTC))
    assert date(2011, 12, 30) not in apia.days
    clocks_back = datetime(2010, 11, 6, 12, tzinfo=UTC)
    st_johns = day_table(zone_of("America/St_Johns"), clocks_back, clocks_back + timedelta(days=1))
    assert st_johns.days == (date(2010, 11, 6), date(2010, 11, 7), date(2010, 11, 6), date(2010, 11, 7))


@pytest.mark.parametrize("seconds", range(1, 20))
def test_the_day_that_was_left_out_is_cut_at_its_very_second(seconds: int) -> None:
    change = datetime(2011, 12, 30, 10, tzinfo=UTC)
    first = change - timedelta(seconds=seconds)
    table = day_table(zone_of("Pacific/Apia"), first, first + timedelta(hours=1))
    assert table == DayTable((first, change), (date(2011, 12, 29), date(2011, 12, 31)))


def test_the_last_moment_has_its_day_also_where_it_begins_it() -> None:
    noon, midnight = datetime(2026, 4, 1, 12, tzinfo=UTC), datetime(2026, 4, 2, tzinfo=UTC)
    tick = timedelta(microseconds=1)
    assert day_table(UTC, noon, noon) == DayTable((noon,), (date(2026, 4, 1),))
    assert day_table(UTC, midnight, midnight) == DayTable((midnight,), (date(2026, 4, 2),))
    assert day_table(UTC, noon, midnight) == DayTable((noon, midnight), (date(2026, 4, 1), date(2026, 4, 2)))
    assert day_table(UTC, noon, midnight - tick).days == (date(2026, 4, 1),)
    # A whole step of a day later the last moment is looked at for the first time.
    assert day_table(UTC, midnight, midnight + timedelta(days=1)).days == (date(2026, 4, 2), date(2026, 4, 3))


@pytest.mark.parametrize(
    ("piece_first", "rolled", "last", "is_new_day", "expected"),
    [
        (1, 0, 3, False, [Piece(1, 3)]),
        (1, 0, 10, True, [Piece(1, 10)]),
        (1, 0, 11, True, [Piece(1, 10), Piece(11, 11)]),
        (3, 3, 5, False, [Piece(3, 5)]),
        (1, 0, 0, True, []),
        (1, 0, 3, True, [Piece(1, 3)]),
        (1, 3, 3, False, []),
        (1, 3, 5, False, [Piece(1, 5)]),
        (1, 3, 5, True, [Piece(4, 5)]),
        (1, 9, 12, False, [Piece(1, 10), Piece(11, 12)]),
        (1, 10, 12, False, [Piece(11, 12)]),
        (11, 12, 35, False, [Piece(11, 20), Piece(21, 30), Piece(31, 35)]),
        (11, 12, 35, True, [Piece(13, 22), Piece(23, 32), Piece(33, 35)]),
    ],
)
def test_pieces(piece_first: int, rolled: int, last: int, is_new_day: bool, expected: list[Piece]) -> None:
    assert cut_pieces(piece_first=piece_first, rolled=rolled, last=last, is_new_day=is_new_day, most=10) == expected


def test_pieces_hold_every_entry_once_however_the_account_grows() -> None:
    chance = random.Random(2)  # noqa: S311 - a sample
    for _ in range(300):
        held: dict[int, Piece] = {}
        first, rolled = 1, 0
        for _ in range(8):
            last = rolled + chance.randrange(25)
            for piece in cut_pieces(
                piece_first=first, rolled=rolled, last=last, is_new_day=chance.random() < 0.3, most=10
            ):
                held[piece.first] = piece
                first = piece.first
            rolled = last
        numbers = [number for piece in held.values() for number in range(piece.first, piece.last + 1)]
        assert sorted(numbers) == list(range(1, rolled + 1))
        assert all(piece.last - piece.first < 10 for piece in held.values())


@pytest.mark.parametrize(
    ("window", "today", "count", "first", "last"),
    [
        ("lastMonth", "2028-03-01", 30, ("2028-02-01", "2028-02-02"), ("2028-03-01", "2028-03-02")),
        ("lastMonth", "2026-03-01", 30, ("2026-01-31", "2026-02-01"), ("2026-03-01", "2026-03-02")),
        # 2027 begins in week 53 of 2026.
        ("lastSixMonths", "2027-01-03", 26, ("2026-07-06", "2026-07-13"), ("2026-12-28", "2027-01-04")),
        ("lastSixMonths", "2027-01-04", 26, ("2026-07-13", "2026-07-20"), ("2027-01-04", "2027-01-11")),
        ("lastYear", "2028-02-29", 12, ("2027-03-01", "2027-04-01"), ("2028-02-01", "2028-03-01")),
        ("lastYear", "2026-12-31", 12, ("2026-01-01", "2026-02-01"), ("2026-12-01", "2027-01-01")),
    ],
)
def test_windows(window: str, today: str, count: int, first: tuple[str, str], last: tuple[str, str]) -> None:
    day = date.fromisoformat(today)
    found = timeframes(TimeWindow(window), day)
    ends = [Timeframe(*map(date.fromisoformat, frame)) for frame in (first, last)]
    assert (len(found), found[0], found[-1]) == (count, *ends)
    assert [frame.end for frame in found[:-1]] == [frame.start for frame in found[1:]]
    assert found[-1].start <= day < found[-1].end
