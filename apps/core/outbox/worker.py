"""Carries out the outbox: claim with a lease, call outside any transaction, write down the outcome.

Any number of workers may drain at once. A worker that dies leaves a lease behind; when that ends the item is claimed
again, with the same key. The number of the attempt tells a worker that came back late that the item is no longer its.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from apps.core import clock
from apps.core.audit.secrecy import redact_text
from apps.core.context import ExecutionContext
from apps.core.failpoints import failpoint
from apps.core.ids import OrganizationId, OutboxItemId
from apps.core.models import OutboxItem
from apps.core.outbox.backoff import MAX_ATTEMPTS, retry_delay
from apps.core.outbox.handlers import Delivery, OutboxError, handler_of, ready_kinds
from apps.core.states import OutboxStatus
from apps.core.unavailability import end_if_interrupted

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=3)
# A drain ends well inside the hard time limit of tasks, whatever the providers take.
LONGEST_DRAIN = timedelta(seconds=150)
_LONGEST_ERROR = 2_000
_random = secrets.SystemRandom()


@dataclass(frozen=True, slots=True)
class DrainCounts:
    """What one drain came to. `lost`: the lease ran out under the call, and another worker has the item."""

    done: int = 0
    retried: int = 0
    parked: int = 0
    lost: int = 0

    def plus(self, outcome: str) -> DrainCounts:
        return replace(self, **{outcome: getattr(self, outcome) + 1})

    def as_counts(self) -> dict[str, int]:
        return {"done": self.done, "retried": self.retried, "parked": self.parked, "lost": self.lost}


def outbox_drain(
    context: ExecutionContext,
    *,
    limit: int = 500,
    organization_id: UUID | None = None,
    lease: timedelta = LEASE,
) -> DrainCounts:
    """Carry out up to `limit` due items, of one organization or of all, one after the other.

    Must not run inside a transaction: no call to the outside holds one open.
    """
    counts = DrainCounts()
    ends_at = clock.now() + LONGEST_DRAIN
    for _ in range(limit):
        item = _claim(lease, organization_id)
        if item is None:
            break
        failpoint("outbox.after_claim")
        counts = counts.plus(_carry_out(context, item))
        failpoint("outbox.after_finish")
        if clock.now() >= ends_at:
            break
    return counts


def outbox_oldest_due() -> OutboxItem | None:
    """The item that has been due the longest among those that can be carried out; for health and alarms."""
    return (
        OutboxItem.objects.filter(status=OutboxStatus.PENDING, kind__in=ready_kinds(), next_attempt_at__lte=clock.now())
        .order_by("next_attempt_at")
        .first()
    )


def _claim(lease: timedelta, organization_id: UUID | None) -> OutboxItem | None:
    """Take the item that has been due the longest. `SKIP LOCKED` lets workers pass each other instead of waiting."""
    now = clock.now()
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(
            """
            WITH due AS MATERIALIZED (
                SELECT id FROM core_outboxitem
                WHERE kind = ANY(%(kinds)s)
                  AND (%(organization)s::uuid IS NULL OR organization_id = %(organization)s)
                  AND ((status = 'pending' AND next_attempt_at <= %(now)s)
                    OR (status = 'in_progress' AND lease_expires_at <= %(now)s))
                ORDER BY next_attempt_at, created_at
                LIMIT 1 FOR UPDATE SKIP LOCKED
            )
            UPDATE core_outboxitem AS item
            SET status = 'in_progress', attempts = item.attempts + 1, lease_expires_at = %(until)s
            FROM due WHERE item.id = due.id
            RETURNING item.id
            """,
            {"kinds": ready_kinds(), "organization": organization_id, "now": now, "until": now + lease},
        )
        row = cursor.fetchone()
        return OutboxItem.objects.get(pk=row[0]) if row else None


def _carry_out(context: ExecutionContext, item: OutboxItem) -> str:
    """Make the call and write down its outcome; the name of the count it belongs to."""
    if item.attempts > MAX_ATTEMPTS:
        # Each failed try below parks at the last one, so that the last worker died over it.
        return _park(item, f"The worker died during the last of {MAX_ATTEMPTS} tries.")
    delivery = _delivery(item)
    try:
        result = handler_of(item.kind).deliver(delivery)
        failpoint("outbox.after_deliver")
        return _finish(context, item, delivery, result)
    except OutboxError as error:
        return _fail(item, error)
    except Exception as error:
        end_if_interrupted(error)  # the lease ends, and the item is claimed again with its key
        # One bad item must not stop the others.
        logger.warning("outbox_try_failed", exc_info=True, extra={"kind": item.kind, "item_id": str(item.pk)})
        return _fail(item, OutboxError(f"{type(error).__name__}: {error}"))


def _delivery(item: OutboxItem) -> Delivery:
    return Delivery(
        item_id=OutboxItemId(item.pk),
        kind=item.kind,
        key=item.key,
        payload=item.payload,
        organization_id=item.organization_id,
        request_id=item.request_id,
        attempt=item.attempts,
    )


def _finish(context: ExecutionContext, item: OutboxItem, delivery: Delivery, result: Any) -> str:
    with transaction.atomic(durable=True):
        if not _settle(item, status=OutboxStatus.DONE, finished_at=clock.now(), last_error=""):
            return "lost"
        handler_of(item.kind).record(_context_of(context, item), delivery, result)
        failpoint("outbox.before_finish_commit")
    return "done"


def _fail(item: OutboxItem, error: OutboxError) -> str:
    message = redact_text(str(error)).replace("\x00", "")[:_LONGEST_ERROR]
    if error.permanent or item.attempts >= MAX_ATTEMPTS:
        return _park(item, message)
    delay = retry_delay(item.attempts, jitter=_random.random(), wish_seconds=error.retry_after_seconds)
    is_ours = _settle(
        item, status=OutboxStatus.PENDING, next_attempt_at=clock.now() + delay, finished_at=None, last_error=message
    )
    return "retried" if is_ours else "lost"


def _park(item: OutboxItem, message: str) -> str:
    is_ours = _settle(item, status=OutboxStatus.PARKED, finished_at=clock.now(), last_error=message)
    return "parked" if is_ours else "lost"


def _settle(item: OutboxItem, **values: Any) -> bool:
    """Write the outcome if the item is still this worker's: same attempt, still in progress."""
    ours = Q(pk=item.pk, status=OutboxStatus.IN_PROGRESS, attempts=item.attempts)
    return OutboxItem.objects.filter(ours).update(lease_expires_at=None, **values) == 1


def _context_of(context: ExecutionContext, item: OutboxItem) -> ExecutionContext:
    """The worker's context, for the item's organization and under the request that caused it."""
    organization_id = OrganizationId(item.organization_id) if item.organization_id else None
    return replace(context, organization_id=organization_id, workspace_id=None)
