"""A Google sheet as the target of daily reports: one row a day, found by its date, and no report lost (spec 07)."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from http import HTTPStatus

import pytest

from apps.connectors.providers.google_sheets import GoogleSheetsProvider
from apps.core import clock
from apps.core.models import AuditEntry, OutboxItem
from apps.core.outbox_handlers import EMAIL_KIND
from apps.core.states import OutboxStatus
from apps.reporting.exports import SHEET_COLUMNS
from apps.reporting.models import DailyReport, ReportSheet
from apps.reporting.services.daily_reports import daily_report_revise
from apps.reporting.services.report_sheets import WRITE_ROW, report_sheet_claim, report_sheet_release
from tests.connectors.cast import make_connector
from tests.connectors.providers.stand_in import reply
from tests.connectors.web import Web
from tests.contexts import staff_context
from tests.factories.tenants import make_organization, make_workspace
from tests.reporting.google_sheet import serial
from tests.reporting.lives import at
from tests.reporting.mailboxes import DAY
from tests.reporting.office import Office

pytestmark = pytest.mark.django_db
_DAY = timedelta(days=1)
# The outbox waits longer after each failed try.
LATER = timedelta(hours=3)


def test_an_admin_chooses_a_tab_and_each_day_is_one_row(office: Office) -> None:
    assert office.choose().status_code == HTTPStatus.FOUND
    for _ in range(3):
        office.report()
        office.drain()
    assert office.sheet.tabs["Daily reports"][0] == list(SHEET_COLUMNS)
    assert office.days() == [DAY, DAY + _DAY, DAY + 2 * _DAY]
    first = office.sheet.rows()[0]
    assert (first["Credits left"], first["Credits used"], first["Revision"]) == (100, 0, 1)
    assert f"day={DAY}" in first["Report"]
    assert office.sheet.tabs["Usage"] == []
    assert office.target.written_day == DAY + 2 * _DAY
    assert "Written" in office.page()
    assert AuditEntry.objects.filter(event="report_sheet.chosen").count() == 1


def test_a_tab_chosen_later_begins_with_the_newest_report(office: Office) -> None:
    office.report()
    office.report()
    office.choose()
    office.drain()
    assert office.days() == [DAY + _DAY]


def test_repeating_overwrites_the_row_of_the_day_wherever_it_stands(office: Office) -> None:
    office.choose()
    office.report()
    office.report()
    office.drain()
    rows = office.sheet.tabs["Daily reports"]
    rows[1:] = sorted(rows[1:], key=lambda row: int(row[0]), reverse=True)  # by hand
    with at(office.now):
        daily_report_revise(
            staff_context(), organization_id=office.house.organization.pk, day=DAY, reason="A rollup was repaired"
        )
    office.drain()
    OutboxItem.objects.filter(kind=WRITE_ROW).update(status=OutboxStatus.PENDING, finished_at=None)
    office.drain()
    assert office.days() == [DAY + _DAY, DAY]
    assert [row["Revision"] for row in office.sheet.rows()] == [1, 2]


def test_moved_columns_are_followed_and_those_of_others_left_alone(office: Office) -> None:
    columns = ["Our notes", *reversed(SHEET_COLUMNS)]
    columns[3] = f"  {columns[3].upper()} "
    typed = ["read", *[None] * len(SHEET_COLUMNS)]
    typed[columns.index("Date")] = DAY.isoformat()  # as a text
    office.sheet.tabs["Daily reports"] = [columns, typed]
    office.choose()
    office.report()
    office.report()
    office.drain()
    _, first, second = office.sheet.tabs["Daily reports"]
    assert (first[0], first[columns.index("Date")]) == ("read", DAY.isoformat())
    assert (second[0], second[columns.index("Date")]) == (None, serial(DAY + _DAY))
    for row in (first, second):
        assert row[columns.index("Credits left")] == 100


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("rename", "has no sheet 'Daily reports'; it has Usage, Renamed"),
        ("delete", "has no sheet 'Daily reports'; it has Usage"),
        ("column", "names no column Credits left"),
        ("twice", "has two columns Credits left"),
        ("removed", "The connector was removed"),
        ("disabled", "is not enabled"),
        ("404", "no longer there"),
        ("403", "the right to edit"),
    ],
)
@pytest.mark.slow
def test_what_can_not_be_written_is_told_once_and_made_up_for(office: Office, web: Web, what: str, told: str) -> None:
    office.choose()
    office.report()
    office.drain()
    whole, before = deepcopy(office.sheet.tabs), len(office.sheet.changes)
    office.break_by(what, web)
    for _ in range(2):
        office.report()
        office.drain()
    assert len(office.sheet.changes) == before
    assert told in office.target.problem
    assert office.target.missed_from == DAY + _DAY
    assert DailyReport.objects.filter(organization=office.house.organization).count() == 3
    assert set(OutboxItem.objects.filter(kind=WRITE_ROW).values_list("status", flat=True)) == {OutboxStatus.DONE}
    (mail,) = OutboxItem.objects.filter(kind=EMAIL_KIND)
    assert mail.payload["to"] == ["admin@house.example"]
    assert told in mail.payload["text"]
    assert "missing in the sheet" in office.page()
    # Mended: the next row brings the missed ones after it.
    office.mend(web, whole)
    office.report()
    office.drain()
    office.drain()
    assert sorted(office.days()) == [DAY + number * _DAY for number in range(4)]
    assert office.target.problem == ""
    assert ReportSheet.objects.filter(missed_from=None).exists()


def test_a_button_writes_what_is_missing(office: Office) -> None:
    office.choose()
    kept = office.sheet.tabs.pop("Daily reports")
    office.report()
    office.report()
    office.drain()
    assert office.target.missed_from == DAY
    office.sheet.tabs["Daily reports"] = kept
    assert office.post(sheet="again").status_code == HTTPStatus.FOUND
    office.drain()
    assert sorted(office.days()) == [DAY, DAY + _DAY]
    assert office.target.problem == ""


@pytest.mark.parametrize("is_late", [False, True], ids=["before the change", "after the change"])
def test_a_busy_google_is_asked_again_and_the_day_stays_one_row(office: Office, is_late: bool) -> None:
    office.choose()
    office.report()
    office.drain()
    office.report()
    office.sheet.stops, office.sheet.is_late = reply({}, 503), is_late
    office.drain()
    item = OutboxItem.objects.filter(kind=WRITE_ROW).latest("created_at")
    assert (item.status, office.target.problem) == (OutboxStatus.PENDING, "")
    office.now += LATER
    office.drain()
    assert office.days() == [DAY, DAY + _DAY]


def test_one_row_is_written_at_a_time_and_a_dead_writer_lets_go(office: Office) -> None:
    office.choose()
    office.report()
    target = office.target
    assert report_sheet_claim(target.pk) is not None
    assert report_sheet_claim(target.pk) is None
    office.drain()
    assert office.sheet.tabs["Daily reports"] == []
    ReportSheet.objects.update(busy_until=clock.real_now())
    assert report_sheet_claim(target.pk) is not None
    report_sheet_release(target.pk)
    office.drain()
    assert office.days() == [DAY]


def test_a_connector_that_may_only_read_is_refused_with_the_way_to_allow_it(office: Office) -> None:
    office.authorize(*GoogleSheetsProvider.oauth_scopes)
    answer = office.choose()
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    body = answer.content.decode()
    assert "may only read so far" in body
    assert f"?connector={office.connector.pk}&amp;write=1" in body
    assert not ReportSheet.objects.exists()


@pytest.mark.parametrize(
    "values",
    [{"tab": " "}, {"tab": "it's"}, {"tab": "x" * 101}, {"connector": "none"}, {"connector": "of another"}],
    ids=str,
)
def test_what_is_no_tab_or_no_connector_of_ours_is_refused_and_changes_nothing(
    office: Office, values: dict[str, str]
) -> None:
    entries = AuditEntry.objects.count()
    if values.get("connector") == "of another":
        values = {"connector": str(make_connector(make_workspace(make_organization()), provider="google_sheets").pk)}
    known = {"sheet": "choose", "connector": str(office.connector.pk), "tab": "Daily reports"}
    assert office.post(**{**known, **values}).status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not ReportSheet.objects.exists()
    assert AuditEntry.objects.filter(event="report_sheet.chosen").count() == 0
    assert AuditEntry.objects.count() >= entries


def test_after_stopping_no_row_follows_and_those_there_stay(office: Office) -> None:
    office.choose()
    office.report()
    office.drain()
    office.report()
    for _ in range(2):
        assert office.post(sheet="remove").status_code == HTTPStatus.FOUND
    office.drain()
    office.report()
    office.drain()
    assert office.days() == [DAY]
    assert office.post(sheet="again").status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert AuditEntry.objects.filter(event="report_sheet.removed").count() == 1
