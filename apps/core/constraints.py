"""Database constraints and indexes that several apps need in the same form."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.postgres.indexes import OpClass
from django.db.models import CheckConstraint, Index, Q
from django.db.models.functions import Upper

from apps.core.enums import TextEnum


def one_of(field: str, choices: type[TextEnum], name: str, *, also: Iterable[str] = ()) -> CheckConstraint:
    """The column holds one of the enumeration's values (or of `also`, such as an empty text for "not set").

    An architecture test asks for one of these for every `TextEnum` field (spec 10, Style).
    """
    return CheckConstraint(condition=Q(**{f"{field}__in": [*choices.values, *also]}), name=name)


def name_prefix_index(name: str, field: str = "name") -> Index:
    """Finds names by their beginning whatever the case, in any collation: what the search of the staff plane asks."""
    return Index(OpClass(Upper(field), name="varchar_pattern_ops"), name=name)
