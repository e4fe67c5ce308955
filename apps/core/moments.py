"""Moments as they come in from outside, and as they are shown: one bound, one reader, one way to a zone.

A moment that anybody sends lies in the years `FIRST_YEAR` to `LAST_YEAR`, as it is written, whichever door it comes
through: an API field, a form, a provider's event, a file. So nothing here is calculated at the edge of the calendar.
What stands in the database may be older or later; `in_zone` shows any of it.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

FIRST_YEAR, LAST_YEAR = 2000, 2200
# Events of payment providers are kept whatever they say, so that their bound is wider.
PROVIDER_YEARS = (1970, 3000)
_NO_SUCH = "there is no such day or time in the calendar."
BOUNDS_IN_WORDS = f"must lie in the years {FIRST_YEAR} to {LAST_YEAR}."

# RFC 3339, section 5.6, without its space between day and time: that one is by agreement only, and we agree on `T`.
_RFC_3339 = re.compile(
    r"(?P<head>[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2})(?P<decimals>\.[0-9]+)?"
    r"(?P<offset>[Zz]|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)
_NAIVE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(\.[0-9]+)?", re.ASCII)
_IN_A_YEAR = (
    r"(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)
# What the OpenAPI document says of a moment that we take.
MOMENT_PATTERN = rf"(20[0-9]{{2}}|21[0-9]{{2}}|2200)-{_IN_A_YEAR}"
_POSSIBLE = re.compile(rf"[0-9]{{4}}-{_IN_A_YEAR}", re.ASCII)
_MONTH = re.compile(r"(?<![-\w])(20[0-9]{2}|21[0-9]{2})-(0[1-9]|1[0-2])(?![-\w])", re.ASCII)
_MICROSECONDS = len(".000000")

# Folders of the IANA database whose names are places, with the older ones by country.
_REGIONS = frozenset({
    "Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Brazil", "Canada", "Chile", "Europe",
    "Indian", "Mexico", "Pacific", "US",
})  # fmt: skip
_COUNTRIES = frozenset({
    "Cuba", "Egypt", "Eire", "GB", "GB-Eire", "Hongkong", "Iceland", "Iran", "Israel", "Jamaica", "Japan", "Kwajalein",
    "Libya", "NZ", "NZ-CHAT", "Navajo", "PRC", "Poland", "Portugal", "ROC", "ROK", "Singapore", "Turkey", "W-SU",
})  # fmt: skip
_UNIVERSAL = frozenset(["UTC", "UCT", "Universal", "Zulu", "GMT", "Greenwich"])
# Fixed offsets, which browsers report for machines that are set to one.
_FIXED = re.compile(r"Etc/(UTC|UCT|Universal|Zulu|GMT|Greenwich|GMT[+-]?[0-9]{1,2})", re.ASCII)


class MomentError(ValueError):
    """The text or value is no moment that we take; the message follows the field's name."""


class MomentFormError(MomentError):
    """It is not written as a moment."""


class NoOffsetError(MomentError):
    """It is written as a moment of an unknown zone."""


class ImpossibleMomentError(MomentError):
    """It is written as a moment and there is none such, or it lies beyond the bounds."""


def read_moment(text: str) -> datetime:
    """The moment of an RFC 3339 text with its offset, in UTC. Raises one of the errors above.

    Decimals beyond microseconds are cut off, never rounded up. A leap second, which no clock here can show, is the
    last microsecond before it; `:60` anywhere but at the end of a month in UTC is no moment.
    """
    match = _RFC_3339.fullmatch(text)
    if match is None:
        if _NAIVE.fullmatch(text):
            raise NoOffsetError('has no offset: append "Z" for UTC, or one such as "+02:00".')
        raise MomentFormError('must be an RFC 3339 time with an offset, such as "2026-04-03T10:00:00Z".')
    if _POSSIBLE.fullmatch(text) is None:
        raise ImpossibleMomentError(_NO_SUCH)
    head, decimals = match["head"], (match["decimals"] or "")[:_MICROSECONDS]
    if head.endswith("60"):
        return _leap_second(head, match["offset"])
    return bounded(_parsed(f"{head}{decimals}{match['offset']}")).astimezone(UTC)


def read_iso_moment(
    text: str, *, years: tuple[int, int] = (FIRST_YEAR, LAST_YEAR), needs_offset: bool = False
) -> datetime:
    """The moment of a text in any form of ISO 8601, in UTC where it names no offset: for providers and for people.

    Raises `NoOffsetError` for a text without an offset where it `needs_offset`.
    """
    text = text.strip()
    if text[17:19] == "60" and _RFC_3339.fullmatch(text):
        return read_moment(text)
    moment = _between(_parsed(text), years)
    if needs_offset and moment.tzinfo is None:
        raise NoOffsetError('has no offset: append "Z" for UTC, or one such as "+02:00".')
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def read_day(text: str) -> date:
    """The day of a text such as `2026-04-03`, within the bounds."""
    try:
        return bounded_day(date.fromisoformat(text))
    except MomentError:
        raise
    except ValueError:
        raise MomentFormError('must be a day such as "2026-04-03".') from None


def read_seconds(seconds: object, *, years: tuple[int, int] = (FIRST_YEAR, LAST_YEAR)) -> datetime:
    """The moment of whole seconds since 1970, as Stripe sends them."""
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        raise MomentFormError("must be a time in whole seconds since 1970.")
    try:
        return _between(datetime.fromtimestamp(seconds, UTC), years)
    except (OverflowError, OSError, ValueError):
        raise ImpossibleMomentError(BOUNDS_IN_WORDS) from None


def bounded(moment: datetime) -> datetime:
    """The moment, if it lies within the bounds."""
    bounded_day(moment)
    return moment


def bounded_day(day: date) -> date:
    """The day, if it lies within the bounds."""
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ImpossibleMomentError(BOUNDS_IN_WORDS)
    return day


def after(moment: datetime, length: timedelta) -> datetime:
    """The moment so much later, and never beyond the bounds: for lengths that others tell us."""
    last = datetime(LAST_YEAR, 12, 31, tzinfo=UTC)
    return min(moment, last) + min(length, last - min(moment, last))


def in_zone(moment: datetime, zone: tzinfo) -> datetime:
    """The moment by the zone's clock; at the very edge of the calendar, where the zone has no such day, in UTC."""
    try:
        return moment.astimezone(zone)
    except (OverflowError, ValueError):
        return moment


def write_day(moment: datetime, zone: tzinfo) -> str:
    """The day of the moment in the zone, as every page writes it: "3 April 2026"."""
    local = in_zone(moment, zone)
    return f"{local.day} {local:%B %Y}"


def write_moment(moment: datetime, zone: tzinfo) -> str:
    """The moment in the zone, as every page writes it: "3 April 2026, 14:05"."""
    return f"{write_day(moment, zone)}, {in_zone(moment, zone):%H:%M}"


def write_months(text: str) -> str:
    """The text with its months, such as 2026-04, in words: "April 2026". Days such as 2026-04-03 stay."""
    return _MONTH.sub(lambda found: f"{date(int(found[1]), int(found[2]), 1):%B %Y}", text)


@cache
def zone_names() -> frozenset[str]:
    """The names of the IANA database that are places, UTC, or a fixed offset from it.

    Names such as `localtime`, `Factory`, `EST5EDT` or `posix/Europe/Berlin` are none: what they mean depends on the
    machine, or they stand for no place's time.
    """
    return frozenset(name for name in available_timezones() if _is_named(name))


@lru_cache(maxsize=1_024)
def zone_of(name: str) -> tzinfo:
    """The zone of the name, which was checked when it was set; UTC where this machine knows it no more."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def _between(moment: datetime, years: tuple[int, int]) -> datetime:
    first, last = years
    if not first <= moment.year <= last:
        raise ImpossibleMomentError(f"must lie in the years {first} to {last}.")
    return moment


def _is_named(name: str) -> bool:
    region, slash, _ = name.partition("/")
    if slash and region in _REGIONS:
        return True
    return name in _COUNTRIES or name in _UNIVERSAL or _FIXED.fullmatch(name) is not None


def _leap_second(head: str, offset: str) -> datetime:
    last = bounded(_parsed(f"{head[:-2]}59.999999{offset}")).astimezone(UTC)
    following = last + timedelta(microseconds=1)
    if (following.day, following.hour, following.minute) != (1, 0, 0):
        raise ImpossibleMomentError("there is no such second: a leap second is the last one of a month in UTC.")
    return last


def _parsed(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        raise ImpossibleMomentError(_NO_SUCH) from None
