"""Slots are arithmetic in UTC: none skipped, none twice, whatever clocks on walls do (spec 11, P5 and P6's kin)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.canonical import NotCanonicalError
from apps.core.jobs.registry import Cadence, due_slots, slot_name

CADENCES = [
    Cadence(timedelta(minutes=1)),
    Cadence(timedelta(minutes=5)),
    Cadence(timedelta(hours=1), timedelta(minutes=7)),
    Cadence(timedelta(days=1), timedelta(hours=2, minutes=30)),
]
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2032, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
BERLIN = ZoneInfo("Europe/Berlin")
# Both nights on which the clocks of Berlin change in 2026.
CLOCK_CHANGES = [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)]


@given(st.sampled_from(CADENCES), MOMENTS)
def test_a_moment_lies_in_exactly_one_slot(cadence: Cadence, moment: datetime) -> None:
    slot = cadence.slot_at(moment)
    assert slot <= moment < slot + cadence.every
    assert cadence.slot_at(slot) == slot
    assert cadence.slot_at(slot - timedelta(microseconds=1)) == slot - cadence.every


@given(st.sampled_from(CADENCES), MOMENTS, st.integers(0, 40))
def test_slots_follow_each_other_without_gap(cadence: Cadence, moment: datetime, count: int) -> None:
    first = cadence.slot_at(moment)
    slots = list(cadence.slots_after(first, first + cadence.every * count))
    assert slots == [first + cadence.every * number for number in range(1, count + 1)]
    assert len({slot_name(slot) for slot in slots}) == count


@pytest.mark.parametrize("cadence", CADENCES, ids=str)
@pytest.mark.parametrize("night", CLOCK_CHANGES, ids=str)
def test_a_change_of_the_clock_changes_nothing(cadence: Cadence, night: datetime) -> None:
    minutes = [(night + timedelta(minutes=minute)).astimezone(BERLIN) for minute in range(-60, 24 * 60)]
    slots = sorted({cadence.slot_at(moment) for moment in minutes})
    assert {later - sooner for sooner, later in pairwise(slots)} <= {cadence.every}


def test_control_a_schedule_on_the_wall_skips_and_repeats() -> None:
    """The same night on local time: the test above must be able to notice."""
    spring, autumn = [
        [(night + timedelta(minutes=minute)).astimezone(BERLIN).strftime("%H:%M") for minute in range(24 * 60)]
        for night in CLOCK_CHANGES
    ]
    assert "02:30" not in spring
    assert autumn.count("02:30") == 2


OUTAGES = [timedelta(0), timedelta(hours=1), timedelta(days=1), timedelta(days=40)]


@pytest.mark.parametrize("outage", OUTAGES, ids=str)
@pytest.mark.parametrize("catch_up", [1, 3, 24])
@pytest.mark.parametrize("cadence", CADENCES[2:], ids=str)
def test_after_an_outage_every_missed_slot_is_fired_once_oldest_first(
    outage: timedelta, catch_up: int, cadence: Cadence
) -> None:
    """J4: the sweeps after an outage together fire what a beat without outage would have."""
    last = cadence.slot_at(datetime(2026, 3, 1, 12, 0, tzinfo=UTC))
    now = last + outage + timedelta(minutes=3)
    expected = list(cadence.slots_after(last, now))
    fired: list[datetime] = []
    while batch := due_slots(cadence, catch_up=catch_up, last=fired[-1] if fired else last, now=now):
        assert len(batch) <= catch_up
        fired += batch
    assert fired == expected


@given(st.sampled_from(CADENCES), MOMENTS, st.timedeltas(timedelta(0), timedelta(days=400)))
def test_a_job_that_skips_fires_the_current_slot_alone(cadence: Cadence, moment: datetime, outage: timedelta) -> None:
    last = cadence.slot_at(moment)
    current = cadence.slot_at(moment + outage)
    due = due_slots(cadence, catch_up=0, last=last, now=moment + outage)
    assert due == ([] if current == last else [current])


def test_a_job_that_never_ran_begins_now_and_a_clock_that_went_back_fires_nothing() -> None:
    cadence, now = CADENCES[2], datetime(2026, 4, 3, 10, 10, tzinfo=UTC)
    current = datetime(2026, 4, 3, 10, 7, tzinfo=UTC)
    assert due_slots(cadence, catch_up=5, last=None, now=now) == [current]
    assert due_slots(cadence, catch_up=5, last=current + timedelta(hours=3), now=now) == []
    assert slot_name(current) == "2026-04-03T10:07:00Z"


BAD_CADENCES = [
    (timedelta(0), timedelta(0)),
    (timedelta(seconds=90), timedelta(0)),
    (timedelta(hours=1), timedelta(hours=1)),
    (timedelta(hours=1), timedelta(minutes=-1)),
    (timedelta(hours=1), timedelta(seconds=1)),
]


@pytest.mark.parametrize(("every", "offset"), BAD_CADENCES, ids=str)
def test_a_cadence_is_whole_minutes(every: timedelta, offset: timedelta) -> None:
    with pytest.raises(ValueError, match="job"):
        Cadence(every, offset)


def test_a_naive_moment_names_no_slot() -> None:
    with pytest.raises(NotCanonicalError):
        CADENCES[0].slot_at(datetime(2026, 4, 3))  # noqa: DTZ001 - that it names no moment is the case
