"""The plots of usage, and the same figures as rows of a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from apps.core.amounts import format_minor
from apps.core.charts import Chart, Column, Number, draw_bars
from apps.core.enums import UsageCategory
from apps.core.exports import harmless
from apps.core.texts import name_operation, name_units
from apps.reporting.rules.usage import grouped, plain, total
from apps.reporting.rules.windows import Timeframe, TimeWindow
from apps.reporting.selectors.usage_report import UsageReport, UsageRow

FILE_COLUMNS = (
    *("timeframe_start", "timeframe_end", "time_zone", "partial", "product", "operation", "connector", "unit"),
    *("regular", "free", "internal", "credits_charged", "currency", "amount"),
)
# In the order in which they are stacked: what is billed at the bottom.
_STACK = (UsageCategory.REGULAR, UsageCategory.FREE, UsageCategory.INTERNAL)
_LABELS = {TimeWindow.LAST_MONTH: "%-d %b", TimeWindow.LAST_SIX_MONTHS: "%-d %b", TimeWindow.LAST_YEAR: "%b"}


@dataclass(frozen=True, slots=True)
class UsagePlot:
    """One operation or connector with what it used."""

    name: str
    note: str
    chart: Chart
    charged: str
    money: Sequence[str]


def plots_of(report: UsageReport) -> list[UsagePlot]:
    """A plot for each row of the report, in its order."""
    return [_plot(row, report) for row in report.rows]


def timeframe_name(frame: Timeframe, window: TimeWindow) -> str:
    """The timeframe in words."""
    if window is TimeWindow.LAST_YEAR:
        return f"{frame.start:%B %Y}"
    day = f"{frame.start.day} {frame.start:%B %Y}"
    return f"week of {day}" if window is TimeWindow.LAST_SIX_MONTHS else day


def file_rows(report: UsageReport) -> Iterator[Sequence[object]]:
    """Each row of the report in each timeframe; a connector's money has a row for each currency."""
    for row in report.rows:
        for place, frame in enumerate(report.frames):
            words = (
                *(frame.start, frame.end, report.zone, "yes" if place == len(report.frames) - 1 else "no"),
                *(harmless(row.product.name) if row.product else "", harmless(row.operation)),
                *(harmless(row.connector.name) if row.connector else "", harmless(row.unit)),
            )
            figures = [plain(row.usage[category][place]) for category in _STACK]
            yield (*words, *figures, plain(row.charged[place]) if row.charged else "", "", "")
            for currency, amounts in row.amounts.items():
                yield (*words, "", "", "", "", currency, format_minor(int(amounts[place]), currency).partition(" ")[0])


def _plot(row: UsageRow, report: UsageReport) -> UsagePlot:
    is_operation = row.connector is None
    name = name_operation(row.operation) if is_operation else f"{row.connector.name}"  # type: ignore[union-attr]
    note = row.product.name if row.product else "Connector"
    columns = [
        Column(
            f"{frame.start:{_LABELS[report.window]}}",
            timeframe_name(frame, report.window),
            [row.usage[category][place] for category in _STACK],
        )
        for place, frame in enumerate(report.frames)
    ]
    unit = name_units(row.unit, is_one=False) or "quantity"
    return UsagePlot(
        name=name,
        note=note,
        chart=draw_bars(f"{name}, {note}", unit, [category.label for category in _STACK], columns, _show),
        charged=_show(total(row.charged)) if row.charged else "",
        money=[
            format_minor(int(total(amounts)), currency, is_grouped=True) for currency, amounts in row.amounts.items()
        ],
    )


def _show(figure: Number) -> str:
    return grouped(Decimal(figure))
