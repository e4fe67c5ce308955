"""What all real organizations were charged, by UTC day: from the ledger's entries of those days.

Rollups are of each organization's own days, and the platform's are of UTC. Entries are found by when they were
recorded, so that what is read are the days that are asked for, however old the ledger is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate

from apps.credits.enums import CHARGES, EntryKind
from apps.credits.models import CreditEntry

REAL_ACCOUNTS = Q(organization__is_demo=False, organization__is_synthetic=False)
_USAGE = (EntryKind.CONSUMPTION, EntryKind.CAPTURE, EntryKind.REVERSAL)
# What nobody spends did not come in late: an adjustment is made once.
_SPENDING = CHARGES - {EntryKind.ADJUSTMENT}


@dataclass(frozen=True, slots=True)
class Charges:
    """What entries of the same words came to on a day: micro-credits, less what was given back, and runs."""

    day: date
    words: tuple[UUID | None, str, str]
    charge: int
    count: int


def platform_charges(first: date, until: date) -> list[Charges]:
    """The charges of the UTC days from `first` until before `until`, by product, operation and category."""
    entries = CreditEntry.objects.filter(
        recorded_at__gte=datetime.combine(first, time(), UTC),
        recorded_at__lt=datetime.combine(until, time(), UTC),
        kind__in=_USAGE,
        account__organization__is_demo=False,
        account__organization__is_synthetic=False,
    )
    words = ("day", "product_id", "operation", "category")
    rows = (
        entries.annotate(day=TruncDate("recorded_at", tzinfo=UTC))
        .values(*words)
        .annotate(charge=-Sum("amount"), runs=Count("pk", filter=~Q(kind=EntryKind.REVERSAL)))
        .values_list(*words, "charge", "runs")
    )
    return [
        Charges(day, (product_id, operation, category), charge, runs)
        for day, product_id, operation, category, charge, runs in rows
    ]


def platform_late_charges(day: date) -> dict[date, int]:
    """What was recorded on the UTC day of earlier days, in micro-credits by when it occurred, the earliest first."""
    start = datetime.combine(day, time(), UTC)
    entries = CreditEntry.objects.filter(
        recorded_at__gte=start,
        recorded_at__lt=start + timedelta(days=1),
        occurred_at__lt=start,
        kind__in=_SPENDING,
        account__organization__is_demo=False,
        account__organization__is_synthetic=False,
    )
    by_day = entries.annotate(day=TruncDate("occurred_at", tzinfo=UTC)).values("day").annotate(charge=-Sum("amount"))
    return dict(by_day.order_by("day").values_list("day", "charge"))
