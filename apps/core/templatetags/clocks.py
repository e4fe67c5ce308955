"""`{% test_clock as moment %}`: what the test clock says, where it is ahead of real time."""

from __future__ import annotations

from datetime import datetime

from django import template

from apps.core import clock

register = template.Library()


@register.simple_tag
def test_clock() -> datetime | None:
    """The moment that it is here, or None where it is the real one."""
    return clock.now() if clock.ahead() else None
