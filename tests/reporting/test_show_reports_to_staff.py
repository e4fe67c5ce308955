"""Stored daily reports on the staff plane: by day, as files, with revisions that a colleague makes (spec 07, Pages)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import openpyxl
import pytest
from django.test import Client
from django.urls import reverse

from apps.core.enums import Role
from apps.core.models import AuditEntry, OutboxItem
from apps.reporting.mails import report_mail
from apps.reporting.models import DailyReport, ReportRecipient, ReportSchedule, RevenueTotal
from apps.reporting.rules.recipients import RecipientStatus
from apps.reporting.services import revenue_write, rollups_refresh
from apps.reporting.services.daily_reports import daily_report_make
from apps.reporting.services.report_mails import SEND_REPORT
from apps.reporting.services.schedules import schedules_prepare
from apps.tenants.models import Organization
from tests.backoffice.people import client_of
from tests.contexts import console_context
from tests.factories.tenants import make_staff, make_workspace
from tests.reporting.lives import at
from tests.reporting.test_balance_books import DAY, NOON, lead_a_life, old_place
from tests.reporting.test_write_revenue import sell

pytestmark = pytest.mark.django_db
NIGHT = NOON.replace(hour=2) + timedelta(days=1)
SHOWN = {"day": str(DAY)}


@pytest.fixture
def organization() -> Organization:
    """One that lived and paid, with its report and the platform's of the day."""
    place = old_place()
    lead_a_life(place)
    sell(place.organization, workspace_id=make_workspace(place.organization).pk)
    with at(NOON):
        schedules_prepare()
    ReportSchedule.objects.update(next_day=DAY, due_at=NIGHT)
    with at(NIGHT):
        rollups_refresh(console_context())
        revenue_write(console_context())
        for schedule in ReportSchedule.objects.all():
            daily_report_make(console_context(), schedule.pk)
    assert DailyReport.objects.filter(day=DAY).count() == ReportSchedule.objects.count()
    assert RevenueTotal.objects.filter(day=DAY).exists()
    return place.organization


@pytest.fixture
def staff() -> Client:
    return client_of(Role.BILLING_OPERATIONS)


def addresses(organization: Organization) -> Iterator[tuple[str, str]]:
    """The page and the dialog of the platform, and those of the organization."""
    yield reverse("admin:reports"), reverse("admin:revise_report")
    arguments = [organization.pk]
    yield (
        reverse("admin:tenants_organization_reports", args=arguments),
        reverse("admin:tenants_organization_revise_report", args=arguments),
    )


def text(client: Client, address: str, **query: str) -> str:
    answer = client.get(address, query)
    assert answer.status_code == 200
    return answer.content.decode()


def csv_of(client: Client, address: str, **query: str) -> list[dict[str, str]]:
    answer: Any = client.get(address, {**SHOWN, **query, "download": "csv"})
    assert answer.headers["Content-Type"].startswith("text/csv")
    body = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(body, newline="")))


@pytest.mark.slow
def test_a_report_is_shown_by_day_and_downloaded_as_it_was_made(organization: Organization, staff: Client) -> None:
    for address, _ in addresses(organization):
        page = text(staff, address)
        assert 'id="report-credits"' in page
        assert f'aria-label="Report of {DAY.day} {DAY:%B %Y}"' in page
        assert "There is no report for 1 January 2026" in text(staff, address, day="2026-01-01")
        assert "No report yet" not in page
        assert {row["day"] for row in csv_of(staff, address)} == {str(DAY)}
        book = staff.get(address, {**SHOWN, "download": "xlsx"})
        assert "Credits" in openpyxl.load_workbook(io.BytesIO(book.content)).sheetnames
        assert f"{DAY}.xlsx" in book.headers["Content-Disposition"]
        # An ending that there is not, and a day without a report, show the page.
        assert "summarize" in text(staff, address, download="exe")
        assert "There is no report for" in text(staff, address, day="2026-01-01", download="csv")
    customer = text(staff, reverse("admin:tenants_organization_change", args=[organization.pk]))
    assert reverse("admin:tenants_organization_reports", args=[organization.pk]) in customer


def test_an_organization_that_is_not_there_has_no_page(staff: Client) -> None:
    nobody = "00000000-0000-0000-0000-00000000ffff"
    for name in ("tenants_organization_reports", "tenants_organization_revise_report"):
        assert staff.get(reverse(f"admin:{name}", args=[nobody])).status_code == 404


@pytest.mark.slow
def test_a_colleague_makes_a_revision_once_however_often_the_button_is_pressed(
    organization: Organization, staff: Client
) -> None:
    with at(NOON):
        ReportRecipient.objects.create(
            organization=organization, email="a@b.example", status=RecipientStatus.ACTIVE, changed_at=NOON,
            created_at=NOON,
        )  # fmt: skip
    before = DailyReport.objects.count()
    for address, dialog in addresses(organization):
        asked = f"{dialog}?day={DAY}"
        assert 'name="after_revision" value="1"' in text(staff, dialog, **SHOWN)
        empty = staff.post(asked, {"step": "apply", "reason": " ", "after_revision": "1"})
        assert empty.status_code == 200
        done = {"step": "apply", "reason": "A rollup was repaired", "after_revision": "1"}
        answer = staff.post(asked, done)
        assert (answer.status_code, answer.headers["Location"]) == (302, f"{address}?day={DAY}")
        again = staff.post(asked, done).content.decode()
        assert "Revision 2 was made meanwhile" in again
        page = text(staff, address, **SHOWN)
        assert "What changed from revision 1" in page
        assert "A rollup was repaired" in page
        assert 'revision=1"' in page
        assert {row["revision"] for row in csv_of(staff, address, revision="1")} == {"1"}
    assert DailyReport.objects.count() == before + 2
    assert AuditEntry.objects.filter(event="daily_report.revised").count() == 2
    assert not OutboxItem.objects.filter(kind=SEND_REPORT).exists()
    mailed = {"step": "apply", "reason": "They asked for it", "after_revision": "2", "is_mailed": "on"}
    _, (_, dialog) = addresses(organization)
    assert staff.post(f"{dialog}?day={DAY}", mailed).status_code == 302
    assert OutboxItem.objects.filter(kind=SEND_REPORT).count() == 1


def test_without_a_report_the_dialog_says_so_and_makes_none(staff: Client) -> None:
    dialog = reverse("admin:revise_report")
    assert "There is no report of this day" in text(staff, dialog)
    answer = staff.post(dialog, {"step": "apply", "reason": "x", "after_revision": "1"})
    assert "There is no report for" in answer.content.decode()
    assert not DailyReport.objects.exists()


def test_support_reads_reports_without_revenue_and_makes_no_revision(organization: Organization, staff: Client) -> None:
    support, address = client_of(Role.SUPPORT), reverse("admin:reports")
    assert 'id="report-revenue"' in text(staff, address)
    assert "Revenue" in {row["section"] for row in csv_of(staff, address)}
    page = text(support, address)
    assert 'id="report-credits"' in page
    assert 'id="report-revenue"' not in page
    assert "Make a new revision" not in page
    assert "Revenue" not in {row["section"] for row in csv_of(support, address)}
    book = support.get(address, {**SHOWN, "download": "xlsx"})
    assert "Revenue" not in openpyxl.load_workbook(io.BytesIO(book.content)).sheetnames
    for _, dialog in addresses(organization):
        body = {"step": "apply", "reason": "x", "after_revision": "1"}
        assert support.post(f"{dialog}?day={DAY}", body).status_code == 403
    assert not DailyReport.objects.filter(revision=2).exists()


@pytest.mark.parametrize(("role", "is_told"), [(Role.SUPPORT, False), (Role.BILLING_OPERATIONS, True)])
def test_the_platforms_mail_leads_to_its_page_and_tells_revenue_to_whom_it_may(
    organization: Organization, role: Role, is_told: bool
) -> None:
    person = make_staff(role)
    with at(NIGHT):
        recipient = ReportRecipient.objects.create(
            user=person, email=person.email, status=RecipientStatus.ACTIVE, changed_at=NIGHT, created_at=NIGHT
        )
    mail = report_mail(DailyReport.objects.get(organization=None), recipient, to=person.email)
    assert f"{reverse('admin:reports')}?day={DAY}" in mail["text"]
    assert ("MRR" in mail["text"], "MRR" in mail["html"]) == (is_told, is_told)


def test_a_month_without_reports_is_shown_and_leads_on(staff: Client) -> None:
    page = text(staff, reverse("admin:reports"), month="2026-02-01")
    assert "February 2026" in page
    assert f"?month={date(2026, 3, 1)}" in page
