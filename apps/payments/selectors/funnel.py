"""The funnel: checkout started -> completed -> subscribed -> first invoice paid, by month (spec 04, Tracking)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.db.models import Min

from apps.payments.enums import BillingEventName
from apps.payments.models import BillingEvent

STAGES: tuple[tuple[str, BillingEventName], ...] = (
    ("Checkout started", BillingEventName.CHECKOUT_STARTED),
    ("Completed", BillingEventName.CHECKOUT_COMPLETED),
    ("Subscribed", BillingEventName.SUBSCRIPTION_STARTED),
    ("First invoice paid", BillingEventName.INVOICE_PAID),
)
MONTHS = 12


@dataclass(frozen=True, slots=True)
class FunnelMonth:
    """The organizations whose first checkout began in this month (UTC), and how many of them came how far by now."""

    month: str
    counts: tuple[int, ...]

    @property
    def shares(self) -> tuple[int, ...]:
        """Whole percents of those who began, rounded down."""
        begun = self.counts[0]
        return tuple(100 * count // begun if begun else 0 for count in self.counts)


def funnel_by_month(now: datetime) -> list[FunnelMonth]:
    """The last twelve months, newest first, demo and synthetic organizations left out. One query."""
    months = _months_until(now)
    names = [name.value for _, name in STAGES]
    firsts = (
        BillingEvent.objects.filter(name__in=names, organization__is_demo=False, organization__is_synthetic=False)
        .values_list("organization_id", "name")
        .annotate(first=Min("occurred_at"))
    )
    return funnel_of(firsts, months)


def funnel_of(firsts: Iterable[tuple[UUID, str, datetime]], months: list[str]) -> list[FunnelMonth]:
    """The funnel of each organization's first moments. Pure.

    A stage counts only after those before it: who subscribed without a checkout is in no funnel, and nobody leaves a
    stage that was not entered.
    """
    reached: dict[UUID, dict[str, datetime]] = {}
    for organization_id, name, first in firsts:
        reached.setdefault(organization_id, {})[name] = first
    counts = {month: [0] * len(STAGES) for month in months}
    for moments in reached.values():
        begun = moments.get(STAGES[0][1].value)
        month = begun.astimezone(UTC).strftime("%Y-%m") if begun else ""
        if month not in counts:
            continue
        for place, (_, name) in enumerate(STAGES):
            if name.value not in moments:
                break
            counts[month][place] += 1
    return [FunnelMonth(month, tuple(counts[month])) for month in months]


def _months_until(now: datetime) -> list[str]:
    now = now.astimezone(UTC)
    last = now.year * 12 + now.month - 1
    return [f"{number // 12:04}-{number % 12 + 1:02}" for number in range(last, last - MONTHS, -1)]
