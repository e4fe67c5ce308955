"""The two plots of the Credits page: the balance at each day's end, and what each day spent by product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from apps.core.amounts import MICRO, show_micro
from apps.core.charts import MOST_SERIES, Chart, Column, Number, draw_bars, draw_steps
from apps.credits.selectors.burn import DayOfBurn


@dataclass(frozen=True, slots=True)
class CreditCharts:
    """Both, of the same days."""

    balance: Chart
    burn: Chart


def draw_charts(days: Sequence[DayOfBurn], names: Mapping[UUID, str]) -> CreditCharts:
    """Draw the days, oldest first; products beyond those that spent most are drawn as one."""
    totals: dict[UUID | None, int] = {}
    for day in days:
        for product_id, amount in day.by_product.items():
            totals[product_id] = totals.get(product_id, 0) + amount
    ranked = sorted(totals, key=lambda product_id: (-totals[product_id], str(product_id)))
    groups = [[product_id] for product_id in ranked[: MOST_SERIES - 1]]
    if rest := ranked[MOST_SERIES - 1 :]:
        groups.append(rest)
    series = [", ".join(_name(product_id, names) for product_id in group) for group in groups]
    spent = [
        [sum(day.by_product.get(product_id, 0) for product_id in group) for group in groups] or [0] for day in days
    ]
    return CreditCharts(
        balance=draw_steps(
            "Balance at the end of each day", "credits", [_column(day, [day.balance]) for day in days], _show
        ),
        burn=draw_bars(
            "Spent each day",
            "credits",
            series or ["Spent"],
            [_column(day, figures) for day, figures in zip(days, spent, strict=True)],
            _show,
        ),
    )


def _column(day: DayOfBurn, figures: Sequence[int]) -> Column:
    return Column(
        f"{day.day.day} {day.day:%b}", f"{day.day.day} {day.day:%B %Y}", [Decimal(figure) / MICRO for figure in figures]
    )


def _show(figure: Number) -> str:
    return show_micro(int(figure * MICRO))


def _name(product_id: UUID | None, names: Mapping[UUID, str]) -> str:
    return names.get(product_id, "another product") if product_id else "no product"
