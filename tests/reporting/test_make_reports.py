"""Each day of each organization is reported once, oldest first, and never changed (spec 07, Daily report)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, transaction

from apps.core.amounts import MICRO
from apps.core.errors import ForbiddenError, NotFoundError, UnprocessableError
from apps.core.models import AuditEntry, OutboxItem
from apps.core.states import OutboxStatus
from apps.credits.services import credits_consume
from apps.reporting.jobs import daily_reports
from apps.reporting.models import DailyReport, ReportRecipient, ReportSchedule
from apps.reporting.rules.document import Document, Line, ReportScope, Window, read_document
from apps.reporting.rules.presenting import changes_between
from apps.reporting.rules.recipients import RecipientStatus
from apps.reporting.sections.credits import read_credits
from apps.reporting.services import rollups_refresh
from apps.reporting.services.daily_reports import daily_report_revise
from apps.reporting.services.report_mails import SEND_REPORT
from apps.tenants.models import Organization
from tests.contexts import console_context, staff_context
from tests.credits.cast import Place, consumption, make_place
from tests.factories.tenants import make_organization, make_workspace
from tests.reporting.lives import at

pytestmark = pytest.mark.django_db

DAY = date(2026, 11, 2)
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)

PLATFORM = ReportScope(None, "Platform", "UTC")
WINDOW = Window(datetime(2026, 11, 3, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC))


def begin(zone: str = "UTC", **values: Any) -> Place:
    """An organization of the day before, with a workspace and 10,000 credits."""
    with at(NOON - timedelta(days=1)):
        place = make_place(whole_credits=10_000)
        Organization.objects.filter(pk=place.organization.pk).update(time_zone=zone, created_at=NOON, **values)
        make_workspace(place.organization, "One")
    return place


def use(place: Place, moment: datetime, whole: int = 7, occurred_at: datetime | None = None) -> None:
    with at(moment):
        asked = consumption(place, operation="unit", quantity=whole * MICRO, occurred_at=occurred_at or moment)
        credits_consume(place.context, consumption=asked)


def run(moment: datetime, organization_id: UUID | None) -> dict[str, int]:
    with at(moment):
        rollups_refresh(console_context())
        return daily_reports(console_context(), slot=moment, organization_id=organization_id, include_demo=False)


def reports(place: Place) -> list[DailyReport]:
    return list(DailyReport.objects.filter(organization=place.organization).order_by("day", "revision"))


def document_of(report: DailyReport) -> Document:
    return read_document(report.document)


def line(document: Document, section: str, group: str, key: str) -> Line:
    found = next(one for one in document.sections if one.key == section)
    lines = next(one.lines for one in found.groups if one.key == group)
    return next(one for one in lines if one.key == key)


@pytest.mark.parametrize(
    ("zone", "due"),
    [
        ("UTC", datetime(2026, 11, 3, 1, tzinfo=UTC)),
        ("Pacific/Kiritimati", datetime(2026, 11, 2, 11, tzinfo=UTC)),
        ("America/Los_Angeles", datetime(2026, 11, 3, 9, tzinfo=UTC)),
        ("Asia/Kathmandu", datetime(2026, 11, 2, 19, 15, tzinfo=UTC)),
    ],
)
def test_a_report_is_made_an_hour_after_the_organizations_own_midnight(zone: str, due: datetime) -> None:
    place = begin(zone)
    Organization.objects.filter(pk=place.organization.pk).update(created_at=due - timedelta(hours=12))
    run(due - timedelta(seconds=1), place.organization.pk)
    assert reports(place) == []
    assert run(due, place.organization.pk) == {"due": 1, "made": 1}
    (report,) = reports(place)
    assert (report.day, report.revision) == (DAY, 1)
    assert run(due, place.organization.pk) == {"due": 0, "made": 0}
    assert len(reports(place)) == 1


def test_missed_days_are_caught_up_oldest_first_each_with_its_own_figures() -> None:
    place = begin()
    for day, whole in ((2, 7), (3, 11), (5, 2)):
        use(place, datetime(2026, 11, day, 15, tzinfo=UTC), whole)
    run(datetime(2026, 11, 2, 18, tzinfo=UTC), place.organization.pk)  # the schedule begins
    assert run(datetime(2026, 11, 6, 2, tzinfo=UTC), place.organization.pk) == {"due": 1, "made": 4}
    made = reports(place)
    assert [report.day.day for report in made] == [2, 3, 4, 5]
    assert sorted(made, key=lambda report: report.created_at) == made
    figures = [line(document_of(report), "credits", "consumed", "total") for report in made]
    assert [found.value for found in figures] == [7 * MICRO, 11 * MICRO, 0, 2 * MICRO]
    assert [found.compared[0].value for found in figures] == [0, 7 * MICRO, 11 * MICRO, 0]
    assert figures[3].compared[1].value == 640_000  # 18 credits in 28 days, rounded once to hundredths
    balances = [line(document_of(report), "credits", "standing", "balance").value for report in made]
    assert balances == [9_993 * MICRO, 9_982 * MICRO, 9_982 * MICRO, 9_980 * MICRO]
    for earlier, later in pairwise(made):
        assert earlier.window_end == later.window_start


def test_late_news_stand_in_the_report_of_the_day_they_arrived() -> None:
    place = begin()
    run(datetime(2026, 11, 2, 18, tzinfo=UTC), place.organization.pk)
    run(datetime(2026, 11, 3, 2, tzinfo=UTC), place.organization.pk)
    (first,) = reports(place)
    use(place, datetime(2026, 11, 3, 9, tzinfo=UTC), 5, occurred_at=datetime(2026, 11, 2, 9, tzinfo=UTC))
    run(datetime(2026, 11, 4, 2, tzinfo=UTC), place.organization.pk)
    same, second = reports(place)
    assert same.document == first.document
    late = line(document_of(second), "credits", "late", "2026-11-02")
    assert (late.label, late.value) == ("Late, for 2 November", 5 * MICRO)
    assert line(document_of(second), "credits", "consumed", "total").value == 5 * MICRO
    everybody = [
        {one.key: (one.label, one.value) for group in read_credits(PLATFORM, day, WINDOW).groups for one in group.lines}
        for day in (date(2026, 11, 2), date(2026, 11, 3))
    ]
    assert [found.get("2026-11-02") for found in everybody] == [None, ("Late, for 2 November", 5 * MICRO)]


def test_a_report_is_frozen_and_a_person_adds_a_revision_that_says_what_changed() -> None:
    place = begin()
    run(datetime(2026, 11, 2, 18, tzinfo=UTC), place.organization.pk)
    run(datetime(2026, 11, 3, 2, tzinfo=UTC), place.organization.pk)
    (report,) = reports(place)
    with pytest.raises(DatabaseError), transaction.atomic():
        DailyReport.objects.filter(pk=report.pk).update(document={})
    with pytest.raises(DatabaseError), transaction.atomic():
        report.delete()
    entries = AuditEntry.objects.count()
    of_place: dict[str, Any] = {"organization_id": place.organization.pk, "day": DAY}
    with pytest.raises(UnprocessableError):
        daily_report_revise(staff_context(), **of_place, reason=" ")
    with pytest.raises(NotFoundError):
        daily_report_revise(staff_context(), organization_id=place.organization.pk, day=date(2026, 11, 9), reason="x")
    with pytest.raises(ForbiddenError):
        daily_report_revise(place.context, **of_place, reason="x")
    assert (len(reports(place)), AuditEntry.objects.count()) == (1, entries)
    Organization.objects.filter(pk=place.organization.pk).update(name="Renamed")
    use(place, datetime(2026, 11, 3, 9, tzinfo=UTC), 5)
    with at(datetime(2026, 11, 3, 10, tzinfo=UTC)):
        revised = daily_report_revise(staff_context(), **of_place, reason="A rollup was repaired")
    first, second = reports(place)
    assert (first.document, second.revision, second.reason) == (report.document, 2, "A rollup was repaired")
    assert (second.window_start, second.window_end) == (first.window_start, first.window_end)
    changes = changes_between(document_of(first), document_of(revised))
    of_credits = [change.where for change in changes if change.where.startswith("Credits, ")]
    assert of_credits == ["Credits, Balance: Lasts for"]
    assert AuditEntry.objects.filter(event="daily_report.revised", target_id=str(revised.pk)).count() == 1
    # The job goes on with the next day as if nothing had happened.
    run(datetime(2026, 11, 4, 2, tzinfo=UTC), place.organization.pk)
    assert [(one.day.day, one.revision) for one in reports(place)] == [(2, 1), (2, 2), (3, 1)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [({"is_synthetic": True}, 0), ({"closed_at": NOON}, 0), ({}, 1)],
    ids=["synthetic", "closed", "real"],
)
def test_who_gets_reports(values: dict[str, Any], expected: int) -> None:
    place = begin(**values)
    run(datetime(2026, 11, 2, 18, tzinfo=UTC), place.organization.pk)
    run(datetime(2026, 11, 3, 2, tzinfo=UTC), place.organization.pk)
    assert len(reports(place)) == expected


def test_a_demo_organization_has_reports_and_gets_no_mail() -> None:
    with at(NOON):
        demo = make_organization(is_demo=True)
        make_workspace(demo, "One")
        recipient = ReportRecipient.objects.create(
            organization=demo, email="a@b.example", status=RecipientStatus.ACTIVE, changed_at=NOON, created_at=NOON
        )
    Organization.objects.filter(pk=demo.pk).update(created_at=NOON)
    run(datetime(2026, 11, 2, 18, tzinfo=UTC), demo.pk)
    run(datetime(2026, 11, 3, 2, tzinfo=UTC), demo.pk)
    assert DailyReport.objects.filter(organization=demo).count() == 1
    (item,) = OutboxItem.objects.filter(kind=SEND_REPORT)
    assert (item.payload["recipient_id"], item.status) == (str(recipient.pk), OutboxStatus.SUPPRESSED)


@pytest.mark.slow
def test_a_new_zone_neither_loses_nor_repeats_a_moment() -> None:
    place = begin("Pacific/Kiritimati")
    run(datetime(2026, 11, 1, 12, tzinfo=UTC), place.organization.pk)
    run(datetime(2026, 11, 2, 11, tzinfo=UTC), place.organization.pk)
    moment = datetime(2026, 11, 2, 11, tzinfo=UTC)
    for zone in ("Pacific/Pago_Pago", "Europe/Berlin", "Pacific/Kiritimati", "America/Havana"):
        Organization.objects.filter(pk=place.organization.pk).update(time_zone=zone)
        for _ in range(60):
            moment += timedelta(hours=1)
            run(moment, place.organization.pk)
    made = reports(place)
    assert [report.day for report in made] == [made[0].day + timedelta(days=number) for number in range(len(made))]
    assert len(made) >= 9
    for earlier, later in pairwise(made):
        assert earlier.window_end == later.window_start
    assert {report.document["scope"]["zone"] for report in made} >= {"Pacific/Pago_Pago", "Europe/Berlin"}


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
@pytest.mark.slow
def test_a_zone_that_changes_at_midnight_itself_counts_the_moment_once(zone: str) -> None:
    place = begin("UTC")
    midnight = datetime(2026, 11, 3, tzinfo=UTC)
    run(datetime(2026, 11, 2, 18, tzinfo=UTC), place.organization.pk)
    use(place, midnight - timedelta(microseconds=1), 5)
    use(place, midnight, 7)
    with at(midnight):
        Organization.objects.filter(pk=place.organization.pk).update(time_zone=zone)
    for hours in range(60):
        run(midnight + timedelta(hours=hours), place.organization.pk)
    made = reports(place)
    assert [report.day for report in made] == [DAY + timedelta(days=number) for number in range(len(made))]
    assert len(made) >= 2
    for earlier, later in pairwise(made):
        assert earlier.window_end == later.window_start
    used = [line(document_of(report), "credits", "consumed", "total").value for report in made]
    late = [
        late.value
        for report in made
        for section in report.document["sections"]
        for group in section["groups"]
        if group["key"] == "late"
        for late in [line(document_of(report), "credits", "late", one["key"]) for one in group["lines"]]
    ]
    assert sum(int(value or 0) for value in [*used, *late]) >= 12 * MICRO
    assert sum(int(value or 0) for value in used) == 12 * MICRO


def test_the_platforms_report_knows_real_organizations_alone() -> None:
    place = begin()
    demo = begin()
    use(place, NOON, 7)
    use(demo, NOON, 900)
    with at(NOON):
        # The nature of an organization never changes; the report reads it, so that a synthetic one stands in for both.
        Organization.objects.filter(pk=demo.organization.pk).update(is_synthetic=True)
    with at(datetime(2026, 11, 2, 18, tzinfo=UTC)):
        ReportSchedule.objects.create(zone="UTC", next_day=DAY, due_at=datetime(2026, 11, 3, 1, tzinfo=UTC))
    from apps.reporting.services.daily_reports import daily_report_make  # noqa: PLC0415

    with at(datetime(2026, 11, 3, 2, tzinfo=UTC)):
        made = daily_report_make(console_context(), ReportSchedule.objects.get(organization=None).pk)
    assert made is not None
    assert line(document_of(made.report), "credits", "consumed", "total").value == 7 * MICRO
    assert line(document_of(made.report), "credits", "standing", "balance").value == 9_993 * MICRO
