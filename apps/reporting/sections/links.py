"""The links from a report's figures to the lists behind them: tenant pages, or staff pages for the platform's."""

from __future__ import annotations

from urllib.parse import urlencode

from django.urls import reverse

from apps.reporting.rules.document import ReportScope


def page_link(scope: ReportScope, url_name: str, *arguments: object, slug: str = "", **query: str) -> str:
    """The path of a tenant page, of the workspace `slug` or the scope's own; empty where there is no workspace."""
    workspace = slug or scope.workspace_slug
    if scope.is_platform or not workspace:
        return ""
    address = reverse(url_name, args=[workspace, *arguments])
    return f"{address}?{urlencode(query)}" if query else address


def staff_page(name: str, *arguments: object, **query: str) -> str:
    """The path of a page of the staff plane that is no list of records, such as `reports`."""
    address = reverse(f"admin:{name}", args=arguments)
    return f"{address}?{urlencode(query)}" if query else address


def staff_link(model: str, pk: object = None, **query: str) -> str:
    """The path of a list of the staff plane, or of one record; `model` is such as `payments_webhookevent`."""
    name = f"admin:{model}_changelist" if pk is None else f"admin:{model}_change"
    address = reverse(name, args=[] if pk is None else [pk])
    return f"{address}?{urlencode(query)}" if query else address
