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

from django.db import transaction
from django.db.models import Q

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.failpoints import failpoint
from apps.core.ids import OrganizationId, OutboxItemId
from apps.core.leases import Queue, error_text
from apps.core.models import OutboxItem
from apps.core.outbox.backoff import MAX_ATTEMPTS, retry_delay
from apps.core.outbox.handlers import Delivery, OutboxError, OutboxWait, handler_of, ready_kinds
from apps.core.states import OutboxStatus
from apps.core.unavailability import end_if_interrupted

logger = logging.getLogger(__name__)

OUTBOX = Queue(
    OutboxItem,
    waiting=OutboxStatus.PENDING,
    working=OutboxStatus.IN_PROGRESS,
    lease=timedelta(minutes=3),
    beat=timedelta(seconds=45),
    due_at="next_attempt_at",
    parked=Q(status=OutboxStatus.PARKED, dismissed_at=None),
)
# A drain ends well inside the hard time limit of tasks, whatever the providers take.
LONGEST_DRAIN = timedelta(seconds=150)
_LOOKED_AT_AGAIN = timedelta(hours=1)
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
    lease: timedelta = OUTBOX.lease,
) -> DrainCounts:
    """Carry out up to `limit` due items, of one organization or of all, one after the other.

    Must not run inside a transaction: no call to the outside holds one open.
    """
    counts = DrainCounts()
    ends_at = clock.real_now() + LONGEST_DRAIN
    where = Q(kind__in=ready_kinds()) & (Q(organization_id=organization_id) if organization_id else Q())
    for _ in range(limit):
        # One at a time: what a worker dies over must not cost others a try.
        claimed = OUTBOX.claim(where=where, lease=lease)
        if not claimed:
            break
        (item,) = claimed
        failpoint("outbox.after_claim")
        counts = counts.plus(_carry_out(context, item))
        failpoint("outbox.after_finish")
        if clock.real_now() >= ends_at:
            break
    return counts


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
        if not OUTBOX.release(item, OutboxStatus.DONE, finished_at=clock.now(), last_error=""):
            return "lost"
        handler_of(item.kind).record(_context_of(context, item), delivery, result)
        failpoint("outbox.before_finish_commit")
    return "done"


def _fail(item: OutboxItem, error: OutboxError) -> str:
    message = error_text(str(error))
    if isinstance(error, OutboxWait):
        # No try was made of it, so that it never runs out of them.
        again_at = clock.real_now() + _LOOKED_AT_AGAIN
        waits = {"next_attempt_at": again_at, "attempts": item.attempts - 1, "last_error": message}
        return "retried" if OUTBOX.release(item, OutboxStatus.PENDING, **waits) else "lost"
    if error.permanent or item.attempts >= MAX_ATTEMPTS:
        return _park(item, message)
    delay = retry_delay(item.attempts, jitter=_random.random(), wish_seconds=error.retry_after_seconds)
    again_at = clock.real_now() + delay
    is_ours = OUTBOX.release(item, OutboxStatus.PENDING, next_attempt_at=again_at, last_error=message)
    if error.retry_after_seconds and handler_of(item.kind).shares_limit:
        others = OutboxItem.objects.filter(kind=item.kind, status=OutboxStatus.PENDING, next_attempt_at__lt=again_at)
        others.update(next_attempt_at=again_at)
    return "retried" if is_ours else "lost"


def _park(item: OutboxItem, message: str) -> str:
    is_ours = OUTBOX.release(item, OutboxStatus.PARKED, finished_at=clock.now(), dismissed_at=None, last_error=message)
    return "parked" if is_ours else "lost"


def _context_of(context: ExecutionContext, item: OutboxItem) -> ExecutionContext:
    """The worker's context, for the item's organization and under the request that caused it."""
    organization_id = OrganizationId(item.organization_id) if item.organization_id else None
    return replace(context, organization_id=organization_id, workspace_id=None)
