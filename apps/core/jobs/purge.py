"""The jobs `purge-history` and `purge-payloads`, and what the core itself keeps no longer than it must (spec 14)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from apps.core.context import ExecutionContext
from apps.core.jobs.registry import job, jobs
from apps.core.models import IdempotencyRecord, JobRun, OutboxItem
from apps.core.old_answers import reduce_answer
from apps.core.retention import (
    AT_ONCE,
    PURGE_HISTORY,
    PURGE_PAYLOADS,
    Retention,
    delete_portions,
    keep_for,
    mark_of,
    mark_read,
    purge,
)
from apps.core.states import JobRunStatus, OutboxStatus

_RUNS_OVER = (JobRunStatus.SUCCEEDED, JobRunStatus.FAILED, JobRunStatus.SKIPPED)
_CALLS_OVER = (OutboxStatus.DONE, OutboxStatus.SUPPRESSED)
_ANSWERS = "answers"


@job(PURGE_HISTORY, operation="jobs.purge_history", every=timedelta(days=1), offset=timedelta(hours=3, minutes=30))
def purge_history(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Remove what is past its time, whichever the slot: one run makes up for every missed night.

    History is the installation's: of all organizations at once, demos too.
    """
    return purge(PURGE_HISTORY)


@job(PURGE_PAYLOADS, operation="jobs.purge_payloads", every=timedelta(days=1), offset=timedelta(hours=3, minutes=50))
def purge_payloads(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Drop what old rows hold beyond their id and outcome, of all organizations at once."""
    return purge(PURGE_PAYLOADS)


def _old_runs(before: datetime) -> QuerySet[JobRun]:
    """But for the last success of each job, and its last slot, from which missed ones are counted."""
    kept: set[UUID | None] = set()
    for definition in jobs():
        runs = JobRun.objects.filter(name=definition.name)
        succeeded = runs.filter(status=JobRunStatus.SUCCEEDED).order_by("-created_at")
        kept.add(succeeded.values_list("pk", flat=True).first())
        kept.add(runs.filter(slot_at__isnull=False).order_by("-slot_at").values_list("pk", flat=True).first())
    old = JobRun.objects.filter(created_at__lt=before, status__in=_RUNS_OVER)
    return old.exclude(pk__in=kept - {None}).order_by("created_at")


def _old_calls(before: datetime) -> QuerySet[OutboxItem]:
    """A parked one waits for a person, however old it is, until it is dismissed."""
    is_over = Q(status__in=_CALLS_OVER) | Q(status=OutboxStatus.PARKED, dismissed_at__lt=before)
    old = OutboxItem.objects.filter(is_over, created_at__lt=before, finished_at__lt=before)
    return old.order_by("created_at")


def _old_answers(before: datetime) -> QuerySet[IdempotencyRecord]:
    return IdempotencyRecord.objects.filter(pk__gt=mark_read(_ANSWERS).number, created_at__lt=before)


def _reduce_answers(before: datetime) -> Iterator[int]:
    """In the order of ids, which is that of time but for transactions that overtook; stops at the first young one."""
    while True:
        with transaction.atomic():
            mark = mark_of(_ANSWERS)
            rows = list(IdempotencyRecord.objects.filter(pk__gt=mark.number).order_by("pk")[:AT_ONCE])
            old = rows[: next((place for place, row in enumerate(rows) if row.created_at >= before), len(rows))]
            changed = []
            for row in old:
                reduced = reduce_answer(row)
                if reduced != row.answer:
                    row.answer = reduced
                    changed.append(row)
            IdempotencyRecord.objects.bulk_update(changed, ["answer"], batch_size=AT_ONCE)
            if old:
                mark.number = old[-1].pk
                mark.save(update_fields=["number"])
        if not old:
            return
        yield len(changed)


keep_for(
    Retention(
        "job_runs",
        PURGE_HISTORY,
        "KEEP_JOB_RUNS_DAYS",
        JobRun,
        portions=lambda before: delete_portions(_old_runs(before)),
        due=_old_runs,
    )
)
keep_for(
    Retention(
        "outgoing_calls",
        PURGE_HISTORY,
        "KEEP_OUTBOX_DAYS",
        OutboxItem,
        portions=lambda before: delete_portions(_old_calls(before)),
        due=_old_calls,
    )
)
keep_for(
    Retention(
        _ANSWERS,
        PURGE_PAYLOADS,
        "KEEP_ANSWERS_DAYS",
        IdempotencyRecord,
        portions=_reduce_answers,
        due=_old_answers,
        removed="what can be read from its entry",
    )
)
