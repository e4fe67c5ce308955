"""Events of the inbox to read, and the function that locks one."""

from __future__ import annotations

from uuid import UUID

from apps.payments.models import WebhookEvent


def webhook_event_for_update(event_pk: UUID) -> WebhookEvent | None:
    """The event, locked until the transaction ends; None when there is none."""
    return WebhookEvent.objects.select_for_update(no_key=True).filter(pk=event_pk).first()
