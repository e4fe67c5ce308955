"""Pagination that never counts a whole large table (spec 11, Speed)."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import Any, ClassVar

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet

from apps.core import clock

COUNT_LIMIT = 10_000
_LONGEST_DAYS = 3_650


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts at most `COUNT_LIMIT` rows; filters lead to the rest."""

    template_name = "backoffice/pagination.html"
    # Whether all rows are read and sorted for the first page too, so that it has its keys first as well.
    sorts_all: ClassVar[bool] = False

    def page(self, number: int | str) -> Page[Any]:
        """The rows of the page. Those of a later one by their keys: nothing is looked up for rows that it skips."""
        number = self.validate_number(number)
        first = (number - 1) * self.per_page
        rows = self.object_list
        if not isinstance(rows, QuerySet) or not (first or self.sorts_all):
            return super().page(number)
        last = min(first + self.per_page, self.count)
        keys = self._first_of(rows, last).values("pk")[first:last]
        return Page(rows.filter(pk__in=keys), number, self)

    def _first_of(self, rows: QuerySet[Any], needed: int) -> QuerySet[Any]:
        """The rows, or some of them among which are the first `needed`."""
        return rows

    @cached_property
    def _counted(self) -> int:
        rows = self.object_list
        if isinstance(rows, QuerySet):
            # The limit stands inside the subquery, so that PostgreSQL stops there; an order would make it sort first.
            return rows.order_by().values("pk")[: COUNT_LIMIT + 1].count()
        return len(rows)

    @cached_property
    def count(self) -> int:
        """The number of rows, at most the limit."""
        return min(self._counted, COUNT_LIMIT)

    @property
    def is_bounded(self) -> bool:
        """Whether there are more rows than the limit."""
        return self._counted > COUNT_LIMIT


class SortingPaginator(BoundedPaginator):
    """For rows by a condition that no index serves."""

    sorts_all = True


class RecentPaginator(SortingPaginator):
    """For rows by `recorded_at`, the newest first, where an index finds a range of moments and has no order.

    Only so many days are read, back from now, as have the rows that are asked for; else years are sorted for one page.
    """

    def _first_of(self, rows: QuerySet[Any], needed: int) -> QuerySet[Any]:
        now, days = clock.now(), 1
        while days < _LONGEST_DAYS:
            recent = rows.filter(recorded_at__gte=now - timedelta(days=days))
            if recent.order_by().values("pk")[:needed].count() >= needed:
                return recent
            days *= 2
        return rows
