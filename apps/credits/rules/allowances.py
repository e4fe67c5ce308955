"""The credits of a plan: when each amount is due, and how much of the last one is carried over. Pure (spec 05)."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from apps.core.enums import LifecycleState
from apps.subscriptions.enums import CreditCadence

_YEAR = 12
_ANOTHER_PERIOD = timedelta(days=1)
_GRANTED_IN = frozenset({LifecycleState.TRIAL, LifecycleState.ACTIVE})
_NEVER_FROM = frozenset({LifecycleState.SUSPENDED_READ_ONLY, LifecycleState.CLOSED})


@dataclass(frozen=True, slots=True)
class Window:
    """One cadence: from its start until its end, which is the next one's start; in UTC."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Terms:
    """What decides about the windows of a subscription. `period` is the provider's billing period, where there is one.

    `period_months` is the plan's interval.
    """

    cadence: CreditCadence
    period_months: int
    started_at: datetime
    period: Window | None
    zone: tzinfo


def window_at(terms: Terms, at: datetime) -> Window | None:
    """The window that `at` lies in; None before the first, and where a renewal is waited for."""
    if at < terms.started_at and terms.period is None:
        return None
    if terms.cadence is CreditCadence.CALENDAR_MONTH:
        local = at.astimezone(terms.zone)
        return _window(local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0), 0, 1)
    period = terms.period
    if period is not None and not period.starts_at <= at < period.ends_at:
        return None
    if terms.cadence is CreditCadence.PERIOD and period is not None:
        return period
    months = 1 if terms.cadence is CreditCadence.MONTH else terms.period_months
    anchor = (period.starts_at if period else terms.started_at).astimezone(terms.zone)
    local = at.astimezone(terms.zone)
    count = ((local.year - anchor.year) * _YEAR + local.month - anchor.month) // months * months
    if _shifted(anchor, count) > at:
        count -= months
    return _window(anchor, count, months)


def start_in(terms: Terms, window: Window, last: Window | None) -> datetime | None:
    """From when the window's amount counts, where it is another one than the last that was granted; else None.

    A provider's period is another one when it begins a day later or more, since a renewal may come early. Where a zone
    moved, a window may overlap with the last one: it counts once it lies mostly behind, from where that one ended.
    """
    if last is None:
        return window.starts_at
    if terms.cadence is CreditCadence.PERIOD and terms.period is not None:
        return window.starts_at if window.starts_at - last.starts_at >= _ANOTHER_PERIOD else None
    if window.starts_at + (window.ends_at - window.starts_at) / 2 <= last.ends_at:
        return None
    return max(window.starts_at, last.ends_at)


def is_granted(at_start: LifecycleState, now: LifecycleState) -> bool:
    """Whether a workspace in this lifecycle gets the amount: grace waits for the payment, suspended gets none."""
    return now in _GRANTED_IN and at_start not in _NEVER_FROM


def carried_over(unused: int, cap: int | None) -> int:
    """How much of what ended unused with the last window is granted again."""
    return min(unused, cap or 0)


def _window(anchor: datetime, count: int, months: int) -> Window:
    return Window(_shifted(anchor, count), _shifted(anchor, count + months))


def _shifted(anchor: datetime, months: int) -> datetime:
    """So many months later by the zone's clock, on the last day where the month is shorter; in UTC."""
    year, month = divmod(anchor.year * _YEAR + anchor.month - 1 + months, _YEAR)
    day = min(anchor.day, monthrange(year, month + 1)[1])
    return anchor.replace(year=year, month=month + 1, day=day).astimezone(UTC)
