"""The month of a free quantity: the organization's, by its time zone (spec 05, Policy). Pure."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

_DECEMBER = 12


def free_month_end(at: datetime, zone: tzinfo) -> datetime:
    """The moment, in UTC, at which the month of `at` ends in the zone and the next begins."""
    local = at.astimezone(zone)
    year, month = (local.year + 1, 1) if local.month == _DECEMBER else (local.year, local.month + 1)
    return datetime(year, month, 1, tzinfo=zone).astimezone(UTC)
