"""Filters of the workspace list: by the lifecycle itself, and by what has come due. Each is the resolver as SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from apps.backoffice.filters import StaffFilter
from apps.core import clock
from apps.core.enums import LifecycleState
from apps.subscriptions.selectors.filters import with_lifecycle
from apps.subscriptions.wording import STATE_WORDS


class LifecycleFilter(StaffFilter):
    """By lifecycle state, decided in the database by the resolver's own tables."""

    title = "lifecycle"
    parameters = ("lifecycle",)
    input_type = "select"

    def options(self) -> Sequence[tuple[str, str]]:
        return [(state.value, words.label) for state, words in STATE_WORDS.items()]

    def condition(self) -> Q | None:
        return Q(lifecycle=self.value()) if self.value() in LifecycleState.values else None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return super().queryset(request, with_lifecycle(queryset) if self.value() else queryset)


def moment_filter(name: str, heading: str, condition_at: Callable[[datetime], Q]) -> type[StaffFilter]:
    """A filter for what has come due by the moment of the request."""

    class MomentFilter(StaffFilter):
        title = heading
        parameters = (name,)
        input_type = "select"

        def options(self) -> Sequence[tuple[str, str]]:
            return (("yes", "Yes"),)

        def condition(self) -> Q | None:
            return condition_at(clock.now()) if self.value() == "yes" else None

    return MomentFilter
