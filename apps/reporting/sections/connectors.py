"""Connectors: what stands still and why, what failed, and which months are not final yet (spec 07, Daily report)."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from itertools import islice

from django.db.models import Count, QuerySet

from apps.connectors.contracts import Month
from apps.connectors.enums import ConnectorStatus, SyncStatus
from apps.connectors.models import Connector, SyncRun
from apps.connectors.rules.months import MonthDecision, MonthStatus, select_months
from apps.connectors.sync.queue import month_facts
from apps.core import clock
from apps.core.pieces import in_pieces
from apps.reporting.rules.document import MOST_LINES, Group, Line, ReportScope, Section, Unit, Window
from apps.reporting.sections.links import page_link, staff_link
from apps.reporting.sections.registry import section
from apps.reporting.sections.scoping import day_of_zone, list_group, name_of, within

_DAY = timedelta(days=1)
_AT_ONCE = 500
_WORKSPACE = "workspace__organization"


@section("connectors", order=40)
def read_connectors(scope: ReportScope, day: date, window: Window) -> Section:
    """As it stands, with the failed syncs of the window."""
    now = clock.now()
    own = Connector.objects.filter(
        within(scope, _WORKSPACE), removed_at__isnull=True, workspace__organization__closed_at=None
    ).select_related(_WORKSPACE)
    groups = [_auto_disabled(scope, own), _to_authorize(scope, own), _failed(scope, window)]
    if scope.is_platform:
        groups.extend((_silent(scope, own, now), _open_months_of_all(own, now)))
    else:
        groups.append(_open_months(scope, own, now))
    return Section("connectors", "Connectors", tuple(groups))


def _auto_disabled(scope: ReportScope, own: QuerySet[Connector]) -> Group:
    stopped = own.filter(status=ConnectorStatus.AUTO_DISABLED).order_by("workspace", "name", "pk")
    return list_group(
        "auto_disabled",
        "Auto-disabled",
        stopped,
        lambda connector: _line(scope, connector, connector.get_auto_disable_reason_display()),
        link=_list_link(scope),
        empty="No connector is auto-disabled.",
    )


def _to_authorize(scope: ReportScope, own: QuerySet[Connector]) -> Group:
    waiting = own.filter(status=ConnectorStatus.NEEDS_REAUTHORIZATION).order_by("workspace", "name", "pk")
    return list_group(
        "needs_authorization",
        "Waiting for a person to authorize them again",
        waiting,
        lambda connector: _line(scope, connector, "The provider no longer lets us in."),
        link=_list_link(scope),
        empty="No connector waits for it.",
    )


def _failed(scope: ReportScope, window: Window) -> Group:
    """By connector; of the platform by what went wrong."""
    runs = SyncRun.objects.filter(status=SyncStatus.FAILED, finished_at__gte=window.start, finished_at__lt=window.end)
    if scope.organization_id is None:
        # A run that ended in the window was made at most some days before: the newest rows, whatever lies behind them.
        recent = runs.filter(within(scope, f"connector__{_WORKSPACE}"), created_at__gte=window.start - 7 * _DAY)
        counts = recent.order_by("error_code").values_list("error_code").annotate(count=Count("pk"))
        lines = [
            Line(code, code, count, link=staff_link("connectors_connector"), is_alarm=True) for code, count in counts
        ]
    else:
        connectors = Connector.objects.filter(within(scope, _WORKSPACE)).select_related(_WORKSPACE).in_bulk()
        failed = dict(runs.filter(connector__in=list(connectors)).values_list("connector").annotate(count=Count("pk")))
        lines = [_line(scope, connectors[pk], "", failed[pk]) for pk in sorted(failed)]
    return Group(
        "failed", "Failed syncs", tuple(lines[:MOST_LINES]), _list_link(scope), max(len(lines) - MOST_LINES, 0)
    )


def _open_months(scope: ReportScope, own: QuerySet[Connector], now: datetime) -> Group:
    """The months that have ended and are not final, the oldest first."""
    connectors = list(own.filter(status=ConnectorStatus.ENABLED).order_by("pk"))
    facts = month_facts(connectors)
    found: list[tuple[MonthDecision, Connector]] = [
        (decision, connector)
        for connector in connectors
        for decision in select_months(facts[connector.pk], now)
        if decision.status is MonthStatus.SETTLING
    ]
    found.sort(key=lambda pair: (pair[0].ends_at, str(pair[1].pk)))
    lines = [
        Line(
            f"{connector.pk}/{decision.month}",
            f"{_name(scope, connector)}: {decision.month}",
            (now - decision.ends_at) // _DAY,
            Unit.DAYS,
            link=_connector_link(scope, connector),
            note=decision.why,
        )
        for decision, connector in found
    ]
    title = "Months that have ended and are still open, with the days since"
    return Group(
        "open_months",
        title,
        tuple(lines[:MOST_LINES]),
        _list_link(scope),
        max(len(lines) - MOST_LINES, 0),
        "All are final.",
    )


def _open_months_of_all(own: QuerySet[Connector], now: datetime) -> Group:
    """The months that are not final, with how many connectors have each open; the oldest first."""
    ended: dict[Month, datetime] = {}
    connectors: Counter[Month] = Counter()
    rows = in_pieces(own.filter(status=ConnectorStatus.ENABLED))
    while some := list(islice(rows, _AT_ONCE)):
        facts = month_facts(some)
        for connector in some:
            for decision in select_months(facts[connector.pk], now):
                if decision.status is MonthStatus.SETTLING:
                    connectors[decision.month] += 1
                    ended[decision.month] = min(ended.get(decision.month, now), decision.ends_at)
    link = staff_link("connectors_connector", status=ConnectorStatus.ENABLED.value)
    lines = tuple(
        Line(
            str(month),
            str(month),
            (now - ended[month]) // _DAY,
            Unit.DAYS,
            link=link,
            note=f"{connectors[month]:,} {'connector' if connectors[month] == 1 else 'connectors'}",
        )
        for month in sorted(connectors)
    )
    title = "Months that have ended and are still open, with the days since"
    left_out = max(len(lines) - MOST_LINES, 0)
    return Group("open_months", title, lines[:MOST_LINES], link, left_out, "All are final.")


def _silent(scope: ReportScope, own: QuerySet[Connector], now: datetime) -> Group:
    """Those that should run and have brought nothing for two days; their months stay open as long."""
    silent = own.filter(status=ConnectorStatus.ENABLED, last_success_at__lt=now - 2 * _DAY)

    def line(connector: Connector) -> Line:
        since = connector.last_success_at or now
        note = f"last read on {day_of_zone(scope, since)}"
        return Line(
            str(connector.pk),
            _name(scope, connector),
            (now - since) // _DAY,
            Unit.DAYS,
            link=_connector_link(scope, connector),
            note=note,
            is_alarm=True,
        )

    rows = silent.order_by("last_success_at", "pk")
    return list_group("silent", "Enabled and not read for two days: their months stay open", rows, line)


def _line(scope: ReportScope, connector: Connector, note: str, count: int = 1) -> Line:
    label = _name(scope, connector)
    link = _connector_link(scope, connector)
    return Line(str(connector.pk), label, count, link=link, note=note, is_alarm=True)


def _name(scope: ReportScope, connector: Connector) -> str:
    return f"{name_of(scope, connector.workspace.organization, connector.workspace)}, {connector.name}"


def _connector_link(scope: ReportScope, connector: Connector) -> str:
    if scope.is_platform:
        return staff_link("connectors_connector", connector.pk)
    return page_link(scope, "billing-connector", connector.pk, slug=connector.workspace.slug)


def _list_link(scope: ReportScope) -> str:
    return staff_link("connectors_connector") if scope.is_platform else page_link(scope, "billing-connectors")
