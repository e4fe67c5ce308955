"""Settles many accounts at once: a minute has thousands whose holds have ended (spec 05, Holds).

What needs each account by itself, grants that begin or end and free quantity that goes back, goes the way of
`account_apply_due`; all else is done for the whole list in a handful of statements.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.credits.enums import HoldStatus
from apps.credits.models import CreditAccount, CreditGrant, Hold
from apps.credits.services.accounts import account_apply_due, burn

LIST_SIZE = 200
_RELEASE = """
UPDATE credits_creditaccount a SET held = a.held - r.amount
FROM unnest(%s::uuid[], %s::bigint[]) AS r(account_id, amount) WHERE a.organization_id = r.account_id
"""
_NEXT_DUE = """
UPDATE credits_creditaccount a SET next_due_at = LEAST(
    (SELECT min(h.expires_at) FROM credits_hold h WHERE h.account_id = a.organization_id AND h.status = 'open'),
    (SELECT min(g.effective_at) FROM credits_creditgrant g
        WHERE g.account_id = a.organization_id AND NOT g.is_posted AND g.voided_at IS NULL),
    (SELECT min(g.expires_at) FROM credits_creditgrant g
        WHERE g.account_id = a.organization_id AND NOT g.is_spent AND g.expires_at > %s)
) WHERE a.organization_id = ANY (%s)
"""


@transaction.atomic
def accounts_settle(context: ExecutionContext, *, account_ids: Sequence[UUID]) -> dict[str, int]:
    """Bring the accounts up to now, in one transaction; counts as `account_apply_due` returns them."""
    now = clock.now()
    locked = CreditAccount.objects.filter(pk__in=account_ids).select_for_update(no_key=True).order_by("pk")
    accounts = list(locked.only("pk", "burned_sequence", "last_sequence", "next_due_at"))
    behind = [account.pk for account in accounts if account.burned_sequence < account.last_sequence]
    if behind:
        burn(behind)
    due = {account.pk for account in accounts if account.next_due_at is not None and account.next_due_at <= now}
    over = list(Hold.objects.filter(account_id__in=due, status=HoldStatus.OPEN, expires_at__lte=now)) if due else []
    # What a hold reserves of a free quantity goes back to its month, which needs each hold by itself.
    alone = _with_grants_due(due, now) | {hold.account_id for hold in over if hold.free_quantity}
    released = _release([hold for hold in over if hold.account_id not in alone], now)
    counts = Counter(holds_released=released, grants_begun=0, grants_expired=0)
    for account_id in sorted(alone):
        counts.update(account_apply_due(context, account_id=account_id))
    if due - alone:
        with connection.cursor() as cursor:
            values: list[Any] = [now, sorted(due - alone)]
            cursor.execute(_NEXT_DUE, values)
    return dict(counts)


def _with_grants_due(account_ids: set[UUID], now: datetime) -> set[UUID]:
    """The accounts of which a grant begins or has ended with something left."""
    begins = Q(is_posted=False, voided_at__isnull=True, effective_at__lte=now)
    ends = Q(is_spent=False) & (Q(expires_at__lte=now) | Q(voided_at__isnull=False))
    found = CreditGrant.objects.filter(begins | ends, account_id__in=account_ids).values_list("account_id", flat=True)
    return set(found.distinct()) if account_ids else set()


def _release(holds: Sequence[Hold], now: datetime) -> int:
    """End the holds, which are over; how many."""
    Hold.objects.filter(pk__in=[hold.pk for hold in holds]).update(status=HoldStatus.EXPIRED, ended_at=now)
    freed: Counter[UUID] = Counter()
    for hold in holds:
        freed[hold.account_id] += hold.amount
    if freed:
        values: list[Any] = [list(freed), list(freed.values())]
        with connection.cursor() as cursor:
            cursor.execute(_RELEASE, values)
    return len(holds)
