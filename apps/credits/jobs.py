"""The jobs of credits: what the passing of time brings, also done on read, so that a late beat changes no decision.

Each account is settled in a transaction of its own, and one that can't be does not stop the others: it is logged with
its id, and the run ends as failed, saying how many were settled and how many not, once all the others are done.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import UUID

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.jobs import job
from apps.credits.models import CreditAccount
from apps.credits.services.accounts import account_settle

logger = logging.getLogger(__name__)


class AccountsNotSettledError(Exception):
    """Some accounts could not be settled; all the others were. The run is tried again, and finds those alone."""


@job("release-holds", operation="jobs.release_holds", every=timedelta(minutes=1))
def release_holds(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Release the holds that have ended, and whatever else has come due of their accounts."""
    return _settle_due(context, organization_id, include_demo=include_demo)


@job("expire-grants", operation="jobs.expire_grants", every=timedelta(hours=1))
def expire_grants(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Expire the grants that have ended, and whatever else has come due of their accounts."""
    return _settle_due(context, organization_id, include_demo=include_demo)


def _settle_due(context: ExecutionContext, organization_id: UUID | None, *, include_demo: bool) -> dict[str, int]:
    due = CreditAccount.objects.filter(next_due_at__lte=clock.now())
    if organization_id is not None:
        due = due.filter(pk=organization_id)
    if not include_demo:
        due = due.filter(organization__is_demo=False)
    counts = {"accounts": 0, "holds_released": 0, "grants_begun": 0, "grants_expired": 0}
    failed: list[str] = []
    for account_id in due.order_by("pk").values_list("pk", flat=True).iterator():
        try:
            settled = account_settle(context, account_id=account_id)
        except Exception as error:
            logger.warning("credit_account_not_settled", exc_info=True, extra={"account_id": str(account_id)})
            failed.append(f"{account_id} ({type(error).__name__})")
            continue
        counts["accounts"] += 1
        for name, count in settled.items():
            counts[name] += count
    if failed:
        raise AccountsNotSettledError(
            f"{len(failed)} accounts could not be settled, {counts['accounts']} were. The log says why; the first are "
            f"{', '.join(failed[:5])}."
        )
    return counts
