"""Disagreements of shadow mode, counted by class and day, and what of them is explained (spec 05, Shadow mode)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import TruncDate

from apps.core import clock
from apps.core.ids import ProductId
from apps.credits.enums import MONEY_DIFFERENCES, DisagreementClass
from apps.credits.models import DifferenceMark, ShadowComparison, ShadowDisagreement
from apps.tenants.billing_modes import ShadowFigures

DAYS = 14


@dataclass(frozen=True, slots=True)
class Drift:
    """Counts by day, the newest last, and by class: a number for every day and class.

    `compared` is how many decisions were compared on each day, to the last few seconds, and never fewer than differ.
    `explained` is what of `counts` staff have explained. Of the compared decisions, `differing` differ unexplained and
    `explained_decisions` explained, by day. What was booked though it differs is no comparison, and counts in neither.
    """

    days: tuple[date, ...]
    counts: dict[DisagreementClass, tuple[int, ...]]
    compared: tuple[int, ...]
    explained: dict[DisagreementClass, tuple[int, ...]]
    differing: tuple[int, ...]
    explained_decisions: tuple[int, ...]

    @property
    def compared_total(self) -> int:
        """All decisions that were compared."""
        return sum(self.compared)

    @property
    def total(self) -> int:
        """All of them."""
        return sum(map(sum, self.counts.values()))

    def unexplained(self, difference: DisagreementClass) -> int:
        """How many of a class nobody has explained."""
        return sum(self.counts[difference]) - sum(self.explained[difference])


def drift_of(product_id: UUID, now: datetime, *, days: int = DAYS) -> Drift:
    """The product's disagreements of the last days, in UTC, and what they are a part of; two queries."""
    today = now.astimezone(UTC).date()
    shown = tuple(today - timedelta(days=back) for back in range(days - 1, -1, -1))
    rows = (
        _recent(product_id, shown[0])
        .annotate(
            day=TruncDate("seen_at", tzinfo=UTC), is_explained=_is_explained(), is_booked=Q(entry_id__isnull=False)
        )
        .values("difference", "day", "is_explained", "is_booked")
        .annotate(total=Count("pk"))
        .values_list("difference", "day", "is_explained", "is_booked", "total")
    )
    counted: Counter[tuple[str, date]] = Counter()
    explained: Counter[tuple[str, date]] = Counter()
    differing: Counter[date] = Counter()
    explained_decisions: Counter[date] = Counter()
    for difference, day, is_explained, is_booked, total in rows:
        counted[difference, day] += total
        explained[difference, day] += total if is_explained else 0
        if not is_booked:
            (explained_decisions if is_explained else differing)[day] += total
    comparisons = ShadowComparison.objects.filter(product_id=product_id, day__gte=shown[0])
    compared = Counter(dict(comparisons.values_list("day", "compared")))
    # Each decision that differs was compared, though its process may not have written that yet.
    compared |= differing + explained_decisions
    return Drift(
        days=shown,
        counts={each: tuple(counted[each.value, day] for day in shown) for each in DisagreementClass},
        compared=tuple(compared[day] for day in shown),
        explained={each: tuple(explained[each.value, day] for day in shown) for each in DisagreementClass},
        differing=tuple(differing[day] for day in shown),
        explained_decisions=tuple(explained_decisions[day] for day in shown),
    )


def shadow_figures(product_id: ProductId) -> ShadowFigures:
    """What the gate to central asks of shadow mode, as of now: explained differences count as agreement."""
    drift = drift_of(product_id, clock.now())
    return ShadowFigures(
        days=sum(compared > 0 for compared in drift.compared),
        compared=drift.compared_total,
        agreed=max(0, drift.compared_total - sum(drift.differing)),
        unexplained_amounts=sum(drift.unexplained(each) for each in MONEY_DIFFERENCES),
    )


def unexplained_examples(
    product_id: UUID, difference: DisagreementClass, now: datetime, *, most: int
) -> list[ShadowDisagreement]:
    """The latest of a class that nobody has explained."""
    first = now.astimezone(UTC).date() - timedelta(days=DAYS - 1)
    found = _recent(product_id, first).filter(~_is_explained(), difference=difference)
    return list(found.order_by("-seen_at", "pk")[:most])


def marks_in_force(product_id: UUID) -> QuerySet[DifferenceMark]:
    """The marks that count, the newest first."""
    return DifferenceMark.objects.filter(product=product_id, undone_at__isnull=True).order_by("-marked_at", "pk")


def _recent(product_id: UUID, first: date) -> QuerySet[ShadowDisagreement]:
    since = datetime.combine(first, time.min, tzinfo=UTC)
    return ShadowDisagreement.objects.filter(product_id=product_id, seen_at__gte=since)


def _is_explained() -> Exists:
    """Whether a mark speaks of the outer disagreement."""
    alone = Q(disagreement_id=OuterRef("pk"))
    of_class = Q(disagreement_id__isnull=True, difference=OuterRef("difference"))
    of_class &= Q(operation="") | Q(operation=OuterRef("operation"))
    of_class &= Q(covers_until__isnull=True) | Q(covers_until__gte=OuterRef("seen_at"))
    in_force = DifferenceMark.objects.filter(product=OuterRef("product"), undone_at__isnull=True)
    return Exists(in_force.filter(alone | of_class))
