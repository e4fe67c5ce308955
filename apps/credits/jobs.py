"""The jobs of credits: what the passing of time brings, also done on read, so that a late beat changes no decision.

Each account is processed in a transaction of its own, and one that fails does not stop the others: it is logged with
its id, and the run ends as failed, with the counts of both, once all the others are done.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Q

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.core.jobs import job
from apps.core.jobs.record_errors import RecordErrors
from apps.core.pieces import in_pieces
from apps.credits.models import CreditAccount
from apps.credits.services.accounts import account_apply_due
from apps.credits.services.allowances import allowance_apply, subscriptions_due
from apps.credits.services.books import books_verify


@job("release-holds", operation="jobs.release_holds", every=timedelta(minutes=1))
def release_holds(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Release the holds that have ended, burn what was charged, and do whatever else has come due."""
    return _apply_due(context, organization_id, include_demo=include_demo)


@job("expire-grants", operation="jobs.expire_grants", every=timedelta(hours=1))
def expire_grants(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Expire the grants that have ended, burn what was charged, and do whatever else has come due."""
    return _apply_due(context, organization_id, include_demo=include_demo)


@job("grant-allowances", operation="jobs.grant_allowances", every=timedelta(minutes=15))
def grant_allowances(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Grant the credits of plans whose next month or period has begun, once for each subscription and start."""
    due = subscriptions_due(clock.now()).select_related("workspace__organization")
    if organization_id is not None:
        due = due.filter(workspace__organization=organization_id)
    if not include_demo:
        due = due.filter(workspace__organization__is_demo=False)
    subscriptions, granted = RecordErrors("subscriptions"), 0
    for subscription in in_pieces(due):
        with subscriptions.record(subscription.pk):
            granted += allowance_apply(context, subscription=subscription)
    subscriptions.finish()
    return {"subscriptions": subscriptions.done, "granted": granted}


@job(
    "verify-books",
    operation="jobs.verify_books",
    every=timedelta(days=1),
    offset=timedelta(hours=2, minutes=40),
    max_attempts=2,
)
def verify_books(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Verify ledger and audit log, demo tenants too, whichever the slot, and witness the heads of the audit log.

    A fault ends the run as failed, and the log names it. A run for one organization verifies its audit log alone: the
    ledger is verified as a whole, and a witness is of all chains.
    """
    return books_verify(context, organization_id=OrganizationId(organization_id) if organization_id else None)


def _apply_due(context: ExecutionContext, organization_id: UUID | None, *, include_demo: bool) -> dict[str, int]:
    has_charges = Q(burned_sequence__lt=F("last_sequence"))
    due = CreditAccount.objects.filter(Q(next_due_at__lte=clock.now()) | has_charges)
    if organization_id is not None:
        due = due.filter(pk=organization_id)
    if not include_demo:
        due = due.filter(organization__is_demo=False)
    counts = {"accounts": 0, "holds_released": 0, "grants_begun": 0, "grants_expired": 0}
    accounts = RecordErrors("accounts")
    for account in in_pieces(due.only("pk")):
        with accounts.record(account.pk):
            for name, count in account_apply_due(context, account_id=account.pk).items():
                counts[name] += count
    accounts.finish()
    return {**counts, "accounts": accounts.done}
