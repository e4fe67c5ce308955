"""Disagreements of shadow mode, counted by class and day (spec 05, Shadow mode)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from django.db.models import Count
from django.db.models.functions import TruncDate

from apps.credits.enums import DisagreementClass
from apps.credits.models import ShadowComparison, ShadowDisagreement

DAYS = 14


@dataclass(frozen=True, slots=True)
class Drift:
    """Counts by day, the newest last, and by class: a number for every day and class.

    `compared` is how many decisions were compared on each day, to the last few seconds.
    """

    days: tuple[date, ...]
    counts: dict[DisagreementClass, tuple[int, ...]]
    compared: tuple[int, ...]

    @property
    def compared_total(self) -> int:
        """All decisions that were compared."""
        return sum(self.compared)

    @property
    def total(self) -> int:
        """All of them."""
        return sum(map(sum, self.counts.values()))


def drift_of(product_id: UUID, now: datetime, *, days: int = DAYS) -> Drift:
    """The product's disagreements of the last days, in UTC, and what they are a part of; two queries."""
    today = now.astimezone(UTC).date()
    shown = tuple(today - timedelta(days=back) for back in range(days - 1, -1, -1))
    since = datetime.combine(shown[0], time.min, tzinfo=UTC)
    rows = (
        ShadowDisagreement.objects.filter(product_id=product_id, seen_at__gte=since)
        .annotate(day=TruncDate("seen_at", tzinfo=UTC))
        .values("difference", "day")
        .annotate(total=Count("pk"))
        .values_list("difference", "day", "total")
    )
    found = {(difference, day): total for difference, day, total in rows}
    counts = {each: tuple(found.get((each.value, day), 0) for day in shown) for each in DisagreementClass}
    comparisons = ShadowComparison.objects.filter(product_id=product_id, day__gte=shown[0])
    compared = dict(comparisons.values_list("day", "compared"))
    return Drift(shown, counts, tuple(compared.get(day, 0) for day in shown))
