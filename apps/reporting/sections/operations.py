"""Operations: what the machinery could not do, and the audit chains' heads (spec 07, Daily report; platform only)."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta

from django.db.models import Count

from apps.core import clock
from apps.core.models import AuditChain, JobRun
from apps.core.outbox import outbox_alarming
from apps.core.states import JobRunStatus, OutboxStatus
from apps.payments.enums import WebhookStatus
from apps.payments.models import WebhookEvent
from apps.reporting.models import ReportSchedule
from apps.reporting.rules.document import Group, Line, ReportScope, Section, Unit, Window
from apps.reporting.sections.links import of_window, staff_link
from apps.reporting.sections.registry import section

# A run, or a report, that has waited this long is late.
_LATE = timedelta(hours=1)


@section("operations", order=60, of_organizations=False)
def read_operations(scope: ReportScope, day: date, window: Window) -> Section:
    """As it stands; jobs that failed in the window."""
    return Section("operations", "Operations", (_parked(), *_jobs(window), _heads()))


def _parked() -> Group:
    lines = []
    for status, label in ((WebhookStatus.FAILED, "Parked events"), (WebhookStatus.UNMATCHED, "Unmatched events")):
        count = WebhookEvent.objects.filter(status=status).count()
        link = staff_link("payments_webhookevent", status=status.value)
        lines.append(Line(f"webhook_{status}", label, count, link=link, is_alarm=count > 0))
    parked = outbox_alarming().count()
    link = staff_link("core_outboxitem", status=OutboxStatus.PARKED.value, dismissed="no")
    lines.append(Line("outbox_parked", "Failed outgoing calls", parked, link=link, is_alarm=parked > 0))
    return Group("parked", "Waiting for a person", tuple(lines))


def _jobs(window: Window) -> tuple[Group, Group]:
    now = clock.now()
    link = staff_link("core_jobrun")
    failed = JobRun.objects.filter(status=JobRunStatus.FAILED, created_at__gte=window.start, created_at__lt=window.end)
    by_name = failed.order_by("name").values_list("name").annotate(count=Count("pk"))
    days = of_window("created_at", window)
    failed_lines = tuple(
        Line(
            name,
            name,
            count,
            link=staff_link("core_jobrun", name=name, status=JobRunStatus.FAILED.value, **days),
            is_alarm=True,
        )
        for name, count in by_name
    )
    open_states = [JobRunStatus.QUEUED, JobRunStatus.RUNNING]
    late = JobRun.objects.filter(status__in=open_states, lease_expires_at__isnull=False, created_at__lt=now - _LATE)
    late_by_name = late.order_by("name").values_list("name").annotate(count=Count("pk"))
    late_lines = [
        Line(name, name, count, link=staff_link("core_jobrun", name=name), is_alarm=True)
        for name, count in late_by_name
    ]
    overdue = ReportSchedule.objects.filter(due_at__lt=now - 2 * _LATE, organization__closed_at=None).exclude(
        organization=None
    )
    count = overdue.count()
    late_lines.append(Line("reports", "Daily reports not made yet", count, link=link, is_alarm=count > 0))
    return (
        Group("failed_jobs", "Jobs that failed", failed_lines, link, empty="No job failed."),
        Group("late_jobs", "Late", tuple(late_lines), link),
    )


def _heads() -> Group:
    """The platform's own chain by its hash; all chains by one digest.

    The digest is SHA-256 over a line `organization sequence hash` for each chain, in the order of the organizations'
    ids, the platform's first as `-`.
    """
    chains = AuditChain.objects.order_by("organization_id").values_list("organization_id", "last_sequence", "last_hash")
    digest, count, entries = hashlib.sha256(), 0, 0
    platform = (0, "")
    rows = sorted(chains, key=lambda row: str(row[0] or ""))
    for organization_id, sequence, last_hash in rows:
        if organization_id is None:
            platform = (sequence, last_hash)
        digest.update(f"{organization_id or '-'} {sequence} {last_hash}\n".encode())
        count, entries = count + 1, entries + sequence
    link = staff_link("core_auditentry")
    note = f"{count:,} chains, {entries:,} entries"
    return Group(
        "audit_heads",
        "Audit chains",
        (
            Line("platform", "The platform's head", platform[1], Unit.TEXT, link=link, note=f"entry {platform[0]:,}"),
            Line("all", "All heads, as one digest", digest.hexdigest(), Unit.TEXT, link=link, note=note),
        ),
    )
