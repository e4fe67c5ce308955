"""Finds the events that were never delivered, by the provider's own list of them (spec 04, Webhooks).

A pass goes page by page from now back to where the pass before it began. After each page the cursor is stored: whatever
dies goes on there, and storing an event twice stores it once.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from apps.core.context import ExecutionContext
from apps.core.errors import MalformedRequestError
from apps.core.failpoints import failpoint
from apps.core.moments import MomentError, read_seconds
from apps.core.operations import require
from apps.core.wakeups import send_wakeup
from apps.payments.enums import EventSource
from apps.payments.inbox import SWEEP_TASK, store
from apps.payments.models import ReconciliationCursor
from apps.payments.providers.contract import (
    EventPage,
    ProviderCallError,
    ProviderReader,
    payment_provider,
    provider_reader,
)
from apps.payments.providers.parsing import read_at_door
from apps.subscriptions.enums import Provider

# Stripe forgets its events after this.
LOOKS_BACK = timedelta(days=30)
# A list may show an event a little after it happened.
_OVERLAP = timedelta(hours=1)
# Of a hundred events each: more than a month of a busy account.
_MOST_PAGES = 1_000


def webhook_events_reconcile(
    context: ExecutionContext, *, provider: Provider, now: datetime, most_pages: int = _MOST_PAGES
) -> dict[str, int]:
    """Store each event that the inbox lacks, to be processed like any other; goes on where the last run stopped.

    Counts: `listed`, `found` (missing until now), `unreadable` (passed over; the provider's log has them), and
    `unfinished` (1: the pass goes on with the next run). All zero where no key is configured. Raises what the
    provider's client raises; what was compared before stays compared.
    """
    require(context, "jobs.reconcile_payments")
    counts = Counter({"listed": 0, "found": 0, "unreadable": 0, "unfinished": 0})
    reader = provider_reader(provider)
    if reader is None:
        return dict(counts)
    cursor = _begun(provider, now)
    try:
        for _ in range(most_pages):
            page = _read_page(reader, cursor)
            failpoint("reconciliation.after_fetch")
            _compare(context, cursor, page, counts)
            failpoint("reconciliation.after_step")
            if cursor.done_until == now - _OVERLAP:
                break
            cursor = _begun(provider, now)  # an interrupted pass may be over: then what came since it began
        counts["unfinished"] = int(cursor.begun_at is not None)
    finally:
        if counts["found"]:
            send_wakeup(SWEEP_TASK)
    return dict(counts)


def _begun(provider: Provider, now: datetime) -> ReconciliationCursor:
    """The cursor with a pass under way: the one that was interrupted, or a new one that ends with `now`."""
    cursor, _ = ReconciliationCursor.objects.get_or_create(provider=provider)
    if cursor.begun_at is None:
        oldest = now - LOOKS_BACK
        cursor.since = max(oldest, cursor.done_until) if cursor.done_until else oldest
        cursor.begun_at, cursor.until = now, max(now, cursor.since)
        cursor.after, cursor.reached_at = "", None
        cursor.save()
    return cursor


def _read_page(reader: ProviderReader, cursor: ReconciliationCursor) -> EventPage:
    if cursor.since is None or cursor.until is None:
        raise RuntimeError("No pass is under way.")
    try:
        return reader.list_events(cursor.since, until=cursor.until, after=cursor.after)
    except ProviderCallError as error:
        if not (error.is_permanent and cursor.after and cursor.reached_at):
            raise
        # The provider has forgotten the event that we stopped at. Its moment still says where that was.
        cursor.after, cursor.until = "", max(cursor.since, cursor.reached_at)
        return reader.list_events(cursor.since, until=cursor.until, after="")


@transaction.atomic
def _compare(context: ExecutionContext, cursor: ReconciliationCursor, page: EventPage, counts: Counter[str]) -> None:
    """Store what the inbox lacks of the page, and the cursor behind it."""
    parser = payment_provider(Provider(cursor.provider))
    for body in page.events:
        counts["listed"] += 1
        try:
            event = read_at_door(json.dumps(body).encode())
        except MalformedRequestError:
            counts["unreadable"] += 1
            continue
        stored, _ = store(parser, event, source=EventSource.RECONCILIATION, request_id=context.request_id)
        counts["found"] += stored is not None
    after, reached_at = _place_of(page.events)
    cursor.reached_at = reached_at or cursor.reached_at
    if page.has_more and after:
        cursor.after = after
    else:
        if cursor.begun_at is not None:
            cursor.done_until = cursor.begun_at - _OVERLAP
        cursor.begun_at = cursor.since = cursor.until = None
        cursor.after = ""
    cursor.save()


def _place_of(events: Sequence[dict[str, Any]]) -> tuple[str, datetime | None]:
    if not events:
        return "", None
    last = events[-1]
    try:
        return str(last.get("id") or ""), read_seconds(last.get("created"))
    except MomentError:
        return str(last.get("id") or ""), None
