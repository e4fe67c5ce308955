"""The jobs of credits: what the passing of time brings, also done on read, so that a late beat changes no decision.

Accounts are settled in lists, each in a transaction of its own. One account that fails does not stop the others: its
list is done account by account, it is logged with its id, and the run ends as failed, with the counts of both.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from django.db.models import F, Q

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.core.jobs import job
from apps.core.jobs.record_errors import RecordErrors
from apps.core.pieces import in_pieces
from apps.core.unavailability import end_if_interrupted
from apps.credits.models import CreditAccount
from apps.credits.services.accounts import account_apply_due
from apps.credits.services.allowances import allowance_apply, subscriptions_due
from apps.credits.services.books import books_verify
from apps.credits.services.settling import LIST_SIZE, accounts_settle


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
    found = in_pieces(due.only("pk"), size=LIST_SIZE)
    while listed := [account.pk for account in islice(found, LIST_SIZE)]:
        for name, count in _settle(context, listed, accounts).items():
            counts[name] += count
    accounts.finish()
    return {**counts, "accounts": accounts.done}


def _settle(context: ExecutionContext, listed: list[UUID], accounts: RecordErrors) -> Counter[str]:
    """Settle the list at once; where one of its accounts fails, each by itself."""
    try:
        counts = Counter(accounts_settle(context, account_ids=listed))
    except Exception as error:  # noqa: BLE001 - whatever it was, each account is tried by itself
        end_if_interrupted(error)
        counts = Counter()
        for account_id in listed:
            with accounts.record(account_id):
                counts.update(account_apply_due(context, account_id=account_id))
    else:
        accounts.done += len(listed)
    return counts
