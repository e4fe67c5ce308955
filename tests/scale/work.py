"""The jobs, each when it has done its work and finds nothing new; reports; and what every queue's workers ask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

from apps.core import clock
from apps.core.context import system_context
from apps.core.enums import AuthorizationSource
from apps.core.ids import RequestId
from apps.core.jobs import JobDefinition, jobs
from apps.core.leases import QUEUES, Queue
from apps.credits.services.books import BooksAtFaultError
from apps.reporting.models import ReportSchedule
from apps.reporting.services.daily_reports import daily_report_make, reports_due
from apps.tenants.models import Organization
from tests.contexts import console_context
from tests.scale.asked import Asked, subject
from tests.scale.measure import undone

_OFTEN = timedelta(minutes=5)


def job_runs() -> Iterator[Asked]:
    """Each job, for all organizations. One that is fired every few minutes must find nothing as cheaply as a page."""
    for definition in jobs():
        group = "page" if definition.cadence.every <= _OFTEN else "all"
        yield Asked(f"job {definition.name}", group, partial(_run, definition))


def _run(definition: JobDefinition) -> int:
    context = system_context(AuthorizationSource.SCHEDULER, name=definition.name, request_id=RequestId("scale"))
    slot = definition.cadence.slot_at(clock.now())
    # The audit entries are copies of one, so that their chains do not hold; all is read and sealed nevertheless.
    with suppress(BooksAtFaultError):
        definition.run(context, slot=slot, organization_id=None, include_demo=False)
    return 0


def reports() -> Iterator[Asked]:
    """The next daily report of the hot organization, of another one, and of the platform."""
    reports_due()
    ordinary = Organization.objects.get(slug="scale-2").pk
    for name, organization_id in (("hot", subject(Organization)), ("ordinary", ordinary), ("platform", None)):
        schedule = ReportSchedule.objects.get(organization=organization_id)
        ReportSchedule.objects.filter(pk=schedule.pk).update(
            due_at=clock.now() - timedelta(hours=1), next_day=clock.now().date() - timedelta(days=1)
        )
        yield Asked(f"report {name}", "report" if organization_id else "all", partial(_report, schedule.pk))


def _report(schedule_id: int) -> int:
    def make() -> None:
        assert daily_report_make(console_context(), schedule_id) is not None

    undone(make)
    return 0


def claims() -> Iterator[Asked]:
    """What a worker of each queue asks when nothing is due, among many rows that wait for their time."""
    for name, queue in QUEUES.items():
        yield Asked(f"claim {name}", "claim", partial(_claim, queue))


def _claim(queue: Queue[Any]) -> int:
    return len(queue.claim())
