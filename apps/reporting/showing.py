"""What the pages of daily reports show, the tenant's and those of staff: a month of days, one report, its files."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from apps.core.moments import MomentError, read_day
from apps.reporting.exports import document_csv, document_workbook
from apps.reporting.models import DailyReport
from apps.reporting.rules.calendar import month_of
from apps.reporting.rules.document import Document, read_document
from apps.reporting.rules.presenting import changes_between, chapters_of, day_in_words, made_in_words
from apps.reporting.sections.registry import withhold_sections
from apps.reporting.selectors.reports import days_with_reports, latest_day, revisions_of

_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_ENDINGS = ("csv", "xlsx")


def asked_day(request: HttpRequest, name: str = "day") -> date | None:
    """The day of the address under this name; None where it names none."""
    with suppress(MomentError):
        return read_day(request.GET.get(name, ""))
    return None


@dataclass(frozen=True, slots=True)
class ShownReport:
    """The report that an address asks for, with the revisions of its day; `may` says which sections the reader sees."""

    organization_id: UUID | None
    day: date | None
    revisions: list[DailyReport]
    report: DailyReport | None
    may: Callable[[str], bool]
    database: str = DEFAULT_DB_ALIAS

    def document(self, report: DailyReport) -> Document:
        """The document of a revision, without what the reader may not see."""
        return withhold_sections(read_document(report.document), self.may)

    def facts(self, today: date, month: date | None = None) -> dict[str, Any]:
        """What the templates of `templates/reporting/` take; `month` is shown, else that of the day, else this one."""
        shown = month_of(month or self.day or today, ())
        days = days_with_reports(self.organization_id, shown.first, shown.last, self.database)
        facts: dict[str, Any] = {
            "month": month_of(shown.first, days),
            "has_later_month": shown.after <= today,
            "day": self.day,
            "day_in_words": day_in_words(self.day) if self.day else "",
            "report": self.report,
            "revisions": self.revisions,
        }
        if self.report is None:
            return facts
        document = self.document(self.report)
        before = next((one for one in self.revisions if one.revision == self.report.revision - 1), None)
        return {
            **facts,
            "document": document,
            "chapters": chapters_of(document),
            "made": made_in_words(document),
            "changes": changes_between(self.document(before), document) if before else [],
        }

    def file(self, ending: str, name: str) -> HttpResponseBase | None:
        """The report as "csv" (streamed) or "xlsx", made now; None without a report, or for another ending."""
        if self.report is None or ending not in _ENDINGS:
            return None
        document, revision = self.document(self.report), self.report.revision
        response: HttpResponseBase
        if ending == "csv":
            response = StreamingHttpResponse(document_csv(document, revision), content_type="text/csv; charset=utf-8")
        else:
            response = HttpResponse(document_workbook(document, revision), content_type=_WORKBOOK)
        file_name = f"daily-report-{name}-{self.report.day:%Y-%m-%d}.{ending}"
        response.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
        return response


def shown_report(
    request: HttpRequest,
    organization_id: UUID | None,
    may: Callable[[str], bool],
    *,
    usual: date | None = None,
    database: str = DEFAULT_DB_ALIAS,
) -> ShownReport:
    """The `revision` of the `day` that the address asks for, else the newest of it; without a day that of `usual`, else
    the newest day."""
    day = asked_day(request) or usual or latest_day(organization_id, database)
    revisions = revisions_of(organization_id, day, database) if day is not None else []
    asked = request.GET.get("revision", "")
    report = next((one for one in revisions if str(one.revision) == asked), revisions[0] if revisions else None)
    return ShownReport(organization_id, day, revisions, report, may, database)
