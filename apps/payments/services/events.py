"""Processes the inbox (spec 04, Webhooks): one event, all that are due, or one again when a person asks for it."""

from __future__ import annotations

import logging
import secrets
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models import Q

from apps.core import clock
from apps.core.audit import AuditEvent, audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, CountinghouseError, NotFoundError, UnprocessableError
from apps.core.failpoints import failpoint
from apps.core.ids import RequestId
from apps.core.leases import error_text
from apps.core.operations import require
from apps.core.outbox.backoff import MAX_ATTEMPTS, retry_delay
from apps.core.unavailability import end_if_interrupted, is_unavailable
from apps.core.wakeups import wake_after_commit
from apps.payments.contracts import ProviderEvent
from apps.payments.enums import WebhookStatus, WhyKept
from apps.payments.events import WEBHOOK_EVENT_DISMISSED, WEBHOOK_EVENT_PROCESSED_AGAIN
from apps.payments.inbox import INBOX, PROCESS_TASK, SWEEP_TASK, again, requeue_unmatched
from apps.payments.models import WebhookEvent
from apps.payments.processing import ProcessingResult, find_organization, process
from apps.payments.providers.contract import payment_provider
from apps.payments.providers.parsing import read_stored, unreadable
from apps.payments.selectors.inbox import has_lost_body, is_kept, kept_alike, webhook_event_for_update
from apps.subscriptions.enums import Provider

logger = logging.getLogger(__name__)

LONGEST_SWEEP = timedelta(seconds=150)
# A provider's clock may be ahead of ours, but not by so much.
MOST_AHEAD = timedelta(days=1)
# A transaction that lost against another one is repeated at once.
_TRIES_AT_ONCE = 3
_random = secrets.SystemRandom()


def webhook_event_process(context: ExecutionContext, *, event_pk: UUID, lease: timedelta = INBOX.lease) -> str:
    """Process one stored event if it is due and nobody else's; the status that it has now, empty when it was not ours.

    It runs as the provider, whoever asks. A failure is stored with its error and tried again later, then parked.
    """
    event = INBOX.claim_row(event_pk, lease=lease)
    return "" if event is None else _work(context, event)


def webhook_inbox_sweep(
    context: ExecutionContext,
    *,
    limit: int = 1_000,
    organization_id: UUID | None = None,
    lease: timedelta = INBOX.lease,
) -> dict[str, int]:
    """Process what is due, the longest waiting first: what the broker lost, what failed before, what a worker left.

    Events that waited for their customer are taken up when somebody has said whom the customer stands for.
    """
    counts = {"requeued": requeue_unmatched(), **{status.value: 0 for status in WebhookStatus}, "lost": 0}
    where = Q(organization_id=organization_id) if organization_id else Q()
    ends_at = clock.real_now() + LONGEST_SWEEP
    for _ in range(limit):
        claimed = INBOX.claim(where=where, lease=lease)
        if not claimed:
            break
        (event,) = claimed
        counts[_work(context, event) or "lost"] += 1
        # Asked here and not after the claim: what was claimed would lie until its lease ends, one try poorer.
        if clock.real_now() >= ends_at:
            break
    return counts


@transaction.atomic
def webhook_event_process_again(context: ExecutionContext, *, event_pk: UUID, reason: str) -> WebhookEvent:
    """Put a kept event back to work, with all its tries; this also takes a dismissal back. Audited.

    Raises `NotFoundError`, `ForbiddenError`, `UnprocessableError` without a reason, `ConflictError` for an event that
    is not kept.
    """
    event = _lock_kept(context, event_pk, reason, "Say why this event is to be processed again.")
    if has_lost_body(event):
        raise ConflictError(
            f"What this event said was dropped {settings.KEEP_WEBHOOK_BODIES_DAYS} days after it came, so it can't be "
            "processed again. Look at the provider for how things stand there."
        )
    audit_append(
        context,
        WEBHOOK_EVENT_PROCESSED_AGAIN,
        event.audit_target,
        before={"status": event.status, "attempts": event.attempts, "error": event.error},
        after={"status": WebhookStatus.RECEIVED, "attempts": 0, "event_id": event.event_id},
        reason=reason,
    )
    WebhookEvent.objects.filter(pk=event.pk).update(**again(), attempts=0)
    wake_after_commit(PROCESS_TASK, str(event.pk))
    return event


@transaction.atomic
def webhook_events_process_alike(context: ExecutionContext, *, event_pk: UUID, reason: str) -> int:
    """Put all events back to work that wait for the same reason, over the same field; how many. Audited once."""
    event = _lock_kept(context, event_pk, reason, "Say why these events are to be processed again.")
    count = kept_alike(event).update(**again(), attempts=0)
    _audit_alike(context, WEBHOOK_EVENT_PROCESSED_AGAIN, event, count, reason)
    wake_after_commit(SWEEP_TASK)
    return count


@transaction.atomic
def webhook_event_dismiss(context: ExecutionContext, *, event_pk: UUID, reason: str, with_alike: bool = False) -> int:
    """Set an event aside that will never be taken, or all that wait for the same reason; how many. Audited.

    Nothing is deleted: processing an event again takes its dismissal back. Raises as `webhook_event_process_again`.
    """
    event = _lock_kept(context, event_pk, reason, "Say why nobody needs to look at this event.")
    rows = kept_alike(event) if with_alike else WebhookEvent.objects.filter(pk=event.pk)
    count = rows.update(
        status=WebhookStatus.IGNORED,
        reason=WhyKept.DISMISSED,
        error=f"Dismissed: {reason}",
        next_try_at=None,
        processed_at=clock.now(),
    )
    _audit_alike(context, WEBHOOK_EVENT_DISMISSED, event, count, reason)
    return count


def _lock_kept(context: ExecutionContext, event_pk: UUID, reason: str, ask: str) -> WebhookEvent:
    require(context, "webhook_events.process_again")
    if not reason.strip():
        raise UnprocessableError(ask)
    event = webhook_event_for_update(event_pk)
    if event is None:
        raise NotFoundError("There is no such event in the inbox.")
    if not is_kept(event):
        raise ConflictError(
            f"Only an event that is kept for a reason can be decided about; this one is {event.get_status_display()}."
        )
    return event


def _audit_alike(context: ExecutionContext, what: AuditEvent, event: WebhookEvent, count: int, reason: str) -> None:
    before = {"status": event.status, "reason": event.reason, "field": event.field, "error": event.error}
    after = {"event_id": event.event_id, "events": count}
    audit_append(context, what, event.audit_target, before=before, after=after, reason=reason)


def _work(context: ExecutionContext, event: WebhookEvent) -> str:
    """Process a claimed event and write down what came of it; empty when another worker has it by now."""
    failpoint("inbox.after_claim")
    if event.attempts > MAX_ATTEMPTS:
        return _park(event, f"The worker died during the last of {MAX_ATTEMPTS} tries.")
    try:
        result = _process(event)
    except Exception as error:
        end_if_interrupted(error)  # the lease ends, and the event is claimed again
        # Whatever goes wrong belongs on the event; one bad event must not stop the others.
        logger.warning("webhook_event_failed", exc_info=True, extra={"event": event.event_id})
        return _fail(event, error)
    failpoint("inbox.after_process")
    is_ours = INBOX.release(
        event,
        result.status,
        next_try_at=None,
        processed_at=clock.now(),
        error=result.note,
        reason=result.reason.value if result.reason else "",
        field="",
        organization_id=result.organization_id,
        customer_external_id=result.customer_id or event.customer_external_id,
        charge_external_id=result.charge_id,
    )
    if is_ours and result.status is WebhookStatus.UNMATCHED:
        _take_up_if_matched(event, result)
    return result.status.value if is_ours else ""


def _take_up_if_matched(event: WebhookEvent, result: ProcessingResult) -> None:
    """Requeue at once what became known while we looked: its own news found this event still being processed."""
    provider = Provider(event.provider)
    if find_organization(provider, result.customer_id) is not None:
        requeue_unmatched(provider, result.customer_id)


def _process(event: WebhookEvent) -> ProcessingResult:
    parsed = _read(event)
    for _ in range(_TRIES_AT_ONCE - 1):
        try:
            return process(parsed, request_id=RequestId(event.request_id))
        except OperationalError as error:
            if not is_unavailable(error):
                raise
    return process(parsed, request_id=RequestId(event.request_id))


def _read(event: WebhookEvent) -> ProviderEvent:
    """The event, by the identity of its row; raises `UnreadableError`. Rows of the former release have no bytes."""
    body = event.payload if event.body is None else read_stored(bytes(event.body))
    parsed = payment_provider(Provider(event.provider)).parse_event(body)
    if parsed.snapshot is not None and parsed.occurred_at > clock.now() + MOST_AHEAD:
        # All that comes before that day would look old.
        raise unreadable("created", f"is {parsed.occurred_at:%Y-%m-%d %H:%M} UTC, more than a day ahead of our clock")
    return replace(parsed, event_id=event.event_id, type=event.type)


def _fail(event: WebhookEvent, error: Exception) -> str:
    sentence = str(error) if isinstance(error, CountinghouseError) else f"{type(error).__name__}: {error}"
    message = error_text(sentence)
    if event.attempts >= MAX_ATTEMPTS or (isinstance(error, CountinghouseError) and not is_unavailable(error)):
        return _park(event, message, error)
    again_at = clock.real_now() + retry_delay(event.attempts, jitter=_random.random())
    is_ours = INBOX.release(event, WebhookStatus.RECEIVED, next_try_at=again_at, error=message)
    return WebhookStatus.RECEIVED.value if is_ours else ""


def _park(event: WebhookEvent, message: str, error: Exception | None = None) -> str:
    reason, field = WhyKept.ERROR.value, ""
    if isinstance(error, CountinghouseError):
        reason = error.problem_code[:60]
        field = next((each.field for each in error.errors), "")[:200]
    is_ours = INBOX.release(event, WebhookStatus.FAILED, next_try_at=None, error=message, reason=reason, field=field)
    return WebhookStatus.FAILED.value if is_ours else ""
