"""The inbox as rows: storing an event once, and the queue by which workers claim them (spec 04, Webhooks)."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import Q

from apps.core import clock
from apps.core.ids import RequestId
from apps.core.leases import Queue
from apps.core.statements import fetch_all
from apps.core.wakeups import wake_after_commit
from apps.payments.enums import EventSource, WebhookStatus
from apps.payments.models import ProviderCustomer, WebhookEvent
from apps.payments.providers.contract import PaymentProvider
from apps.payments.providers.parsing import EventBody
from apps.subscriptions.enums import Provider
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.subscriptions.models.payment_configs import CUSTOMER_FIELDS

PROCESS_TASK = "payments.process_webhook_event"
SWEEP_TASK = "payments.sweep_inbox"
INBOX = Queue(
    WebhookEvent,
    waiting=WebhookStatus.RECEIVED,
    working=WebhookStatus.PROCESSING,
    lease=timedelta(minutes=3),
    beat=timedelta(seconds=45),
    due_at="next_try_at",
    parked=Q(status=WebhookStatus.FAILED),
)

_STORE = """
    INSERT INTO payments_webhookevent
        (id, provider, event_id, type, source, payload, body, occurred_at, received_at, status, attempts, next_try_at,
         lease_expires_at, processed_at, error, customer_external_id, organization_id, request_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, NULL, $12, '', '', NULL, $13)
    ON CONFLICT (provider, event_id) DO NOTHING
    RETURNING id
"""
_NOTHING = "{}"


def store(
    provider: PaymentProvider, body: EventBody, *, source: EventSource, request_id: RequestId
) -> tuple[UUID | None, bool]:
    """Store the event, in one statement; its row's id, or None when we have it already, and whether we hear its type.

    Nothing of the event is read but what its row needs: what it means is found out afterwards, by a worker.
    """
    now = clock.now()
    is_heard = provider.hears(body.type)
    values = (
        uuid.uuid4(),
        provider.name.value,
        body.event_id,
        body.type,
        source.value,
        msgspec.json.encode(body.value).decode() if body.is_plain else _NOTHING,
        f"\\x{body.raw.hex()}",
        (provider.read_time(body.value) if body.value is not None else None) or now,
        now,
        (WebhookStatus.RECEIVED if is_heard else WebhookStatus.IGNORED).value,
        clock.real_now() if is_heard else None,  # when it is next tried
        None if is_heard else now,  # when it was processed
        request_id,
    )
    return next((UUID(stored) for (stored,) in fetch_all(_STORE, values)), None), is_heard


def requeue_unmatched(provider: Provider | None = None, customer_id: str = "") -> int:
    """Requeue events that waited for a customer who is known now; all such, or those of one customer; how many."""
    waiting = WebhookEvent.objects.filter(status=WebhookStatus.UNMATCHED)
    if provider is not None:
        waiting = waiting.filter(provider=provider, customer_external_id=customer_id)
    else:
        waiting = waiting.filter(_customer_is_known())
    count = waiting.update(**again())
    if count:
        wake_after_commit(SWEEP_TASK)
    return count


def requeue_disputes(provider: Provider, charge_id: str) -> None:
    """Requeue the disputes of this charge that waited until it was known who paid it."""
    waiting = WebhookEvent.objects.filter(
        status=WebhookStatus.UNMATCHED, provider=provider, charge_external_id=charge_id
    )
    if charge_id and waiting.update(**again()):
        wake_after_commit(SWEEP_TASK)


def again() -> dict[str, Any]:
    """The values of an event that is to be processed anew."""
    return {
        "status": WebhookStatus.RECEIVED,
        "next_try_at": clock.real_now(),
        "error": "",
        "reason": "",
        "field": "",
        "processed_at": None,
    }


def _customer_is_known() -> Q:
    known = Q(pk__in=[])
    for provider, field in CUSTOMER_FIELDS.items():
        configs = OrganizationPaymentConfig.objects.exclude(**{field: None}).values(field)
        known |= Q(provider=provider, customer_external_id__in=configs)
    for provider in Provider:
        customers = ProviderCustomer.objects.filter(provider=provider).exclude(organization=None)
        known |= Q(provider=provider, customer_external_id__in=customers.values("external_id"))
    return known & ~Q(customer_external_id="")
