"""THE choice of months: which months of a connector are due, and why (spec 06, Month selection).

Pure, and the only place that chooses months. A month ends at midnight in the organization's time zone. A month is

* open until it has ended,
* settling from its end on, while the provider may still change it: for the settlement lag at least, and until a sync
  has read it whole after that,
* final once a complete sync has started to read it after its lag. One that started earlier may have missed changes.

Every month that is not final is due, from the first to the current one, oldest first, so that no missed night needs an
operator. A final month is read again only when it is requested by name, which reopens it. The schedule reads a due
month less often the longer it has not changed (`next_at`); a person who asks for what is due gets all of it now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from enum import Enum
from functools import lru_cache

from apps.connectors.contracts import Month
from apps.core.moments import FIRST_YEAR, in_zone

MONTHS_BACK = 13
# So far back a connector may be asked to begin: five years, each month of which is a run of its own.
MOST_MONTHS_BACK = 60
DEFAULT_LAG = timedelta(days=5)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_LONGEST_PAUSE = timedelta(days=1)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class MonthStatus(Enum):
    OPEN = "open"
    SETTLING = "settling"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class MonthReading:
    """When the latest complete sync of a month started, the latest that changed it, and when a person reopened it.

    `waits_since`: a sync would have voided too much of it, and a person is asked. `refused_at`: they said no.
    """

    read_at: datetime | None = None
    reopened_at: datetime | None = None
    changed_at: datetime | None = None
    waits_since: datetime | None = None
    refused_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MonthFacts:
    """The input of the choice. Without a first month it starts `MONTHS_BACK` months before the current one."""

    zone: tzinfo
    settlement_lag: timedelta = DEFAULT_LAG
    first_month: Month | None = None
    readings: Mapping[Month, MonthReading] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MonthDecision:
    """The decision about one month: `ends_at` is its end, `settles_at` the end of its settlement lag.

    `next_at` is when the schedule reads it, on the hour; None where it does not.
    """

    month: Month
    status: MonthStatus
    ends_at: datetime
    settles_at: datetime
    reading: MonthReading
    zone: tzinfo
    is_due: bool
    is_settled: bool
    next_at: datetime | None
    reopens: bool

    @property
    def why(self) -> str:
        """The decision in words for people."""
        if self.reopens:
            return f"{self.month} was final. It is read again because somebody asked for it by name."
        if self.status is MonthStatus.OPEN:
            return f"The month is open: it ends on {self._day(self.ends_at)}."
        if self.status is MonthStatus.FINAL:
            return f"Final: read completely after it closed on {self._day(self.settles_at)}."
        if not self.is_settled:
            return f"Ended. The provider may still change it until {self._day(self.settles_at)}."
        if self.reading.reopened_at is None:
            return f"Closed on {self._day(self.settles_at)}. The next complete sync makes it final."
        return "Reopened. The next complete sync makes it final again."

    def _day(self, moment: datetime) -> str:
        # Midnight belongs to the day before: a month ends on its last day.
        local = in_zone(moment - timedelta.resolution, self.zone)
        return f"{local.day} {local:%B %Y}"


class MonthNotBegunError(ValueError):
    """The requested month has not begun."""

    def __init__(self, month: Month, current: Month) -> None:
        super().__init__(f"{month} has not begun; the current month is {current}.")


def select_months(facts: MonthFacts, now: datetime, requested: Month | None = None) -> list[MonthDecision]:
    """Every month from the first to the current one, oldest first; `is_due` says which shall be read now.

    With a `requested` that month alone, which is due whatever its status; a final one says that it `reopens`. Raises
    `MonthNotBegunError` for one in the future.
    """
    current = month_of(now, facts.zone)
    if requested is not None:
        if requested > current:
            raise MonthNotBegunError(requested, current)
        return [_decide(facts, requested, now, is_requested=True)]
    first = facts.first_month if facts.first_month is not None else current.shifted(-MONTHS_BACK)
    return [_decide(facts, month, now) for month in _months(first, current)]


class FirstMonthError(ValueError):
    """A connector can't begin with this month."""


def check_first_month(month: Month, now: datetime, zone: tzinfo) -> None:
    """Raise `MonthNotBegunError` for a first month in the future, `FirstMonthError` for one too long ago."""
    current = month_of(now, zone)
    earliest = current.shifted(-MOST_MONTHS_BACK)
    if month > current:
        raise MonthNotBegunError(month, current)
    if month < earliest:
        raise FirstMonthError(f"A connector reads {MOST_MONTHS_BACK} months back at most: {earliest} or later.")


def first_month_of(chosen: str, created_at: datetime, zone: tzinfo) -> Month:
    """The first month of a connector: the one that was chosen, else `MONTHS_BACK` before the one it was made in.

    Counted from its creation: counted from now, an outage of years would lose months.
    """
    if chosen:
        return Month.read(chosen)
    return max(month_of(created_at, zone).shifted(-MONTHS_BACK), Month(FIRST_YEAR, 1))


def month_of(moment: datetime, zone: tzinfo) -> Month:
    """The month that the moment lies in, by the zone's calendar."""
    local = in_zone(moment, zone)
    return Month(local.year, local.month)


def _decide(facts: MonthFacts, month: Month, now: datetime, *, is_requested: bool = False) -> MonthDecision:
    ends_at = _end_of(month, facts.zone)
    # In UTC, where a day has 24 hours: a wall clock that was moved makes no lag longer or shorter.
    settles_at = ends_at + facts.settlement_lag
    reading = facts.readings.get(month, _NOT_READ)
    status = _status(reading, now, ends_at, settles_at)
    is_final = status is MonthStatus.FINAL
    return MonthDecision(
        month=month,
        status=status,
        ends_at=ends_at,
        settles_at=settles_at,
        reading=reading,
        zone=facts.zone,
        is_due=is_requested or not is_final,
        is_settled=now >= settles_at,
        next_at=None if is_final else _next_at(reading, ends_at, settles_at),
        reopens=is_requested and is_final,
    )


def _status(reading: MonthReading, now: datetime, ends_at: datetime, settles_at: datetime) -> MonthStatus:
    if now < ends_at:
        return MonthStatus.OPEN
    read_at, reopened_at = reading.read_at, reading.reopened_at
    is_read_whole = read_at is not None and read_at >= settles_at and (reopened_at is None or read_at >= reopened_at)
    return MonthStatus.FINAL if is_read_whole else MonthStatus.SETTLING


def _next_at(reading: MonthReading, ends_at: datetime, settles_at: datetime) -> datetime | None:
    """When the schedule reads a month that is not final, whatever it is now.

    As long after its last reading as it had gone without a change by then: an hour, two, four and so on to a day, but
    no later than its end and the end of its lag.
    """
    if reading.waits_since is not None:
        return None
    if reading.read_at is None:
        soonest = _BEGINNING
    else:
        read_at = floor_hour(reading.read_at)
        quiet = read_at - floor_hour(reading.changed_at or reading.read_at)
        soonest = read_at + min(max(quiet, _HOUR), _LONGEST_PAUSE)
        marks = [mark for mark in (ends_at, settles_at, reading.reopened_at) if mark and mark > reading.read_at]
        soonest = min([soonest, *marks])
    return soonest if reading.refused_at is None else max(soonest, reading.refused_at + _LONGEST_PAUSE)


def floor_hour(moment: datetime) -> datetime:
    """The beginning of the moment's hour."""
    return moment.replace(minute=0, second=0, microsecond=0)


def next_reading(decisions: Sequence[MonthDecision], now: datetime) -> datetime:
    """When the schedule looks at a connector again: at the next of its months, on an hour after now."""
    wanted = [decision.next_at for decision in decisions if decision.next_at]
    # Without any it is looked at when the current month ends, at which the next one begins.
    latest = max((decision.ends_at for decision in decisions), default=now + _LONGEST_PAUSE)
    at = min([*wanted, latest])
    return max(floor_hour(now) + _HOUR, at if at == floor_hour(at) else floor_hour(at) + _HOUR)


@dataclass(frozen=True, slots=True)
class MonthFrame:
    """Which records an answer about the `asked` month may hold: those of the month and of a day before and after it,
    as the outside system may count its months in another zone. Without a zone every record is of the asked month.
    """

    asked: Month
    zone: tzinfo | None
    starts_at: datetime
    ends_at: datetime

    @classmethod
    def of(cls, asked: Month, zone: tzinfo | None) -> MonthFrame:
        """The frame of a month whose midnight is that of the zone."""
        counted_in = zone or UTC  # without a zone nobody looks at the bounds
        return cls(asked, zone, asked.starts_at(counted_in).astimezone(UTC), _end_of(asked, counted_in))

    def month_of(self, occurred_at: datetime) -> Month | None:
        """The month that a record belongs to; None for one that no answer about the asked month should hold."""
        # Nearly every record: a sync asks this of each.
        if self.zone is None or self.starts_at <= occurred_at < self.ends_at:
            return self.asked
        is_near = self.starts_at - _DAY <= occurred_at < self.ends_at + _DAY
        return month_of(occurred_at, self.zone) if is_near else None


def shrinks(before: int, after: int, *, percent: int) -> bool:
    """Whether a month that had `before` records and would have `after` loses more than so many in a hundred."""
    return (before - after) * 100 > before * percent


def _months(first: Month, last: Month) -> list[Month]:
    found = []
    while first <= last:
        found.append(first)
        first = first.shifted(1)
    return found


@lru_cache(maxsize=4_096)
def _end_of(month: Month, zone: tzinfo) -> datetime:
    return month.ends_at(zone).astimezone(UTC)


_NOT_READ = MonthReading()
