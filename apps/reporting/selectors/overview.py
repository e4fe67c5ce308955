"""What the Overview page shows first: what this month cost against the last, and what needs a person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from apps.connectors.enums import ConnectorStatus, SyncStatus
from apps.connectors.models import Connector, MonthState, SyncRun
from apps.connectors.selectors.connectors import connectors_of_workspace
from apps.core import clock
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.moments import zone_of
from apps.reporting.models import DailyReport
from apps.reporting.rules.document import read_document
from apps.reporting.selectors.usage import CreditUsage, Span, ZoneChangedError, credit_usage, zone_of_rollups


@dataclass(frozen=True, slots=True)
class MonthAgainstLast:
    """Credits charged this month up to today, last month up to the same day, and in all of last month."""

    so_far: int
    same_days: int
    whole: int
    until: date


def month_against_last(organization_id: OrganizationId) -> MonthAgainstLast:
    """What the organization was charged, in micro-credits, by the days of the rollups' zone."""
    try:
        return _read(organization_id)
    except ZoneChangedError:
        return _read(organization_id)


def _read(organization_id: OrganizationId) -> MonthAgainstLast:
    zone = zone_of_rollups(organization_id)
    today = clock.now().astimezone(zone_of(zone)).date()
    first = today.replace(day=1)
    last = (first - timedelta(days=1)).replace(day=1)
    lines = credit_usage(Span(organization_id, None, zone, last, today + timedelta(days=1)))
    # Of a longer month than the last one, the last day stands against all of it.
    until = min(last + timedelta(days=today.day), first)
    return MonthAgainstLast(
        so_far=_charged(line for line in lines if line.day >= first),
        same_days=_charged(line for line in lines if line.day < until),
        whole=_charged(line for line in lines if line.day < first),
        until=today,
    )


@dataclass(frozen=True, slots=True)
class LastReport:
    """The latest daily report: its day, and how many of its figures somebody should look at."""

    day: date
    alarms: int


def last_report(organization_id: OrganizationId) -> LastReport | None:
    """The organization's latest daily report in its latest revision; None before the first."""
    row = DailyReport.objects.filter(organization=organization_id).order_by("-day", "-revision").first()
    return LastReport(row.day, read_document(row.document).alarms) if row else None


def _charged(lines: Iterable[CreditUsage]) -> int:
    return sum(line.charge for line in lines)


@dataclass(frozen=True, slots=True)
class ConnectorTrouble:
    """A connector that a person should look at: it is off, its last sync failed, or a month waits for an answer."""

    connector: Connector
    is_failing: bool
    waits_for_answer: bool


def connectors_in_trouble(workspace_id: WorkspaceId) -> list[ConnectorTrouble]:
    """Those of the workspace that somebody should look at. One that a person disabled is off by will."""
    rows = list(connectors_of_workspace(workspace_id).exclude(status=ConnectorStatus.DISABLED))
    failing, waiting = _failing(rows), _waiting(rows)
    return [
        ConnectorTrouble(row, row.pk in failing, row.pk in waiting)
        for row in rows
        if row.status != ConnectorStatus.ENABLED or row.pk in failing or row.pk in waiting
    ]


def _failing(rows: Iterable[Connector]) -> set[UUID]:
    """Those whose latest sync failed."""
    latest = SyncRun.objects.filter(connector__in=[row.pk for row in rows], finished_at__isnull=False)
    newest = latest.order_by("connector", "-finished_at").distinct("connector")
    return {connector for connector, status in newest.values_list("connector", "status") if status == SyncStatus.FAILED}


def _waiting(rows: Iterable[Connector]) -> set[UUID]:
    asked = MonthState.objects.filter(connector__in=[row.pk for row in rows], shrink_asked_at__isnull=False)
    return set(asked.values_list("connector", flat=True))
