"""Text from outside on a page."""

from __future__ import annotations

from django import template

from apps.core.texts import make_visible

register = template.Library()


@register.filter
def visible(text: object) -> str:
    """The text with nothing hidden in it; the template escapes it as ever."""
    return make_visible(str(text))
