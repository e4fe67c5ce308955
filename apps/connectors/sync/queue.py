"""The queue of sync runs, of which a month has one, and what is remembered of a month that was read (spec 06)."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F
from django.db.models.functions import Coalesce, Greatest

from apps.connectors.contracts import Month
from apps.connectors.enums import SyncStatus, SyncTrigger
from apps.connectors.models import Connector, MonthState, SyncRun
from apps.connectors.providers.registry import provider_classes
from apps.connectors.rules.months import (
    DEFAULT_LAG,
    MonthDecision,
    MonthFacts,
    MonthReading,
    MonthStatus,
    select_months,
)
from apps.connectors.selectors.connectors import first_month
from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.enums import AuthorizationSource
from apps.core.leases import Queue
from apps.core.moments import zone_of

RUN_TASK = "connectors.run_syncs"
SYNC_RUNS = Queue(
    SyncRun,
    waiting=SyncStatus.QUEUED,
    working=SyncStatus.RUNNING,
    lease=timedelta(seconds=60),
    beat=timedelta(seconds=15),
    claims="claims",
    starts_at_once=True,
)
# A month is read once a day at least, so that the quiet run before is not older.
_QUIET_RUNS_SINCE = timedelta(days=3)
NO_QUESTION = {"shrink_asked_at": None, "shrink_from": None, "shrink_to": None}
# After this a queued run is handed out again: its message was lost.
QUEUE_LEASE = timedelta(minutes=5)

_TRIGGERS = {
    AuthorizationSource.SCHEDULER: SyncTrigger.SCHEDULE,
    AuthorizationSource.CRON_TOKEN: SyncTrigger.CRON,
    # An operator at the console starts what cron would have started.
    AuthorizationSource.CONSOLE: SyncTrigger.CRON,
    AuthorizationSource.SERVICE_TOKEN: SyncTrigger.API,
}
# Callers from outside, by whose `actor.id` the guard checks before each page what they may still do.
_CHECKED_AGAIN = frozenset(
    {AuthorizationSource.SESSION, AuthorizationSource.SERVICE_TOKEN, AuthorizationSource.CRON_TOKEN}
)


def make_run(
    context: ExecutionContext, connector: Connector, decision: MonthDecision, expected_records: int | None = None
) -> SyncRun:
    """An unsaved run of the month, with its requester and why the month was chosen."""
    now = clock.now()
    return SyncRun(
        id=uuid.uuid4(),
        connector=connector,
        month=str(decision.month),
        # A job runs as the scheduler; the trigger is who started the job.
        trigger=_TRIGGERS.get(context.started_by or context.authorization_source, SyncTrigger.USER),
        reason=decision.why,
        expected_records=expected_records,
        was_final=decision.status is MonthStatus.FINAL or decision.reading.reopened_at is not None,
        actor_label=context.actor.label,
        actor_id=context.actor.id if context.authorization_source in _CHECKED_AGAIN else "",
        role=context.role,
        authorization_source=context.authorization_source,
        token_id=context.token_id,
        request_id=context.request_id,
        lease_expires_at=clock.real_now() + QUEUE_LEASE,
        created_at=now,
    )


def insert_runs(runs: Sequence[SyncRun]) -> set[uuid.UUID]:
    """Insert the runs whose month has no active run; returns their ids."""
    # The partial unique index decides, whoever else inserts at the same moment.
    SyncRun.objects.bulk_create(runs, ignore_conflicts=True, batch_size=1_000)
    return set(SyncRun.objects.filter(pk__in=[run.pk for run in runs]).values_list("pk", flat=True))


def month_facts(connectors: Sequence[Connector]) -> Mapping[UUID, MonthFacts]:
    """The input of the choice of months, in one query. The connectors must have workspace and organization loaded."""
    readings: dict[UUID, dict[Month, MonthReading]] = defaultdict(dict)
    for state in MonthState.objects.filter(connector__in=[connector.pk for connector in connectors]):
        readings[state.connector_id][Month.read(state.month)] = MonthReading(
            state.read_at, state.reopened_at, state.changed_at, state.shrink_asked_at, state.shrink_refused_at
        )
    return {connector.pk: _make_facts(connector, readings[connector.pk]) for connector in connectors}


def month_decisions(connector: Connector, now: datetime) -> list[MonthDecision]:
    """The decision about each month of the connector, oldest first."""
    return select_months(month_facts([connector])[connector.pk], now)


def _make_facts(connector: Connector, readings: dict[Month, MonthReading]) -> MonthFacts:
    zone = zone_of(connector.workspace.organization.time_zone)
    provider = provider_classes().get(connector.provider)
    return MonthFacts(
        zone=zone,
        settlement_lag=provider.settlement_lag if provider else DEFAULT_LAG,
        first_month=first_month(connector),
        readings=readings,
    )


def month_mark_read(run: SyncRun) -> None:
    """Record that the run has read its month completely, and whether that brought a change."""
    months = MonthState.objects.filter(connector=run.connector_id, month=run.month)
    MonthState.objects.get_or_create(connector_id=run.connector_id, month=run.month)
    # From when the run started: it may have missed what changed while it read.
    is_news = run.created or run.updated or run.voided
    changed_at = (Greatest if is_news else Coalesce)(F("changed_at"), run.started_at)
    read_at = Greatest(F("read_at"), run.started_at)
    months.update(read_at=read_at, changed_at=changed_at, shrink_refused_at=None, **NO_QUESTION)


def month_ask(run: SyncRun, *, records: int, remaining: int) -> None:
    """Remember that the run would make its month so small, until a person answers."""
    MonthState.objects.update_or_create(
        connector_id=run.connector_id,
        month=run.month,
        defaults={"shrink_asked_at": clock.now(), "shrink_from": records, "shrink_to": remaining},
    )


def delete_quiet_runs(run: SyncRun) -> None:
    """Leave of the connector's scheduled runs that changed nothing this one alone: the others tell nothing more."""
    quiet = {"created": 0, "updated": 0, "voided": 0, "status": SyncStatus.SUCCEEDED, "was_final": False}
    scheduled = SyncRun.objects.filter(connector=run.connector_id, trigger=SyncTrigger.SCHEDULE, **quiet)
    scheduled.filter(finished_at__gte=clock.now() - _QUIET_RUNS_SINCE).exclude(pk=run.pk).delete()
