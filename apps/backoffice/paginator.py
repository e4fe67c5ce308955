"""Pagination that never counts a whole large table (spec 11, Speed)."""

from __future__ import annotations

from functools import cached_property

from django.core.paginator import Paginator
from django.db.models import QuerySet

COUNT_LIMIT = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts at most `COUNT_LIMIT` rows; filters lead to the rest."""

    template_name = "backoffice/pagination.html"

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
