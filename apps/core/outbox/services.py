"""Writing to the outbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import transaction
from django.db.models import QuerySet

from apps.core import clock
from apps.core.audit.secrecy import names_secret
from apps.core.audit.services import audit_append
from apps.core.canonical import plain
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, NotFoundError, UnprocessableError
from apps.core.events import OUTBOX_ITEM_DISMISSED, OUTBOX_ITEM_RETRIED
from apps.core.ids import OrganizationId, OutboxItemId
from apps.core.models import OutboxItem
from apps.core.operations import require
from apps.core.states import OutboxStatus
from apps.core.wakeups import wake_after_commit

DRAIN_TASK = "core.drain_outbox"


def outbox_enqueue(
    context: ExecutionContext,
    *,
    kind: str,
    key: str,
    payload: Mapping[str, object],
    organization_id: OrganizationId | None = None,
    is_demo: bool = False,
) -> OutboxItem:
    """Write down one call to the outside, in the transaction of its cause. The same kind and key again is the same row.

    In a demo tenant (the context's, or `is_demo` where the context is not of the tenant) the item is recorded as
    suppressed: nothing leaves the building (spec 02). Raises `RuntimeError` outside a transaction, `ValueError` when
    the payload holds a secret: payloads are shown to staff.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError(f"outbox_enqueue({kind}) outside a transaction: the call could be kept without its cause.")
    secret = next((name for name in payload if names_secret(name)), None)
    if secret is not None:
        raise ValueError(f"The payload of {kind} holds {secret!r}; the handler must read secrets when it needs them.")
    now = clock.now()
    is_suppressed = context.is_demo or is_demo
    item = OutboxItem(
        kind=kind,
        key=key,
        payload=plain(payload, "payload"),
        organization_id=organization_id or context.organization_id,
        status=OutboxStatus.SUPPRESSED if is_suppressed else OutboxStatus.PENDING,
        finished_at=now if is_suppressed else None,
        next_attempt_at=clock.real_now(),
        actor_kind=context.actor.kind,
        actor_label=context.actor.label,
        request_id=context.request_id,
        created_at=now,
    )
    OutboxItem.objects.bulk_create([item], ignore_conflicts=True)
    stored = OutboxItem.objects.get(kind=kind, key=key)
    if stored.status == OutboxStatus.PENDING:
        wake_after_commit(DRAIN_TASK)
    return stored


def outbox_wake(*, kinds: Sequence[str], organization_id: OrganizationId) -> None:
    """Make the organization's waiting calls of these kinds due: what they wait for may be there now."""
    waiting = OutboxItem.objects.filter(
        kind__in=kinds, organization_id=organization_id, status=OutboxStatus.PENDING, attempts=0
    )
    if waiting.update(next_attempt_at=clock.real_now()):
        wake_after_commit(DRAIN_TASK)


def outbox_retry(context: ExecutionContext, *, item_id: OutboxItemId, reason: str) -> OutboxItem:
    """Put a parked item back into the queue with all its tries, keeping its key. Audited.

    Raises `ForbiddenError`, `NotFoundError`, `UnprocessableError` without a reason, `ConflictError` unless parked.
    """
    require(context, "outbox.retry")
    if not reason.strip():
        raise UnprocessableError("Say why this call is to be tried again.")
    with transaction.atomic():
        item = outbox_item_for_update(item_id)
        if item.status != OutboxStatus.PARKED:
            raise ConflictError(f"Only a parked call can be tried again; this one is {item.get_status_display()}.")
        before = {"status": item.status, "attempts": item.attempts, "last_error": item.last_error}
        item.status, item.attempts = OutboxStatus.PENDING, 0
        item.next_attempt_at, item.finished_at, item.dismissed_at = clock.real_now(), None, None
        item.save(update_fields=["status", "attempts", "next_attempt_at", "finished_at", "dismissed_at"])
        audit_append(
            context,
            OUTBOX_ITEM_RETRIED,
            item.audit_target,
            before=before,
            after={"status": item.status, "attempts": item.attempts, "kind": item.kind},
            reason=reason,
        )
        wake_after_commit(DRAIN_TASK)
    return item


def outbox_dismiss(context: ExecutionContext, *, item_id: OutboxItemId, reason: str) -> OutboxItem:
    """Give up a parked item: nobody is told of it any more, and it is removed in its time. `outbox_retry` undoes it.

    Raises as `outbox_retry`; `ConflictError` unless it is parked and not dismissed yet.
    """
    require(context, "outbox.dismiss")
    if not reason.strip():
        raise UnprocessableError("Say why this call is given up.")
    with transaction.atomic():
        item = outbox_item_for_update(item_id)
        if item.status != OutboxStatus.PARKED or item.is_dismissed:
            state = "dismissed already" if item.is_dismissed else item.get_status_display()
            raise ConflictError(f"Only a parked call can be dismissed; this one is {state}.")
        item.dismissed_at = clock.now()
        item.save(update_fields=["dismissed_at"])
        audit_append(
            context,
            OUTBOX_ITEM_DISMISSED,
            item.audit_target,
            before={"dismissed_at": None, "last_error": item.last_error},
            after={"dismissed_at": item.dismissed_at, "kind": item.kind},
            reason=reason,
        )
    return item


def outbox_alarming() -> QuerySet[OutboxItem]:
    """The parked calls that wait for a person."""
    return OutboxItem.objects.filter(status=OutboxStatus.PARKED, dismissed_at=None)


def outbox_item_for_update(item_id: OutboxItemId) -> OutboxItem:
    """The item, locked until the transaction ends; raises `NotFoundError`."""
    item = OutboxItem.objects.select_for_update().filter(pk=item_id).first()
    if item is None:
        raise NotFoundError("There is no such call in the outbox.")
    return item
