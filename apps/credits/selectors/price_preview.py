"""The price preview of a draft: the last 30 days' real uses, streamed through the pricing rule (spec 05, Policy).

One query however many entries there are, read in pieces; the free quantity of a month that began before the 30 days is
counted from the month's beginning.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from apps.core.enums import UsageCategory
from apps.core.pieces import in_one_transaction
from apps.credits.enums import EntryKind
from apps.credits.models import CreditEntry
from apps.credits.rules.price_preview import PricePreview, RecordedUse, preview_prices
from apps.credits.rules.pricing import PolicyTerms

LOOKED_BACK = timedelta(days=30)
_PIECE = 5_000
_FIELDS = ("account_id", "operation", "quantity", "outcome", "category", "free_quantity", "amount", "recorded_at")


def price_preview(terms: PolicyTerms, now: datetime) -> PricePreview:
    """What the terms would have charged for the product's uses of the last 30 days, reversals left aside.

    Uses of demo and synthetic organizations are left out: nobody pays for them.
    """
    return preview_prices(_uses(terms.product_id, now), terms.prices)


def _uses(product_id: UUID, now: datetime) -> Iterator[RecordedUse]:
    since = (now - LOOKED_BACK).astimezone(UTC)
    month = since.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    entries = CreditEntry.objects.filter(
        product_id=product_id,
        kind__in=[EntryKind.CONSUMPTION, EntryKind.CAPTURE],
        recorded_at__gte=month,
        recorded_at__lte=now,
        account__organization__is_demo=False,
        account__organization__is_synthetic=False,
    )
    rows = entries.order_by("account_id", "sequence").values_list(*_FIELDS)
    for account_id, operation, quantity, outcome, category, free, amount, recorded_at in in_one_transaction(
        rows, size=_PIECE
    ):
        yield RecordedUse(
            account_id=account_id,
            operation=operation,
            quantity=quantity,
            outcome=outcome,
            # What the free quantity covered counts as free too, but another policy may cover less of it.
            category=UsageCategory.REGULAR if free else category,
            charged=-amount,
            month=recorded_at.astimezone(UTC).date().replace(day=1),
            is_counted=recorded_at >= since,
        )
