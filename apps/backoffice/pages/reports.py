"""The Reports page of the platform by day, and the page of an organization's books (spec 07, Pages)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.backoffice.cells import badge, list_url, page_url, record_link
from apps.backoffice.pages.contradictions import kind_badge
from apps.backoffice.pages.daily_reports import daily_report_facts, shown_of
from apps.backoffice.pages.revenue import DAYS, movement_chart
from apps.backoffice.panels import Panel, panel_of
from apps.backoffice.staff import may, require_may
from apps.core import clock
from apps.core.amounts import format_micro
from apps.core.ids import OrganizationId
from apps.core.moments import in_zone, zone_of
from apps.core.replica import history_source
from apps.credits.models import CreditAccount
from apps.reporting.models import ContradictionKind, PaymentContradiction, PlatformBooks
from apps.reporting.rules.books import BooksLine
from apps.reporting.selectors.books import organization_books
from apps.reporting.selectors.reports import latest_day
from apps.reporting.selectors.revenue import by_currency, last_day, totals_of
from apps.reporting.selectors.standing import contradictions_of
from apps.reporting.showing import asked_day
from apps.tenants.models import Organization, Workspace

_DAY = timedelta(days=1)
_HEADS = ("Identity", "One side", "The other side", "Difference")


def reports_page(request: HttpRequest) -> HttpResponseBase:
    """Show the platform's report and books of the asked day, else of the newest of either, and both lists as of now.

    With `download` the report's file.
    """
    require_may(request, "books.read")
    yesterday = clock.now().astimezone(UTC).date() - _DAY
    kept = PlatformBooks.objects.order_by("-day")
    newest = max((day for day in (kept.values_list("day", flat=True).first(), latest_day(None)) if day), default=None)
    day = asked_day(request) or newest or yesterday
    shown = shown_of(request, None, usual=day, database=history_source(request).database)
    file = shown.file(request.GET.get("download", ""), "platform")
    if file is not None:
        return file
    books = kept.filter(day=day).first()
    context = {
        **admin.site.each_context(request),
        "title": "Reports",
        **daily_report_facts(request, shown, None),
        **_days(day, yesterday),
        "books": books,
        "books_panel": _books_panel([BooksLine(**line) for line in books.lines]) if books else None,
        "faults": books.faults if books else [],
        "lists": [_list_panel(kind) for kind in ContradictionKind],
        "charts": _charts(day) if may(request, "revenue.read") else [],
        "chart_days": DAYS,
    }
    return TemplateResponse(request, "backoffice/reports.html", context)


def organization_books_page(request: HttpRequest, object_id: UUID) -> HttpResponse:
    """Show the books of one organization on a local day; `every=1` looks at every entry, hold and grant."""
    require_may(request, "books.read")
    account = CreditAccount.objects.select_related("organization", "rollup_state").filter(pk=object_id).first()
    if account is None:
        raise Http404(f"There is no organization {object_id}.")
    organization = account.organization
    today = in_zone(clock.now(), zone_of(organization.time_zone)).date()
    day = min(asked_day(request) or today, today)
    is_thorough = request.GET.get("every") == "1"
    books = organization_books(OrganizationId(object_id), day, is_thorough=is_thorough)
    context = {
        **admin.site.each_context(request),
        "title": f"Reports of {organization.name}",
        "organization": organization,
        "organization_url": page_url(organization),
        **_days(day, today),
        "books": books,
        "is_thorough": is_thorough,
        "books_panel": _books_panel(books.lines),
        "faults": books.faults,
        "list": _own_list(organization),
    }
    return TemplateResponse(request, "backoffice/organization_books.html", context)


def organization_books_url(organization: Organization) -> str:
    """The address of that page."""
    return reverse("admin:tenants_organization_books", args=[organization.pk])


def _days(day: date, last: date) -> dict[str, Any]:
    return {"day": day, "last_day": last, "day_before": day - _DAY, "day_after": day + _DAY if day < last else None}


def _books_panel(lines: Iterable[BooksLine]) -> Panel:
    return Panel("Identities of the books", _HEADS, [_books_row(line) for line in lines], icon="balance")


def _books_row(line: BooksLine) -> tuple[Any, ...]:
    difference = badge("0", "good") if line.difference == 0 else badge(_credits(line.difference), "bad")
    return line.name, _side(line.left, line.left_is), _side(line.right, line.right_is), difference


def _side(amount: int, words: str) -> SafeString:
    return format_html('<span class="ch-sides">{}<small>{}</small></span>', _credits(amount), words)


def _credits(amount: int) -> str:
    whole, dot, places = format_micro(abs(amount)).partition(".")
    return f"{'-' if amount < 0 else ''}{int(whole):,}{dot}{places}"


def _list_panel(kind: ContradictionKind) -> Panel:
    rows = PaymentContradiction.objects.filter(kind=kind).select_related("workspace", "organization")
    return panel_of(
        kind.label,
        ("Workspace", "Organization", "Why"),
        rows.order_by("first_seen_at", "pk"),
        lambda row: (record_link(row.workspace), record_link(row.organization), row.reason),
        empty="None. The gate agrees with what is paid.",
        link=list_url(PaymentContradiction, kind=kind.value),
        icon="block" if kind is ContradictionKind.PAID_BUT_BLOCKED else "lock_open",
    )


def _own_list(organization: Organization) -> Panel:
    found = contradictions_of(organization.pk)
    workspaces = Workspace.objects.in_bulk([one.workspace_id for one in found])
    rows: Sequence[tuple[Any, ...]] = [
        (
            record_link(workspaces[one.workspace_id]),
            kind_badge(PaymentContradiction(kind=_kind(is_paid=one.contradiction.is_paid))),
            one.contradiction.reason,
        )
        for one in found
    ]
    return Panel(
        "Paid against allowed, now",
        ("Workspace", "Kind", "Why"),
        rows,
        empty="None. The gate agrees with what is paid.",
        icon="difference",
    )


def _kind(*, is_paid: bool) -> ContradictionKind:
    return ContradictionKind.PAID_BUT_BLOCKED if is_paid else ContradictionKind.UNPAID_BUT_ALLOWED


def _charts(day: date) -> list[Any]:
    last = last_day()
    end = min(day, last.day) if last else day
    totals = by_currency(totals_of(end - timedelta(days=DAYS - 1), end))
    return [movement_chart(currency, rows, end) for currency, rows in totals.items()]
