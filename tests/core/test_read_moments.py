"""RFC 3339 in full, one bound for moments, and zones that are places."""

from __future__ import annotations

import itertools
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apps.core import moments
from apps.core.form_fields import DayField, MomentField
from apps.core.moments import FIRST_YEAR, LAST_YEAR, MomentError, in_zone, read_iso_moment, read_moment, zone_names

TAKEN = {
    "2026-04-03T10:00:00Z": "2026-04-03T10:00:00+00:00",
    "2026-04-03t10:00:00z": "2026-04-03T10:00:00+00:00",
    "2026-04-03T10:00:00-00:00": "2026-04-03T10:00:00+00:00",
    "2026-04-03T12:00:00+02:00": "2026-04-03T10:00:00+00:00",
    "2026-04-03T10:00:00+23:59": "2026-04-02T10:01:00+00:00",
    "2026-04-03T10:00:00-23:59": "2026-04-04T09:59:00+00:00",
    "2026-04-03T10:00:00.5Z": "2026-04-03T10:00:00.500000+00:00",
    "2026-04-03T10:00:00.123456789Z": "2026-04-03T10:00:00.123456+00:00",
    "2026-04-03T10:00:00.999999999999999999Z": "2026-04-03T10:00:00.999999+00:00",
    f"2026-12-31T23:59:59.{'9' * 5_000}Z": "2026-12-31T23:59:59.999999+00:00",
    "2016-12-31T23:59:60Z": "2016-12-31T23:59:59.999999+00:00",
    "2016-12-31T23:59:60.75Z": "2016-12-31T23:59:59.999999+00:00",
    "2016-12-31T18:59:60-05:00": "2016-12-31T23:59:59.999999+00:00",
    "2000-01-01T00:00:00+14:00": "1999-12-31T10:00:00+00:00",
    "2200-12-31T23:59:59.999999-12:00": "2201-01-01T11:59:59.999999+00:00",
}
NO_FORM = (
    "", "now", "1775210400", "2026-04-03", "2026-04-03 10:00:00Z", "2026-04-03T10:00Z", "2026-04-03T10:00:00.Z",
    "2026-04-03T10:00:00,5Z", "20260403T100000Z", "2026-W14-5T10:00:00Z", "2026-093T10:00:00Z",
    "2026-04-03T10:00:00+02",
    "2026-04-03T10:00:00+0200", "2026-04-03T10:00:00 Z", "2026-04-03T10:00:00Z\n", " 2026-04-03T10:00:00Z",
    "+12026-04-03T10:00:00Z", "-2026-04-03T10:00:00Z", "2026-04-03T10:00:00\u221202:00", "\uff12026-04-03T10:00:00Z",
    "2026-04-03T10:00:00[Europe/Berlin]", "2026-04-03T10:00:00Z[u-ca=hebrew]", "2026-04-03T10:00:00Z\x00",
)  # fmt: skip
NONE_SUCH = (
    "2026-02-29T10:00:00Z", "2026-04-31T10:00:00Z", "2026-13-01T10:00:00Z", "2026-00-01T10:00:00Z",
    "2026-04-00T10:00:00Z", "2026-04-03T24:00:00Z", "2026-04-03T10:60:00Z", "2026-04-03T10:00:61Z",
    "2026-04-03T10:00:60Z", "2016-12-30T23:59:60Z", "2016-12-31T23:59:60+01:00", "2026-04-03T10:00:00+24:00",
    "2026-04-03T10:00:00+12:60", "1999-12-31T23:59:59Z", "2201-01-01T00:00:00Z", "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+12:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00",
    "9999-12-31T23:59:60Z",
)  # fmt: skip
PLACES = (
    "Europe/Berlin", "America/Argentina/Buenos_Aires", "Asia/Calcutta", "Asia/Kolkata", "US/Eastern", "Japan", "UTC",
    "Etc/UTC", "Etc/GMT+5", "GMT", "Antarctica/Troll",
)  # fmt: skip
NO_PLACES = (
    "localtime", "Factory", "posixrules", "posix/Europe/Berlin", "right/Europe/Berlin", "EST5EDT", "CET", "EST", "",
    "Europe", "europe/berlin", "Europe/berlin", "Europe/Berlin ", "Europe/Nowhere", "../Europe/Berlin",
    "/etc/localtime",
    "Europe/../Europe/Berlin", "Etc/Unknown", "Etc/GMT+99", "+02:00", "Europe/Berlin\x00", "leapseconds", "tzdata.zi",
    "SystemV/EST5", "W. Europe Standard Time",
)  # fmt: skip


@pytest.mark.parametrize(("text", "moment"), TAKEN.items())
def test_a_moment_is_taken_to_the_microsecond(text: str, moment: str) -> None:
    assert read_moment(text) == datetime.fromisoformat(moment)
    assert read_moment(text).tzinfo is UTC


@pytest.mark.parametrize("text", NO_FORM)
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(moments.MomentFormError, match="RFC 3339"):
        read_moment(text)


@pytest.mark.parametrize("text", ["2026-04-03T10:00:00", "2026-04-03T10:00:00.5", "2026-04-03 10:00"])
def test_a_moment_of_no_zone_is_told_to_name_one(text: str) -> None:
    with pytest.raises(moments.NoOffsetError, match="append"):
        read_moment(text)


@pytest.mark.parametrize("text", NONE_SUCH)
def test_an_impossible_moment_is_refused(text: str) -> None:
    with pytest.raises(moments.ImpossibleMomentError):
        read_moment(text)


@given(st.datetimes(timezones=st.timezones()))
@example(datetime.min.replace(tzinfo=ZoneInfo("Asia/Tokyo")))
@example(datetime.max.replace(tzinfo=ZoneInfo("America/Los_Angeles")))
def test_any_moment_is_read_exactly_or_refused(moment: datetime) -> None:
    text = moment.isoformat()
    for read in (read_moment, read_iso_moment):
        try:
            assert read(text) == datetime.fromisoformat(text)
        except MomentError:
            offset = moment.utcoffset() or timedelta()
            # Before zones were introduced their offsets had seconds, which RFC 3339 can't write.
            assert not FIRST_YEAR <= moment.year <= LAST_YEAR or offset.seconds % 60


@given(
    st.text(max_size=30) | st.from_regex(r"\d{1,4}-\d\d?-\d\d?([T ]\d\d:\d\d(:\d\d(\.\d+)?)?([zZ]|[+-]\d\d:\d\d)?)?")
)
@example("0001-01-01T00:00:00+14:00")
@example("9999-12-31")
@example("9999-W53-7")
def test_any_text_is_a_bounded_moment_or_refused(text: str) -> None:
    for read in (read_moment, read_iso_moment, moments.read_day):
        with suppress(MomentError):
            assert FIRST_YEAR - 1 <= read(text).year <= LAST_YEAR + 1


@given(st.integers() | st.booleans() | st.floats() | st.text(max_size=5) | st.none())
@example(253_402_300_800)
@example(2**63)
@example(-(2**63))
@example(10**400)
def test_any_seconds_are_a_bounded_moment_or_refused(value: object) -> None:
    with suppress(MomentError):
        assert FIRST_YEAR <= moments.read_seconds(value).year <= LAST_YEAR


@given(st.datetimes(timezones=st.just(UTC)), st.timedeltas())
@example(datetime.max.replace(tzinfo=UTC), timedelta.max)
@example(datetime.min.replace(tzinfo=UTC), timedelta.max)
def test_a_length_that_others_tell_never_leads_off_the_calendar(moment: datetime, length: timedelta) -> None:
    if length >= timedelta(0):
        assert moments.after(moment, length).year <= LAST_YEAR


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles", "Pacific/Kiritimati", "Etc/GMT+12"])
@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_the_edge_of_the_calendar_is_shown_in_any_zone(zone: str, moment: datetime) -> None:
    assert in_zone(moment, ZoneInfo(zone)) == moment


@pytest.mark.parametrize("name", PLACES)
def test_places_and_utc_are_zones(name: str) -> None:
    assert name in zone_names()
    assert str(moments.zone_of(name)) == name


@pytest.mark.parametrize("name", NO_PLACES)
def test_no_other_name_is(name: str) -> None:
    assert name not in zone_names()


@pytest.mark.parametrize("name", ["Europe/Nowhere", "", "../x", "a\x00b", "x" * 5_000])
def test_a_stored_zone_that_this_machine_does_not_know_is_shown_in_utc(name: str) -> None:
    assert moments.zone_of(name) is UTC


def test_every_zone_that_we_take_exists_and_has_a_slash_or_a_name_of_its_own() -> None:
    assert zone_names() <= available_timezones()
    assert len(zone_names()) > 400


@pytest.mark.parametrize(
    ("field", "text"),
    [*itertools.product([DayField, MomentField], ["0001-01-01", "1999-12-31", "2201-01-01", "9999-12-31"])],
)
def test_forms_keep_the_bound(field: type[DayField | MomentField], text: str) -> None:
    with pytest.raises(Exception, match="years 2000 to 2200"):
        field().clean(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31 23:59"])
def test_a_form_s_moment_beside_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(Exception, match="years 2000 to 2200"):
        MomentField().clean(text)


def test_forms_take_what_lies_within() -> None:
    assert DayField().clean("2000-01-01") == date(2000, 1, 1)
    assert MomentField().clean("2026-04-03T12:00+02:00") == datetime(2026, 4, 3, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-04", "April 2026"),
        ("2025-11 is up to date: 120 new.", "November 2025 is up to date: 120 new."),
        ("2026-04-03, 2026-13 and 12026-04", "2026-04-03, 2026-13 and 12026-04"),
        ("r-2026-04", "r-2026-04"),
        ("", ""),
    ],
)
def test_months_in_a_text_are_written_in_words(text: str, written: str) -> None:
    assert moments.write_months(text) == written


def test_moments_are_written_in_one_way() -> None:
    at = datetime(2026, 4, 3, 23, 5, tzinfo=UTC)
    assert moments.write_moment(at, ZoneInfo("Asia/Tokyo")) == "4 April 2026, 08:05"
    assert moments.write_day(at, UTC) == "3 April 2026"
