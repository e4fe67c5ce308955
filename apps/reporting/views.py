"""The Usage page of a workspace, and the same as CSV (spec 07, Pages)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.exports import csv_lines
from apps.core.ids import WorkspaceId
from apps.core.moments import zone_of
from apps.reporting.charts import FILE_COLUMNS, file_rows, plots_of
from apps.reporting.rules.usage import plain, total
from apps.reporting.rules.windows import TimeWindow
from apps.reporting.selectors.usage import CreditUsage
from apps.reporting.selectors.usage_report import UsageReport, usage_report
from apps.tenants.models import Workspace
from apps.tenants.pages import BillingPage

_WHOLE = "organization"


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
    def is_whole(self) -> bool:
        """Whether the organization is meant."""
        return self.request.GET.get("of") == _WHOLE

    def report(self) -> UsageReport:
        """The usage that the address asks for."""
        workspace_id = None if self.is_whole else WorkspaceId(self.workspace.pk)
        return usage_report(self.organization_id, workspace_id, self.window)


class UsagePage(UsageBase):
    """Each operation and connector with a plot and a table; without usage and without prices, what to do next."""

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """The page."""
        report = self.report()
        facts = {
            "windows": [(self._query(window, is_whole=self.is_whole), window) for window in TimeWindow],
            "scopes": [
                (self._query(self.window, is_whole=is_whole), label, is_whole == self.is_whole)
                for is_whole, label in ((False, "This workspace"), (True, "Whole organization"))
            ],
            "window": self.window,
            "query": self._query(self.window, is_whole=self.is_whole),
            "zone": report.zone,
            "is_other_zone": report.zone != self.workspace.organization.time_zone,
            "plots": plots_of(report),
            "shares": self._shares(report.lines) if self.is_whole else (),
            "row_head": {"lastMonth": "Day", "lastSixMonths": "Week", "lastYear": "Month"}[self.window],
        }
        return self.render("reporting/usage.html", facts, title="Usage")

    @staticmethod
    def _query(window: TimeWindow, *, is_whole: bool) -> str:
        return urlencode({"time_window": window.value, **({"of": _WHOLE} if is_whole else {})})

    def _shares(self, lines: Sequence[CreditUsage]) -> list[tuple[str, int, str]]:
        """Runs and credits of each workspace, and of what no workspace has."""
        names: Mapping[Any, str] = dict(
            Workspace.objects.filter(organization=self.organization_id).values_list("pk", "name")
        )
        shares: dict[Any, list[CreditUsage]] = {}
        for line in lines:
            shares.setdefault(line.workspace_id if line.workspace_id in names else None, []).append(line)
        rows = [
            (
                names.get(key, "Not tied to a workspace"),
                sum(line.count for line in found),
                plain(total(Decimal(line.charge) for line in found) / MICRO),
            )
            for key, found in shares.items()
        ]
        return sorted(rows)


class UsageExport(UsageBase):
    """The figures of the page as CSV."""

    def get(self, request: HttpRequest, workspace_slug: str) -> StreamingHttpResponse:
        """200 with the file."""
        report = self.report()
        name = f"usage-{workspace_slug}-{clock.now().astimezone(zone_of(report.zone)):%Y-%m-%d}.csv"
        return StreamingHttpResponse(
            csv_lines(FILE_COLUMNS, file_rows(report)),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
