"""Two beats, killed workers and lost messages: each organization has each day once, with its mails (spec 07)."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from apps.core.failpoints import FAILPOINTS, Failpoint
from apps.core.models import OutboxItem
from apps.reporting import jobs
from apps.reporting.models import DailyReport, ReportRecipient, ReportSchedule
from apps.reporting.rules.recipients import RecipientStatus
from apps.reporting.services.daily_reports import reports_due
from apps.reporting.services.report_mails import SEND_REPORT
from apps.reporting.services.schedules import schedules_prepare
from apps.tenants.models import Organization
from tests.contexts import console_context
from tests.core.processes import dies_at, kill, started
from tests.factories.tenants import make_organization, make_workspace
from tests.reporting.lives import at
from tests.sizes import size

KILLS = size(small=8, full=200)
ORGANIZATIONS = size(small=25, full=10_000)
DAYS = 2
MADE = datetime(2026, 11, 2, 12, tzinfo=UTC)
# Two whole days later.
NOW = datetime(2026, 11, 4, 2, tzinfo=UTC)
PLACES = [place for place in FAILPOINTS if place.startswith("reports.")]

pytestmark = pytest.mark.django_db(transaction=True)


def settle(count: int) -> None:
    """Organizations that have been there for two days, each with one recipient."""
    with at(MADE):
        organizations = [make_organization(f"House {number}") for number in range(count)]
        for organization in organizations:
            make_workspace(organization)
        Organization.objects.update(created_at=MADE)
        ReportRecipient.objects.bulk_create(
            ReportRecipient(
                organization=organization,
                email="a@b.example",
                status=RecipientStatus.ACTIVE,
                changed_at=MADE,
                created_at=MADE,
            )
            for organization in organizations
        )
        schedules_prepare()
    ReportSchedule.objects.filter(organization=None).delete()


def make_all() -> None:
    """What a worker does with the message of one beat: everything that is due."""
    with at(NOW):
        due = [
            schedule_id
            for schedule_id in reports_due()
            if ReportSchedule.objects.filter(pk=schedule_id).exclude(organization=None)
        ]
        if due:
            jobs.make_reports(",".join(map(str, due)))


def assert_once(count: int) -> None:
    reports = DailyReport.objects.exclude(organization=None)
    assert reports.count() == count * DAYS
    assert reports.values("organization", "day").distinct().count() == count * DAYS
    assert OutboxItem.objects.filter(kind=SEND_REPORT).count() == count * DAYS


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.slow
def test_a_worker_that_dies_leaves_a_whole_report_or_none(place: Failpoint) -> None:
    settle(2)
    assert dies_at(place, make_all)
    reports, mails = DailyReport.objects.count(), OutboxItem.objects.filter(kind=SEND_REPORT).count()
    assert reports == mails == (1 if place == "reports.after_commit" else 0)
    make_all()
    assert_once(2)


@pytest.mark.prove("daily reports: two beats and kill -9 at random moments, each day once", size=KILLS)
def test_two_beats_and_kills_make_each_report_once() -> None:
    settle(ORGANIZATIONS)
    chance = random.Random(5)  # noqa: S311 - it need not be secret, it must repeat
    for _ in range(KILLS):
        beats = [started(make_all) for _ in range(2)]
        time.sleep(chance.uniform(0.05, 0.4))
        for beat in beats:
            kill(beat)
    survivors = [started(make_all) for _ in range(2)]
    for survivor in survivors:
        survivor.join()
    # What a killed session still held was let go meanwhile.
    make_all()
    assert_once(ORGANIZATIONS)


def test_without_the_schedules_lock_the_table_itself_refuses_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    settle(1)
    make_all()
    report = DailyReport.objects.exclude(organization=None).earliest("day")
    values: dict[str, Any] = {
        field.attname: getattr(report, field.attname) for field in DailyReport._meta.fields if field.name != "id"
    }
    with pytest.raises(IntegrityError), transaction.atomic():
        DailyReport.objects.create(**values)
    assert_once(1)


def test_a_lost_message_is_made_up_by_the_next_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    settle(3)
    sent: list[str] = []

    def lose(task: str, ids: str) -> bool:
        sent.append(ids)
        return len(sent) > 1

    monkeypatch.setattr(jobs, "send_wakeup", lose)
    with at(NOW):
        first = jobs.daily_reports(console_context(), slot=NOW, organization_id=None, include_demo=False)
        assert first["handed_out"] == 0
    with at(NOW + timedelta(minutes=30)):
        again = jobs.daily_reports(console_context(), slot=NOW, organization_id=None, include_demo=False)
    assert (again["due"], again["handed_out"]) == (first["due"], 1)
    assert sent[0] == sent[1]
