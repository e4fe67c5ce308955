"""The command palette: finds records by id, name, e-mail address or slug, and pages by their title."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest
from unfold.dataclasses import SearchResult

from apps.backoffice.navigation import sidebar
from apps.backoffice.registry import registered_pages
from apps.backoffice.staff import may
from apps.backoffice.staff_admin import StaffAdmin

RESULTS_A_KIND = 5
# One character would find the beginnings of half the table.
SHORTEST_TERM = 2


def search_results(request: HttpRequest, term: str) -> list[SearchResult]:
    """Pages first, then the first few records of each kind that whoever asks may read: one bounded query a kind."""
    results = list(_pages(request, term))
    if len(term) >= SHORTEST_TERM:
        for page in registered_pages():
            if may(request, page.operation):
                results.extend(_records(request, page, term))
    return results


def _pages(request: HttpRequest, term: str) -> Iterator[SearchResult]:
    for group in sidebar(request):
        for item in group["items"]:
            if term.lower() in item["title"].lower():
                yield SearchResult(item["title"], group["title"] or "Start", item["link"], item["icon"])


def _records(request: HttpRequest, page: StaffAdmin[Any], term: str) -> Iterator[SearchResult]:
    found, _ = page.get_search_results(request, page.get_queryset(request), term)
    for record in found.order_by(*page.get_ordering(request))[:RESULTS_A_KIND]:
        kind = str(page.opts.verbose_name)
        yield SearchResult(page.title_of(record), kind, page.url_of(record), page.icon)
