"""`{% support_contact as address %}`: whom pages name for questions."""

from __future__ import annotations

from django import template

from apps.core.mails import support_address

register = template.Library()


@register.simple_tag
def support_contact() -> str:
    """The e-mail address, empty where none is set."""
    return support_address()
