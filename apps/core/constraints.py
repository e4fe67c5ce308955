"""Database constraints and indexes that several apps need in the same form."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchVectorField
from django.db.models import CheckConstraint, Func, Index, Q
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


class Words(Func):
    """The words of one or more columns, in lower case, for `words_index` and for who asks it.

    The signs inside of addresses, ticket numbers and ids part words: PostgreSQL's own parser would keep an e-mail
    address whole, and would read `SUP-4711` as a negative number. `apps.backoffice.search.terms` parts alike.
    """

    template = "to_tsvector('simple'::regconfig, translate(%(expressions)s, '@.-_+/:#&', '         '))"
    arg_joiner = " || ' ' || "
    output_field = SearchVectorField()


def words_index(name: str, *fields: str, condition: Q | None = None) -> GinIndex:
    """Finds rows by the beginnings of any words. Without a pending list, which each search would read through."""
    return GinIndex(Words(*fields), name=name, condition=condition, fastupdate=False)
