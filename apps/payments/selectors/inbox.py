"""Events of the inbox to read: those that are kept with a reason; and the function that locks one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import CharField, Count, Max, Min, Q, QuerySet
from django.db.models.functions import Cast

from apps.payments.enums import WebhookStatus
from apps.payments.models import WebhookEvent

_KEPT = (WebhookStatus.FAILED, WebhookStatus.UNMATCHED)
MOST_GROUPS = 200
# What `purge-payloads` leaves. Rows of the former release have no `body`, rows that JSON can't hold no `payload`.
BODY_DROPPED = Q(body__isnull=True, payload={})


@dataclass(frozen=True, slots=True)
class KeptGroup:
    """The events that wait for one reason, over one field of one type; `example` is one of them."""

    reason: str
    field: str
    type: str
    count: int
    oldest: datetime
    newest: datetime
    example: str


def webhook_event_for_update(event_pk: UUID) -> WebhookEvent | None:
    """The event, locked until the transaction ends; None when there is none."""
    return WebhookEvent.objects.select_for_update(no_key=True).filter(pk=event_pk).first()


def is_kept(event: WebhookEvent) -> bool:
    """Whether it waits for a person, or was set aside with a reason."""
    return event.status in _KEPT or (event.status == WebhookStatus.IGNORED and event.reason != "")


def has_lost_body(event: WebhookEvent) -> bool:
    """Whether `purge-payloads` has dropped what it said."""
    return event.body is None and event.payload == {}


def kept_alike(event: WebhookEvent) -> QuerySet[WebhookEvent]:
    """The events that stand where this one stands, for the same reason and over the same field."""
    statuses = _KEPT if event.status in _KEPT else (event.status,)
    return WebhookEvent.objects.filter(
        ~BODY_DROPPED, status__in=statuses, provider=event.provider, reason=event.reason, field=event.field
    )


def kept_groups() -> list[KeptGroup]:
    """What waits for a person, the most frequent reason first. Reads what waits, and nothing older."""
    waiting = WebhookEvent.objects.filter(status__in=_KEPT).order_by()
    groups = waiting.values("reason", "field", "type").annotate(
        count=Count("pk"), oldest=Min("received_at"), newest=Max("received_at"), example=Max(Cast("pk", CharField()))
    )
    found = groups.order_by("-count", "reason", "field", "type")[:MOST_GROUPS]
    return [KeptGroup(**group) for group in found]
