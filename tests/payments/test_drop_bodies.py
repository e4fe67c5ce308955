"""Bodies of old events go; that they came, and what became of them, stays (spec 14, Years of data)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from apps.core import clock
from apps.core.errors import ConflictError
from apps.core.models import PurgeMark
from apps.core.retention import purge
from apps.payments.models import WebhookEvent
from apps.payments.services import webhook_event_dismiss, webhook_event_process_again
from tests.contexts import staff_context
from tests.payments.cast import NOON, Stripe, deliver, make_tenant, stored

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def aged(event: dict[str, Any], days: float) -> WebhookEvent:
    row = stored(event)
    WebhookEvent.objects.filter(pk=row.pk).update(received_at=clock.now() - days * DAY)
    return row


def test_bodies_of_old_events_go_and_a_late_duplicate_is_known() -> None:
    stripe, stranger = Stripe(make_tenant()), Stripe(make_tenant())
    events = [stripe.event("customer.created", stripe.customer(), NOON) for _ in range(3)]
    unmatched = stranger.event("invoice.paid", stranger.invoice("1", "paid"), NOON)
    deliver(*events, unmatched)
    old, older, young = aged(events[0], 401), aged(events[1], 700), aged(events[2], 399)
    waiting = aged(unmatched, 500)
    assert purge("purge-payloads")["webhook_bodies"] == 2
    rows = {row.pk: row for row in WebhookEvent.objects.all()}
    assert [(rows[event.pk].body, rows[event.pk].payload) for event in (old, older)] == [(None, {})] * 2
    assert all(rows[event.pk].body for event in (young, waiting))
    assert (rows[old.pk].status, rows[old.pk].event_id) == (old.status, old.event_id)
    deliver(*events)
    assert WebhookEvent.objects.count() == 4
    assert purge("purge-payloads")["webhook_bodies"] == 0


def test_what_is_dismissed_late_loses_its_body_too_and_is_not_processed_again() -> None:
    stranger = Stripe(make_tenant())
    unmatched = stranger.event("invoice.paid", stranger.invoice("1", "paid"), NOON)
    deliver(unmatched)
    row = aged(unmatched, 500)
    PurgeMark.objects.create(name="webhook_bodies", moment=clock.now() - 401 * DAY)
    assert purge("purge-payloads")["webhook_bodies"] == 0
    webhook_event_dismiss(staff_context(), event_pk=row.pk, reason="Nobody knows it.")
    assert purge("purge-payloads")["webhook_bodies"] == 1
    with pytest.raises(ConflictError, match="dropped 400 days"):
        webhook_event_process_again(staff_context(), event_pk=row.pk, reason="Try it.")
    row.refresh_from_db()
    assert row.status == "ignored"
