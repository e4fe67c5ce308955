"""`{% load moments %}`: moments by an organization's clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import template
from django.templatetags.tz import do_timezone

from apps.core.moments import zone_of

register = template.Library()


@register.filter
def in_zone(moment: datetime, time_zone: str) -> Any:
    """The moment by the zone's clock, whatever its date; Django's own `timezone` fails at the calendar's edge."""
    try:
        return do_timezone(moment, zone_of(time_zone))
    except (OverflowError, ValueError):
        return do_timezone(moment, UTC)
