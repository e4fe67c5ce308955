"""When the credits of a plan are due, and who gets them: the rules as tables (spec 05)."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from apps.core.enums import LifecycleState
from apps.credits.rules.allowances import Terms, Window, carried_over, is_granted, start_in, window_at
from apps.subscriptions.enums import CreditCadence

BERLIN, HAVANA, UTC_ZONE = ZoneInfo("Europe/Berlin"), ZoneInfo("America/Havana"), ZoneInfo("UTC")
STATES = LifecycleState


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def window(first: str, last: str) -> Window:
    return Window(at(first), at(last))


def terms(
    cadence: CreditCadence, started: str, period: Window | None = None, zone: ZoneInfo = UTC_ZONE, months: int = 1
) -> Terms:
    return Terms(cadence, months, at(started), period, zone)


YEAR = window("2026-01-31T10:00", "2027-01-31T10:00")
TEN_DAYS = window("2026-04-01", "2026-04-11")


@pytest.mark.parametrize(
    ("asked", "now", "wanted"),
    [
        # The calendar month is the organization's.
        (terms(CreditCadence.CALENDAR_MONTH, "2026-01-15"), "2026-04-03", window("2026-04-01", "2026-05-01")),
        (
            terms(CreditCadence.CALENDAR_MONTH, "2026-01-15", zone=BERLIN),
            "2026-03-31T22:30",
            window("2026-03-31T22:00", "2026-04-30T22:00"),
        ),
        (
            terms(CreditCadence.CALENDAR_MONTH, "2026-01-15", zone=BERLIN),
            "2026-03-15",
            window("2026-02-28T23:00", "2026-03-31T22:00"),
        ),
        (terms(CreditCadence.CALENDAR_MONTH, "2026-05-01"), "2026-04-30", None),
        (terms(CreditCadence.CALENDAR_MONTH, "2026-05-01"), "2026-05-01", window("2026-05-01", "2026-06-01")),
        # Havana's clocks go from one o'clock back to midnight on 1 November: the month begins with the first of both.
        *(
            (terms(CreditCadence.CALENDAR_MONTH, "2026-01-15", zone=HAVANA), now,
             window("2026-11-01T04:00", "2026-12-01T05:00"))
            for now in ("2026-11-01T04:30", "2026-11-01T05:30", "2026-11-15")
        ),
        # The billing period is the provider's; between two of them the renewal is waited for.
        (terms(CreditCadence.PERIOD, "2026-01-31T10:00", YEAR, months=12), "2026-06-01", YEAR),
        (terms(CreditCadence.PERIOD, "2026-01-31T10:00", YEAR, months=12), "2027-01-31T10:00", None),
        # However long it is, and also where the record that we keep of it is younger.
        (terms(CreditCadence.PERIOD, "2026-01-31T10:00", TEN_DAYS), "2026-04-10", TEN_DAYS),
        (terms(CreditCadence.PERIOD, "2026-04-05", TEN_DAYS), "2026-04-01", TEN_DAYS),
        (terms(CreditCadence.PERIOD, "2026-04-05", TEN_DAYS), "2026-03-31T23:59", None),
        # Where none is told, it is counted from the start by the plan's interval.
        (terms(CreditCadence.PERIOD, "2026-01-15"), "2026-04-03", window("2026-03-15", "2026-04-15")),
        (terms(CreditCadence.PERIOD, "2024-02-29", months=12), "2026-02-28", window("2026-02-28", "2027-02-28")),
        (terms(CreditCadence.PERIOD, "2024-02-29", months=12), "2028-03-01", window("2028-02-29", "2029-02-28")),
        (terms(CreditCadence.PERIOD, "2026-05-01"), "2026-04-30", None),
        # A yearly plan by the month: from its anchor day, the last day where a month is shorter.
        (terms(CreditCadence.MONTH, "2026-01-31T10:00", YEAR, months=12), "2026-01-31T10:00",
         window("2026-01-31T10:00", "2026-02-28T10:00")),
        (terms(CreditCadence.MONTH, "2026-01-31T10:00", YEAR, months=12), "2026-02-28T09:59",
         window("2026-01-31T10:00", "2026-02-28T10:00")),
        (terms(CreditCadence.MONTH, "2026-01-31T10:00", YEAR, months=12), "2026-02-28T10:00",
         window("2026-02-28T10:00", "2026-03-31T10:00")),
        (terms(CreditCadence.MONTH, "2026-01-31T10:00", YEAR, months=12), "2026-04-30T10:00",
         window("2026-04-30T10:00", "2026-05-31T10:00")),
        (terms(CreditCadence.MONTH, "2026-01-31T10:00", YEAR, months=12), "2027-02-03", None),
        # By the zone's clock, also across the change to summer time.
        (terms(CreditCadence.MONTH, "2026-03-10T23:00", zone=BERLIN), "2026-04-11",
         window("2026-04-10T22:00", "2026-05-10T22:00")),
    ],
)  # fmt: skip
def test_the_window_of_a_moment(asked: Terms, now: str, wanted: Window | None) -> None:
    assert window_at(asked, at(now)) == wanted


MONTHLY = terms(CreditCadence.CALENDAR_MONTH, "2026-01-01")
BILLED = terms(CreditCadence.PERIOD, "2026-01-01", YEAR)
BY_INTERVAL = terms(CreditCadence.PERIOD, "2026-01-01")
YEARLY_BY_MONTH = terms(CreditCadence.MONTH, "2026-01-01", YEAR)
APRIL = window("2026-04-01", "2026-05-01")


@pytest.mark.parametrize(
    ("asked", "found", "last", "start"),
    [
        (MONTHLY, window("2026-04-01", "2026-05-01"), None, "2026-04-01"),
        (MONTHLY, window("2026-04-01", "2026-05-01"), window("2026-03-01", "2026-04-01"), "2026-04-01"),
        (MONTHLY, window("2026-04-01", "2026-05-01"), window("2026-04-01", "2026-05-01"), None),
        # The zone moved to the west, to the east: the next boundary moves, no month comes twice or is left out.
        (MONTHLY, window("2026-04-01", "2026-05-01"), window("2026-03-31T22:00", "2026-04-30T22:00"), None),
        (MONTHLY, window("2026-05-01", "2026-06-01"), window("2026-03-31T22:00", "2026-04-30T22:00"), "2026-05-01"),
        (
            MONTHLY,
            window("2026-04-30T22:00", "2026-05-31T22:00"),
            window("2026-04-01", "2026-05-01"),
            "2026-05-01",
        ),
        # It counts where the last one ended before the middle of this one, which is 16 April.
        (MONTHLY, APRIL, window("2026-03-12", "2026-04-12"), "2026-04-12"),
        (MONTHLY, APRIL, window("2026-03-15", "2026-04-15T23:59:59.999999"), "2026-04-15T23:59:59.999999"),
        (MONTHLY, APRIL, window("2026-03-16", "2026-04-16"), None),
        # So it is for whatever is counted by us: a period that no provider tells, and a month within one that it tells.
        *(
            (counted, window("2026-04-30T22:00", "2026-05-31T22:00"), APRIL, "2026-05-01")
            for counted in (BY_INTERVAL, YEARLY_BY_MONTH)
        ),
        # A renewal that comes early is another period, a corrected date is not.
        (BILLED, window("2026-04-01", "2026-05-01"), window("2026-03-01", "2026-04-01"), "2026-04-01"),
        (BILLED, window("2026-04-10", "2026-05-10"), window("2026-04-01", "2026-05-01"), "2026-04-10"),
        (BILLED, window("2026-04-01T06:00", "2026-05-01"), window("2026-04-01", "2026-05-01"), None),
        (BILLED, window("2026-04-01T23:59:59.999999", "2026-05-01"), APRIL, None),
        (BILLED, window("2026-04-02", "2026-05-02"), APRIL, "2026-04-02"),
    ],
)
def test_a_window_counts_once(asked: Terms, found: Window, last: Window | None, start: str | None) -> None:
    assert start_in(asked, found, last) == (at(start) if start else None)


@pytest.mark.parametrize("now", STATES)
@pytest.mark.parametrize("at_start", STATES)
def test_who_pays_late_gets_it_then_and_who_was_suspended_does_not(at_start: STATES, now: STATES) -> None:
    wanted = now in {STATES.TRIAL, STATES.ACTIVE} and at_start not in {STATES.SUSPENDED_READ_ONLY, STATES.CLOSED}
    assert is_granted(at_start, now) is wanted


@pytest.mark.parametrize(("unused", "cap", "over"), [(0, 5, 0), (3, 5, 3), (9, 5, 5), (9, None, 0)])
def test_what_is_carried_over(unused: int, cap: int | None, over: int) -> None:
    assert carried_over(unused, cap) == over
