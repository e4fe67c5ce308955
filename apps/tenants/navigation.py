"""The navigation of the billing pages: each app registers the pages that it serves, so that no link is dead.

Order (spec 08): Overview 10, Usage 20, Credits 30, Invoices 40, Members 50, Connectors 60, Automation 70, Settings 80.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from apps.core.context import ExecutionContext
from apps.core.gate import permits
from apps.core.registry import Registry


@dataclass(frozen=True, slots=True)
class BillingPageEntry:
    """One page of the navigation. `url_name` takes the argument `workspace_slug`; `operation` is what it needs."""

    name: str
    label: str
    url_name: str
    order: int
    operation: str


@dataclass(frozen=True, slots=True)
class NavigationLink:
    """One link as a page shows it."""

    label: str
    url: str
    is_current: bool


_pages: Registry[BillingPageEntry] = Registry("billing page")


def billing_page(name: str, *, label: str, url_name: str, order: int, operation: str) -> None:
    """Add a page to the navigation; call it in `AppConfig.ready` of the app that serves the page."""
    _pages.register(name, BillingPageEntry(name, label, url_name, order, operation))


def links_for(context: ExecutionContext, *, workspace_slug: str, current: str = "") -> tuple[NavigationLink, ...]:
    """The pages that the context's role reaches, in order; `current` is the name of the page that is shown."""
    entries = sorted(_pages.values(), key=lambda entry: (entry.order, entry.name))
    return tuple(
        NavigationLink(entry.label, reverse(entry.url_name, args=[workspace_slug]), entry.name == current)
        for entry in entries
        if permits(context, entry.operation)
    )
