"""The jobs of payments: the inbox each minute, grace every five (spec 04; spec 08, Celery)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.core.jobs import job
from apps.core.models import JobRun
from apps.core.retention import AT_ONCE, PURGE_PAYLOADS, Retention, keep_for, mark_of, mark_read
from apps.core.states import JobRunStatus, JobTrigger
from apps.payments.enums import WebhookStatus, WhyKept
from apps.payments.grace import end_due_grace_periods, remind_before_grace_ends, start_overdue_grace
from apps.payments.models import WebhookEvent
from apps.payments.selectors.inbox import BODY_DROPPED
from apps.payments.services import credits_follow, usage_report, webhook_events_reconcile, webhook_inbox_sweep
from apps.subscriptions.enums import Provider

# What was written before a run looked may have become visible only after it.
_LONGEST_TRANSACTION = timedelta(hours=1)
_BODIES = "webhook_bodies"


@job("sweep-inbox", operation="jobs.sweep_inbox", every=timedelta(minutes=1), max_attempts=1)
def sweep_inbox(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Process what is due in the inbox, whichever the slot: the sure way; messages to the workers are the quick one."""
    return webhook_inbox_sweep(context, organization_id=organization_id)


@job("end-grace-periods", operation="jobs.end_grace_periods", every=timedelta(minutes=5))
def end_grace_periods(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Start by due dates, end and remind. Looks at rows, so that one run after an outage does it all."""
    now = clock.now()
    overdue = start_overdue_grace(context, now=now, organization_id=organization_id, include_demo=include_demo)
    try:
        counts = end_due_grace_periods(context, now=now, organization_id=organization_id, include_demo=include_demo)
    finally:
        # One that can't be ended keeps nobody from being reminded of their own.
        soon = remind_before_grace_ends(context, now=now, organization_id=organization_id, include_demo=include_demo)
    return {**counts, "started": overdue, "ending_soon": soon}


@job("track-credits", operation="jobs.track_credits", every=timedelta(minutes=5))
def track_credits(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Record grants and exhausted accounts, and stop or restore connectors, of the accounts that moved.

    Refusals move no account: they are looked at since the last successful run, all of them for one organization.
    """
    since = None if organization_id or include_demo else _last_success("track-credits")
    return credits_follow(context, since=since, organization_id=organization_id, include_demo=include_demo)


def _last_success(name: str) -> datetime | None:
    runs = JobRun.objects.filter(name=name, trigger=JobTrigger.SCHEDULE, status=JobRunStatus.SUCCEEDED)
    started_at = runs.order_by("-slot_at").values_list("started_at", flat=True).first()
    return started_at - _LONGEST_TRANSACTION if started_at else None


@job("report-usage", operation="jobs.report_usage", every=timedelta(hours=1), offset=timedelta(minutes=20))
def report_usage(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Put new usage into the outbox for Orb. Looks at positions, so that one run after an outage does it all."""
    return usage_report(context, organization_id=OrganizationId(organization_id) if organization_id else None)


@job("reconcile-payments", operation="jobs.reconcile_payments", every=timedelta(days=1), offset=timedelta(hours=3))
def reconcile_payments(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Find the events that were never delivered. For all organizations at once: the provider's list is not by them."""
    counts: dict[str, int] = {}
    for provider in Provider:
        found = webhook_events_reconcile(context, provider=provider, now=clock.now())
        counts |= {f"{provider.value}_{name}": count for name, count in found.items()}
    return counts


def _old_bodies(before: datetime) -> QuerySet[WebhookEvent]:
    """Of events that are over: one that is kept for a person may still be processed. Those dismissed late come too."""
    behind = mark_read(_BODIES).moment
    over = WebhookEvent.objects.filter(
        status__in=(WebhookStatus.PROCESSED, WebhookStatus.IGNORED), received_at__lt=before
    )
    if behind is not None:
        over = over.filter(Q(received_at__gte=behind) | Q(reason=WhyKept.DISMISSED))
    return over.exclude(BODY_DROPPED)


def _drop_bodies(before: datetime) -> Iterator[int]:
    while True:
        with transaction.atomic():
            mark = mark_of(_BODIES)
            portion = list(_old_bodies(before).order_by("received_at").values_list("pk", "received_at")[:AT_ONCE])
            WebhookEvent.objects.filter(pk__in=[pk for pk, _ in portion]).update(body=None, payload={})
            if portion:
                mark.moment = max(portion[-1][1], mark.moment or portion[-1][1])
                mark.save(update_fields=["moment"])
        if not portion:
            return
        yield len(portion)


keep_for(
    Retention(
        _BODIES,
        PURGE_PAYLOADS,
        "KEEP_WEBHOOK_BODIES_DAYS",
        WebhookEvent,
        portions=_drop_bodies,
        due=_old_bodies,
        removed="body",
    )
)
