"""The Usage page of a workspace, and the same as CSV (spec 07, Pages)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from apps.core import clock
from apps.core.exports import csv_lines
from apps.core.ids import WorkspaceId
from apps.core.moments import zone_of
from apps.core.replica import history_source
from apps.reporting.charts import FILE_COLUMNS, file_rows, plots_of
from apps.reporting.rules.windows import TimeWindow
from apps.reporting.selectors.usage_report import UsageReport, usage_report
from apps.reporting.spending import spending_of
from apps.tenants.models import Workspace
from apps.tenants.pages import BillingPage

_WHOLE = "organization"
_ROW_HEADS = {TimeWindow.LAST_MONTH: "Day", TimeWindow.LAST_SIX_MONTHS: "Week", TimeWindow.LAST_YEAR: "Month"}


class UsageBase(BillingPage):
    """What both ask of the address: the window, and whether the workspace or its whole organization is meant."""

    operations: ClassVar[dict[str, str]] = {"GET": "usage.read"}
    page = "usage"

    @property
    def window(self) -> TimeWindow:
        """The window of the address; the first where it names none that there is."""
        asked = self.request.GET.get("time_window", "")
        return TimeWindow(asked) if asked in TimeWindow.values else TimeWindow.LAST_MONTH

    @property
    def refusal(self) -> str:
        """Why the address can't be answered, in a sentence; empty where it can."""
        if self.request.GET.get("time_window", self.window.value) != self.window.value:
            return "There is no such time window. Choose one of these."
        if self.request.GET.get("of", _WHOLE) != _WHOLE:
            return "Choose this workspace, or the whole organization."
        return ""

    def refuse(self) -> HttpResponse:
        """422 with the sentence, and the windows to choose from."""
        facts = {**self.choices(), "refusal": self.refusal}
        return self.render("reporting/usage.html", facts, title="Usage", status=HTTPStatus.UNPROCESSABLE_ENTITY)

    def choices(self) -> dict[str, Any]:
        """The windows and scopes to choose from, with their queries."""
        return {
            "windows": [(self._query(window, is_whole=self.is_whole), window) for window in TimeWindow],
            "scopes": [
                (self._query(self.window, is_whole=is_whole), label, is_whole == self.is_whole)
                for is_whole, label in ((False, "This workspace"), (True, "Whole organization"))
            ],
            "window": self.window,
            "whole": self.is_whole,
            "query": self._query(self.window, is_whole=self.is_whole),
        }

    @staticmethod
    def _query(window: TimeWindow, *, is_whole: bool) -> str:
        return urlencode({"time_window": window.value, **({"of": _WHOLE} if is_whole else {})})

    @property
    def is_whole(self) -> bool:
        """Whether the organization is meant."""
        return self.request.GET.get("of") == _WHOLE

    def report(self) -> UsageReport:
        """The usage that the address asks for."""
        workspace_id = None if self.is_whole else WorkspaceId(self.workspace.pk)
        database = history_source(self.request).database
        return usage_report(self.organization_id, workspace_id, self.window, database=database)


class UsagePage(UsageBase):
    """Each operation and connector with a plot and a table; without usage and without prices, what to do next."""

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """The page; a window that there is not is answered with a sentence and without figures."""
        if self.refusal:
            return self.refuse()
        report = self.report()
        row_head = _ROW_HEADS[self.window]
        facts = {
            **self.choices(),
            "zone": report.zone,
            "is_other_zone": report.zone != self.workspace.organization.time_zone,
            "plots": plots_of(report),
            "spending": spending_of(report, self._workspaces(), row_head) if report.lines else None,
            "row_head": row_head,
        }
        return self.render("reporting/usage.html", facts, title="Usage")

    def _workspaces(self) -> dict[UUID, str]:
        """The names of the workspaces where the whole organization is meant."""
        if not self.is_whole:
            return {}
        return dict(Workspace.objects.filter(organization=self.organization_id).values_list("pk", "name"))


class UsageExport(UsageBase):
    """The figures of the page as CSV."""

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse | StreamingHttpResponse:
        """200 with the file; an address that can't be is answered by the page that explains it."""
        if self.refusal:
            return self.refuse()
        report = self.report()
        name = f"usage-{workspace_slug}-{clock.now().astimezone(zone_of(report.zone)):%Y-%m-%d}.csv"
        return StreamingHttpResponse(
            csv_lines(FILE_COLUMNS, file_rows(report)),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
