"""What all real organizations were charged, by UTC day: from the ledger's entries of those days.

Rollups are of each organization's own days, and the platform's are of UTC. Entries are found by when they were
recorded, so that what is read are the days that are asked for, however old the ledger is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from uuid import UUID

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate

from apps.credits.enums import EntryKind
from apps.credits.models import CreditEntry

REAL_ACCOUNTS = Q(organization__is_demo=False, organization__is_synthetic=False)
_USAGE = (EntryKind.CONSUMPTION, EntryKind.CAPTURE, EntryKind.REVERSAL)


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
