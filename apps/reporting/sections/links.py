"""The links from a report's figures to the lists behind them: tenant pages, or staff pages for the platform's."""

from __future__ import annotations

from datetime import UTC, timedelta
from urllib.parse import urlencode

from django.urls import reverse

from apps.reporting.rules.document import ReportScope, Window


def page_link(scope: ReportScope, url_name: str, *arguments: object, slug: str = "", **query: str) -> str:
    """The path of a tenant page, of the workspace `slug` or the scope's own; empty where there is no workspace."""
    workspace = slug or scope.workspace_slug
    if scope.is_platform or not workspace:
        return ""
    address = reverse(url_name, args=[workspace, *arguments])
    return f"{address}?{urlencode(query)}" if query else address


def of_window(field: str, window: Window) -> dict[str, str]:
    """The query of a staff list for the days of the window; their filter counts days in UTC, both ends included."""
    last = max(window.start, window.end - timedelta(microseconds=1))
    return {
        f"{field}_from": window.start.astimezone(UTC).date().isoformat(),
        f"{field}_until": last.astimezone(UTC).date().isoformat(),
    }


def audit_link(scope: ReportScope, window: Window, event: str) -> str:
    """The audit entries of the event in the window; a tenant sees on Settings what is so now."""
    if not scope.is_platform:
        return page_link(scope, "billing-settings")
    return staff_link("core_auditentry", event=event, **of_window("recorded_at", window))


def staff_page(name: str, *arguments: object, **query: str) -> str:
    """The path of a page of the staff plane that is no list of records, such as `reports`."""
    address = reverse(f"admin:{name}", args=arguments)
    return f"{address}?{urlencode(query)}" if query else address


def staff_link(model: str, pk: object = None, **query: str) -> str:
    """The path of a list of the staff plane, or of one record; `model` is such as `payments_webhookevent`."""
    name = f"admin:{model}_changelist" if pk is None else f"admin:{model}_change"
    address = reverse(name, args=[] if pk is None else [pk])
    return f"{address}?{urlencode(query)}" if query else address
