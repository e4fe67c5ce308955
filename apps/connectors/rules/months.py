"""THE choice of months: which months of a connector are due, and why (spec 06, Month selection).

Pure, and the only place that chooses months. A month ends at midnight in the organization's time zone. A month is

* open until it has ended,
* settling from its end on, while the provider may still change it: for the settlement lag at least, and until a sync
  has read it whole after that,
* final once a complete sync has started to read it after its lag. One that started earlier may have missed changes.

Every month that is not final is due, from the first to the current one, oldest first, so that no missed night needs an
operator. A final month is read again only when it is requested by name, which reopens it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from enum import Enum
from functools import lru_cache

from apps.connectors.contracts import Month
from apps.core.moments import in_zone

MONTHS_BACK = 13
DEFAULT_LAG = timedelta(days=5)


class MonthStatus(Enum):
    OPEN = "open"
    SETTLING = "settling"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class MonthReading:
    """When the latest complete sync of a month started, and when a person reopened the month."""

    read_at: datetime | None = None
    reopened_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MonthFacts:
    """The input of the choice. Without a first month it starts `MONTHS_BACK` months before the current one."""

    zone: tzinfo
    settlement_lag: timedelta = DEFAULT_LAG
    first_month: Month | None = None
    readings: Mapping[Month, MonthReading] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MonthDecision:
    """The decision about one month: `ends_at` is its end, `settles_at` the end of its settlement lag."""

    month: Month
    status: MonthStatus
    ends_at: datetime
    settles_at: datetime
    reading: MonthReading
    zone: tzinfo
    is_due: bool
    is_settled: bool
    reopens: bool = False

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
        if self.reading.reopened_at is not None:
            return "Reopened. The next complete sync makes it final again."
        return f"Closed on {self._day(self.settles_at)}. The next complete sync makes it final."

    def _day(self, moment: datetime) -> str:
        # Midnight belongs to the day before: a month ends on its last day.
        local = in_zone(moment - timedelta(microseconds=1), self.zone)
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
        reopens=is_requested and is_final,
    )


def _status(reading: MonthReading, now: datetime, ends_at: datetime, settles_at: datetime) -> MonthStatus:
    if now < ends_at:
        return MonthStatus.OPEN
    read_at, reopened_at = reading.read_at, reading.reopened_at
    is_read_whole = read_at is not None and read_at >= settles_at and (reopened_at is None or read_at >= reopened_at)
    return MonthStatus.FINAL if is_read_whole else MonthStatus.SETTLING


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
