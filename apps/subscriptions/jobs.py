"""The job `purge-receipts`: decision receipts are kept 90 days by default (spec 05, Decision receipts)."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet

from apps.core.context import ExecutionContext
from apps.core.jobs import job
from apps.core.retention import Retention, delete_portions, keep_for
from apps.subscriptions.models import DecisionReceipt
from apps.subscriptions.services import decision_receipts_expire

_AT_ONCE = 10_000


@job("purge-receipts", operation="jobs.purge_receipts", every=timedelta(days=1), offset=timedelta(hours=3, minutes=20))
def purge_receipts(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Remove the receipts past their 90 days, whichever the slot: one run makes up for every missed night.

    Each portion is a transaction of its own, so that after a long outage no lock is held long. The receipts of demo
    tenants go with the others: they say what was asked, and change nothing that a demo shows.
    """
    purged = 0
    while removed := decision_receipts_expire(context, at_most=_AT_ONCE, organization_id=organization_id):
        purged += removed
    return {"receipts": purged}


def _old_receipts(before: datetime) -> QuerySet[DecisionReceipt]:
    return DecisionReceipt.objects.filter(created_at__lt=before).order_by("created_at")


keep_for(
    Retention(
        "receipts",
        "purge-receipts",
        "KEEP_RECEIPTS_DAYS",
        DecisionReceipt,
        portions=lambda before: delete_portions(_old_receipts(before)),
        due=_old_receipts,
    )
)
