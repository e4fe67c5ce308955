"""`{% load moments %}`: moments by an organization's clock."""

from __future__ import annotations

from datetime import datetime

from django import template

from apps.core.moments import write_day, write_moment, write_months, zone_of

register = template.Library()


@register.filter
def moment(at: datetime, time_zone: str) -> str:
    """The moment by the zone's clock: "3 April 2026, 14:05"."""
    return write_moment(at, zone_of(time_zone))


@register.filter
def day(at: datetime, time_zone: str) -> str:
    """The day of the moment in the zone: "3 April 2026"."""
    return write_day(at, zone_of(time_zone))


@register.filter
def months(text: object) -> str:
    """The text with its months in words: "April 2026" for 2026-04."""
    return write_months(str(text))
