"""All daily reports of 10,000 organizations are made within the hour on two cores (spec 07, Volumes)."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core import clock
from apps.core.jobs.record_errors import RecordErrors
from apps.core.models import OutboxItem
from apps.reporting import jobs
from apps.reporting.models import DailyReport, ReportRecipient, ReportSchedule
from apps.reporting.rules.recipients import RecipientStatus
from apps.reporting.services import rollups_refresh
from apps.reporting.services.daily_reports import reports_due, reports_make
from apps.reporting.services.report_mails import SEND_REPORT
from apps.tenants.models import Organization
from tests.contexts import console_context
from tests.core.processes import started
from tests.reporting.lives import at
from tests.scale.build import build
from tests.sizes import size

pytestmark = pytest.mark.django_db(transaction=True)

# Four of five belong to 10,000 organizations, 400 each, one a day.
ENTRIES = size(small=8_000, full=5_000_000)
CORES = 2
MOST_STATEMENTS = 40


def noon(*, days: int) -> datetime:
    """The middle of the day that is so many days from today: the day before is due then, whatever the hour is now."""
    return clock.now().replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=days)


def settle() -> int:
    """A database of years, rolled up, in which each organization's report of yesterday is due; their number."""
    build(ENTRIES)
    while rollups_refresh(console_context())["entries"]:
        pass
    now = clock.now()
    ReportRecipient.objects.bulk_create(
        ReportRecipient(
            organization=organization,
            email="a@b.example",
            status=RecipientStatus.ACTIVE,
            changed_at=now,
            created_at=now,
        )
        for organization in Organization.objects.filter(is_synthetic=False)
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return ReportRecipient.objects.count()


@pytest.mark.prove("all daily reports on two cores, organizations of 400 days", size=ENTRIES)
def test_all_reports_of_a_night_are_made_within_the_hour(capsys: pytest.CaptureFixture[str]) -> None:
    count = settle()
    with at(noon(days=1)):
        due = reports_due()
    ReportSchedule.objects.filter(organization=None).delete()
    due = list(ReportSchedule.objects.filter(pk__in=due).values_list("pk", flat=True))
    assert len(due) == count
    lists = [due[start : start + jobs.REPORTS_A_TASK] for start in range(0, count, jobs.REPORTS_A_TASK)]

    def make(core: int) -> None:
        with at(noon(days=1)):
            for some in lists[core::CORES]:
                jobs.make_reports(",".join(map(str, some)))

    began = time.monotonic()
    workers = [started(lambda core=core: make(core)) for core in range(CORES)]  # type: ignore[misc]
    for worker in workers:
        worker.join()
    seconds = time.monotonic() - began
    made = DailyReport.objects.exclude(organization=None)
    assert made.values("organization").distinct().count() == made.count() == count
    assert OutboxItem.objects.filter(kind=SEND_REPORT, status="pending").count() == count
    with capsys.disabled():
        print(f"\n{count:,} reports in {seconds:,.0f} s, {CORES} processes, {ENTRIES:,} entries")
    assert_as_many_statements_each()


def assert_as_many_statements_each() -> None:
    """The next day's reports: so many statements each, whichever the organization."""
    with at(noon(days=2)):
        due = reports_due()[:5]
        counts = []
        for schedule_id in due:
            with CaptureQueriesContext(connection) as seen:
                reports_make(console_context(), [schedule_id], RecordErrors("reports"))
            counts.append(len(seen))
    assert max(counts) <= MOST_STATEMENTS
