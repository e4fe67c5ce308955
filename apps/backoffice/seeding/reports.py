"""The daily reports of the last days, so that the first look finds some."""

from __future__ import annotations

from datetime import timedelta

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.jobs.record_errors import RecordErrors
from apps.reporting.models import ReportSchedule
from apps.reporting.services import revenue_write
from apps.reporting.services.daily_reports import reports_due, reports_make
from apps.reporting.services.schedules import schedules_prepare

DAYS = timedelta(days=6)


def seed_reports(context: ExecutionContext) -> None:
    """Begin the schedules some days ago, and make what is due since, as the hourly jobs do after a standstill."""
    with clock.as_of(clock.now() - DAYS):
        schedules_prepare()
    # Before the reports, which tell yesterday's revenue.
    revenue_write(context)
    errors, due = RecordErrors("daily reports"), reports_due()
    platform = set(ReportSchedule.objects.filter(organization=None).values_list("pk", flat=True))
    # The platform's last: it names the organizations whose reports are late.
    _make_all(context, [schedule_id for schedule_id in due if schedule_id not in platform], errors)
    _make_all(context, [schedule_id for schedule_id in due if schedule_id in platform], errors)
    errors.finish()


def _make_all(context: ExecutionContext, waiting: list[int], errors: RecordErrors) -> None:
    while waiting:
        waiting = reports_make(context, waiting, errors)
