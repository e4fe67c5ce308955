"""Price previews of drafts: asked for, and computed by a worker (spec 05, Policy).

A preview changes nothing, so that a worker which takes over a dead one's begins anew.
"""

from __future__ import annotations

import logging
import uuid
from datetime import UTC, timedelta
from uuid import UUID

import msgspec
from django.db import transaction

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, NotFoundError
from apps.core.failpoints import failpoint
from apps.core.ids import AuditTarget
from apps.core.leases import Queue, error_text
from apps.core.locks import lock_name
from apps.core.operations import require
from apps.core.unavailability import end_if_interrupted
from apps.core.wakeups import wake_after_commit
from apps.credits import events
from apps.credits.enums import PolicyStatus, PricePreviewStatus
from apps.credits.models import CreditPolicy, PricePreviewRun
from apps.credits.models.price_previews import ACTIVE
from apps.credits.selectors.policies import policy_terms
from apps.credits.selectors.price_preview import WINDOW, price_preview, window_of

logger = logging.getLogger(__name__)

OPERATION = "credit_policies.manage"
TASK = "credits.preview_prices"
PREVIEWS = Queue(
    PricePreviewRun,
    waiting=PricePreviewStatus.QUEUED,
    working=PricePreviewStatus.RUNNING,
    lease=timedelta(seconds=30),
    beat=timedelta(seconds=8),
    claims="claims",
    starts_at_once=True,
)
# After this a queued preview is handed out again: its message was lost.
_QUEUE_LEASE = timedelta(minutes=2)
# What several workers have died of is not tried for ever.
_MOST_CLAIMS = 5


class PreviewLostError(Exception):
    """Another worker has the preview, or it was discarded."""


@transaction.atomic
def price_preview_request(context: ExecutionContext, *, policy_id: UUID, reason: str = "") -> PricePreviewRun:
    """Queue a preview of the draft over the last 30 days; one that is under way is the answer.

    One of an earlier draft that is under way is discarded. Raises `ForbiddenError`, `NotFoundError`, and
    `ConflictError` for a published policy.
    """
    require(context, OPERATION)
    product_id = CreditPolicy.objects.filter(pk=policy_id).values_list("product", flat=True).first()
    lock_name(f"credit-policy:{product_id}")
    draft = CreditPolicy.objects.filter(pk=policy_id).first()
    if draft is None:
        raise NotFoundError(f"There is no policy {policy_id}. The draft may have been changed: open it again.")
    if draft.status != PolicyStatus.DRAFT:
        raise ConflictError("Only a draft has a price preview. This policy is published.")
    active = PricePreviewRun.objects.filter(product=product_id, status__in=ACTIVE).first()
    if active is not None and active.draft_id == policy_id:
        return active
    now = clock.now()
    if active is not None:
        PricePreviewRun.objects.filter(pk=active.pk, status__in=ACTIVE).update(
            status=PricePreviewStatus.DISCARDED, error="The draft was changed.", finished_at=now
        )
    since = (now - WINDOW).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    run: PricePreviewRun = PricePreviewRun.objects.create(
        id=uuid.uuid4(),
        product=draft.product,
        draft_id=draft.pk,
        version=draft.version,
        status=PricePreviewStatus.QUEUED,
        since=since,
        until=now,
        days=window_of(since, now).days,
        requested_by=context.actor.label,
        lease_expires_at=clock.real_now() + _QUEUE_LEASE,
        created_at=now,
    )
    target = AuditTarget("credit_policy", draft.pk)
    audit_append(context, events.PRICE_PREVIEW_REQUESTED, target, after={"preview": str(run.pk)}, reason=reason)
    wake_after_commit(TASK, str(run.pk))
    return run


def price_preview_execute(run_id: UUID) -> PricePreviewRun | None:
    """Compute the preview from its beginning to its end; None where it is over, discarded, or another worker's."""
    run = PREVIEWS.claim_row(run_id, done=0)
    if run is None:
        return None
    failpoint("previews.after_claim")
    try:
        if run.claims > _MOST_CLAIMS:
            _end(run, PricePreviewStatus.FAILED, error=f"{_MOST_CLAIMS} workers ended before they were through.")
        else:
            with PREVIEWS.keep(run):
                _compute(run)
    except PreviewLostError:
        return None
    except Exception as error:
        # What only interrupts leaves the preview to the next worker; whatever else goes wrong belongs on it.
        end_if_interrupted(error)
        logger.warning("price_preview_failed", exc_info=True, extra={"price_preview": str(run.pk)})
        _end(run, PricePreviewStatus.FAILED, error=error_text(f"{type(error).__name__}: {error}"))
    run.refresh_from_db()
    return run


def _compute(run: PricePreviewRun) -> None:
    # Published meanwhile it has the same prices; changed meanwhile it is gone, and nobody waits for the result.
    draft = CreditPolicy.objects.filter(pk=run.draft_id).prefetch_related("prices").first()
    if draft is None:
        _end(run, PricePreviewStatus.DISCARDED, error="The draft was changed.")
        return

    def note(days: int) -> None:
        with transaction.atomic():
            if PREVIEWS.lock(run) is None:
                raise PreviewLostError
            run.done = days
            run.save(update_fields=["done"])
        failpoint("previews.after_piece")

    preview = price_preview(policy_terms(draft), window_of(run.since, run.until), note)
    _end(run, PricePreviewStatus.SUCCEEDED, result=msgspec.to_builtins(preview))


def _end(run: PricePreviewRun, status: PricePreviewStatus, **values: object) -> None:
    PREVIEWS.release(run, status, finished_at=clock.now(), **values)
