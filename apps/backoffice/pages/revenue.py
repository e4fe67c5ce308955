"""The Revenue page: what customers pay a month by currency, how it moved in 90 days, and the same as CSV (spec 07)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse

from apps.backoffice.cells import badge, link, page_url_of, record_link
from apps.backoffice.panels import PANEL_ROWS, Panel
from apps.backoffice.staff import require_may
from apps.core.amounts import format_minor, minor_digits
from apps.core.charts import Chart, Column, Number, draw_bars
from apps.core.exports import csv_lines
from apps.reporting.models import OrganizationRevenue, RevenueDay, RevenueTotal
from apps.reporting.rules.revenue import Movement
from apps.reporting.selectors.revenue import by_currency, last_day, moved_on, totals_of
from apps.tenants.models import Organization

DAYS, _YEAR = 90, 366
_FILE = ("day", "currency", "mrr_minor", *(f"{name}_minor" for name in Movement.values), "delinquent_minor",
    "at_risk_minor", "organizations")  # fmt: skip


def revenue_page(request: HttpRequest) -> HttpResponse:
    """Show the last day that was written down, and the 90 days that end with it."""
    require_may(request, "revenue.read")
    day = last_day()
    totals = by_currency(totals_of(day.day - timedelta(days=DAYS - 1), day.day)) if day else {}
    context = {
        **admin.site.each_context(request),
        "title": "Revenue",
        "day": day,
        "days": DAYS,
        "currencies": [_currency(currency, rows, day) for currency, rows in totals.items() if day],
        "panels": [_moved_panel(day), _gaps_panel(day)] if day else [],
    }
    return TemplateResponse(request, "backoffice/revenue.html", context)


def revenue_file(request: HttpRequest) -> StreamingHttpResponse:
    """The totals of a year, a row a day and currency; amounts in minor units."""
    require_may(request, "revenue.read")
    day = last_day()
    name = f"revenue-{day.day if day else 'none'}.csv"
    return StreamingHttpResponse(
        csv_lines(_FILE, _file_rows(day)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def movement_chart(currency: str, rows: Sequence[RevenueTotal], last: date, days: int = DAYS) -> Chart:
    """The movement of each of the days that end with `last`, stacked by kind; in whole units of the currency."""
    found = {row.day_id: row for row in rows}
    columns = [
        Column(f"{day:%-d %b}", f"{day:%-d %B %Y}", _figures(found.get(day), currency))
        for day in (last - timedelta(days=back) for back in range(days - 1, -1, -1))
    ]
    labels = [movement.label for movement in Movement]
    return draw_bars(f"Movement of {currency}", currency, labels, columns, lambda figure: _money(figure, currency))


def _figures(row: RevenueTotal | None, currency: str) -> list[Number]:
    size = 10 ** minor_digits(currency)
    amounts = [getattr(row, f"{name}_minor") if row else 0 for name in Movement.values]
    return [_whole(amount, size) for amount in amounts]


def _whole(amount: int, size: int) -> Number:
    return Decimal(amount) / size


def _money(figure: Number, currency: str) -> str:
    return format_minor(int(figure * 10 ** minor_digits(currency)), currency, is_grouped=True)


def _currency(currency: str, rows: Sequence[RevenueTotal], day: RevenueDay) -> dict[str, Any]:
    """One currency: its figures of the day, and its plot with the table of the days on which something moved."""
    last = rows[-1] if rows[-1].day_id == day.day else RevenueTotal(currency=currency, mrr_minor=0, before_minor=0)

    def money(amount: int) -> str:
        return format_minor(amount, currency, is_grouped=True)

    def moved_by(amount: int) -> str:
        return money(amount) if amount else "\N{EN DASH}"

    moved = [row for row in reversed(rows) if any(getattr(row, f"{name}_minor") for name in Movement.values)]
    table = [
        (f"{row.day_id:%-d %b %Y}", *(moved_by(getattr(row, f"{name}_minor")) for name in Movement.values),
            money(row.mrr_minor))
        for row in moved[:PANEL_ROWS]
    ]  # fmt: skip
    labels = [movement.label for movement in Movement]
    return {
        "name": currency,
        "figures": [
            ("MRR", money(last.mrr_minor), f"{money(last.mrr_minor - last.before_minor)} since the day before", False),
            ("A year", money(last.mrr_minor * 12), "12 times MRR", False),
            ("Paying", f"{last.organizations or 0:,}", "organizations", False),
            ("Delinquent", money(last.delinquent_minor), "owed and late", last.delinquent_minor > 0),
            ("At risk", money(last.at_risk_minor), "MRR in a grace period", last.at_risk_minor > 0),
        ],
        "chart": movement_chart(currency, rows, day.day),
        "moved": Panel(
            f"{currency}: days on which it moved",
            ("Day", *labels, "MRR"),
            table,
            empty=f"Nothing moved in {DAYS} days.",
            icon="table_rows",
        ),
    }


def _moved_panel(day: RevenueDay) -> Panel:
    rows = moved_on(day.day, at_most=PANEL_ROWS * 5)
    return Panel(
        f"Who moved on {day.day:%-d %B}",
        ("Organization", "Movement", "Change", "MRR"),
        [_moved_row(row) for row in rows],
        empty="Nobody.",
        icon="trending_up",
    )


def _moved_row(row: OrganizationRevenue) -> tuple[Any, ...]:
    movement = Movement(row.movement)
    tone = {Movement.CHURN: "bad", Movement.CONTRACTION: "warn"}.get(movement, "good")
    change = format_minor(row.mrr_minor - row.before_minor, row.currency, is_grouped=True)
    now = format_minor(row.mrr_minor, row.currency, is_grouped=True)
    return record_link(row.organization), badge(movement.label, tone), change, now  # type: ignore[arg-type]


def _gaps_panel(day: RevenueDay) -> Panel:
    names = dict(
        Organization.objects.filter(pk__in=[gap["organization"] for gap in day.gaps]).values_list("pk", "name")
    )
    by_text = {str(key): (key, name) for key, name in names.items()}
    rows = [
        (link(page_url_of(Organization, by_text[gap["organization"]][0]), by_text[gap["organization"]][1]),
            gap["record"], gap["reasons"])
        for gap in day.gaps
        if gap["organization"] in by_text
    ]  # fmt: skip
    return Panel(
        f"Figures that may be wrong ({day.gap_count:,})",
        ("Organization", "Subscription", "Why"),
        rows,
        empty="None. Every price and discount is known.",
        icon="help",
    )


def _file_rows(day: RevenueDay | None) -> Iterator[Sequence[object]]:
    for row in totals_of(day.day - timedelta(days=_YEAR), day.day) if day else ():
        moved = [getattr(row, f"{name}_minor") for name in Movement.values]
        yield (
            row.day_id, row.currency, row.mrr_minor, *moved, row.delinquent_minor, row.at_risk_minor, row.organizations,
        )  # fmt: skip
