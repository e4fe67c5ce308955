"""Database constraints that several apps need in the same form."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import CheckConstraint, Q, TextChoices


def one_of(field: str, choices: type[TextChoices], name: str, *, also: Iterable[str] = ()) -> CheckConstraint:
    """The column holds one of the enumeration's values (or of `also`, such as an empty text for "not set").

    An architecture test asks for one of these for every `TextChoices` field (spec 10, Style).
    """
    return CheckConstraint(condition=Q(**{f"{field}__in": [*choices.values, *also]}), name=name)
