"""Finds the events that were never delivered, by the provider's own list of them (spec 04, Webhooks)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from apps.core.context import ExecutionContext
from apps.core.errors import MalformedRequestError
from apps.core.operations import require
from apps.core.wakeups import send_wakeup
from apps.payments.enums import EventSource
from apps.payments.inbox import SWEEP_TASK, store
from apps.payments.providers.contract import payment_provider, provider_reader
from apps.payments.providers.parsing import read_at_door
from apps.subscriptions.enums import Provider

# Stripe forgets its events after this.
LOOKS_BACK = timedelta(days=30)


def webhook_events_reconcile(context: ExecutionContext, *, provider: Provider, now: datetime) -> dict[str, int]:
    """Store each event of the last 30 days that the inbox lacks, to be processed like any other.

    Counts: `listed`, `found` (missing until now), `unreadable` (passed over; the provider's log has them). All zero
    where no key is configured. Raises what the provider's client raises; what was stored before stays stored.
    """
    require(context, "jobs.reconcile_payments")
    counts = {"listed": 0, "found": 0, "unreadable": 0}
    reader, parser = provider_reader(provider), payment_provider(provider)
    for body in reader.list_events(now - LOOKS_BACK) if reader else ():
        counts["listed"] += 1
        try:
            event = read_at_door(json.dumps(body).encode())
        except MalformedRequestError:
            counts["unreadable"] += 1
            continue
        stored, _ = store(parser, event, source=EventSource.RECONCILIATION, request_id=context.request_id)
        counts["found"] += stored is not None
    if counts["found"]:
        send_wakeup(SWEEP_TASK)
    return counts
