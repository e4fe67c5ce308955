"""The geometry of the chart of the last days: whole units of an SVG's own grid, no style and no script.

Above, the balance at each day's end as steps; below, what each day spent, stacked by product. Colours are classes
(`series-1` and so on), so that the light and the dark face each have their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from apps.core.amounts import divide_half_away, format_micro
from apps.credits.selectors.burn import DayOfBurn

WIDTH, BALANCE_HEIGHT, GAP, BURN_HEIGHT = 720, 110, 34, 120
HEIGHT = BALANCE_HEIGHT + GAP + BURN_HEIGHT
_MOST_SERIES = 5
_SPACE_BETWEEN = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """One product's part of one day."""

    x: int
    y: int
    width: int
    height: int
    series: int
    title: str


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of the chart, and what it stands for."""

    number: int
    label: str
    total: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that the template draws."""

    bars: Sequence[Bar]
    series: Sequence[Series]
    balance_points: str
    balance_zero: int
    most_a_day: str
    highest_balance: str
    lowest_balance: str
    days: Sequence[DayOfBurn]
    width: int = WIDTH
    height: int = HEIGHT
    burn_top: int = BALANCE_HEIGHT + GAP
    balance_height: int = BALANCE_HEIGHT

    @property
    def is_empty(self) -> bool:
        """Whether nothing was spent at all."""
        return not self.bars


def draw_chart(days: Sequence[DayOfBurn], names: Mapping[UUID, str]) -> Chart:
    """Draw the days, oldest first; products beyond the five that spent most are drawn as one."""
    totals: dict[UUID | None, int] = {}
    for day in days:
        for product_id, amount in day.by_product.items():
            totals[product_id] = totals.get(product_id, 0) + amount
    ranked = sorted(totals, key=lambda product_id: (-totals[product_id], str(product_id)))
    numbers = {product_id: min(place, _MOST_SERIES) for place, product_id in enumerate(ranked, start=1)}
    most = max((day.total for day in days), default=0)
    balances = [day.balance for day in days]
    highest, lowest = max([*balances, 0]), min([*balances, 0])
    return Chart(
        bars=[bar for place, day in enumerate(days) for bar in _bars(place, day, numbers, names, most, len(days))],
        series=_series(ranked, numbers, totals, names),
        balance_points=_steps(balances, highest, lowest),
        balance_zero=_scale(highest, highest - lowest, BALANCE_HEIGHT),
        most_a_day=format_micro(most),
        highest_balance=format_micro(highest),
        lowest_balance=format_micro(lowest),
        days=days,
    )


def _bars(
    place: int, day: DayOfBurn, numbers: Mapping[UUID | None, int], names: Mapping[UUID, str], most: int, days: int
) -> list[Bar]:
    bars, bottom = [], HEIGHT
    left, right = place * WIDTH // days, (place + 1) * WIDTH // days - _SPACE_BETWEEN
    for product_id in sorted(day.by_product, key=lambda found: numbers[found]):
        amount = day.by_product[product_id]
        height = max(_scale(amount, most, BURN_HEIGHT), 1)
        bottom -= height
        name = _name(product_id, names)
        title = f"{day.day.day} {day.day:%B}: {format_micro(amount)} credits, {name}"
        bars.append(Bar(left, bottom, max(right - left, 1), height, numbers[product_id], title))
    return bars


def _series(
    ranked: Sequence[UUID | None],
    numbers: Mapping[UUID | None, int],
    totals: Mapping[UUID | None, int],
    names: Mapping[UUID, str],
) -> list[Series]:
    found: dict[int, tuple[list[str], int]] = {}
    for product_id in ranked:
        labels, total = found.get(numbers[product_id], ([], 0))
        found[numbers[product_id]] = ([*labels, _name(product_id, names)], total + totals[product_id])
    return [Series(number, ", ".join(labels), format_micro(total)) for number, (labels, total) in found.items()]


def _steps(balances: Sequence[int], highest: int, lowest: int) -> str:
    points = []
    for place, balance in enumerate(balances):
        y = _scale(highest - balance, highest - lowest, BALANCE_HEIGHT)
        points += [
            f"{place * WIDTH // len(balances)},{y}",
            f"{(place + 1) * WIDTH // len(balances)},{y}",
        ]
    return " ".join(points)


def _scale(value: int, whole: int, length: int) -> int:
    return divide_half_away(value * length, whole) if whole > 0 else 0


def _name(product_id: UUID | None, names: Mapping[UUID, str]) -> str:
    return names.get(product_id, "another product") if product_id else "no product"
