"""Draws every plot of the product: geometry in whole units of an SVG's own grid, no style and no script. Pure.

A plot has axes with a unit, gridlines at round numbers, labels, a title for each column, and its figures as a table.
Each is drawn twice, for a desk and for a phone, so that its letters are of the same size on both. Colours are classes
(`series-1` and so on), so that the light and the dark face each have their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from apps.core.amounts import divide_half_away

MOST_SERIES = 5
_WIDTHS = (720, 340)
_HEIGHT, _TOP, _BOTTOM, _LEFT, _RIGHT = 220, 26, 26, 52, 16
_LABELS = (9, 4)
_GRIDLINES = 4
_GAP_SHARE = 6
_THOUSAND, _MILLION, _BILLION = 10**3, 10**6, 10**9
Number = int | Decimal


@dataclass(frozen=True, slots=True)
class Column:
    """One place of the horizontal axis: its label, its name in full, and a figure for each series."""

    label: str
    name: str
    figures: Sequence[Number]


@dataclass(frozen=True, slots=True)
class Rectangle:
    """One part of a column."""

    x: int
    y: int
    width: int
    height: int
    series: int


@dataclass(frozen=True, slots=True)
class DrawnColumn:
    """A column as it is drawn; `hit` is the whole strip, which shows the title while the pointer or focus is there."""

    title: str
    hit: Rectangle
    bars: Sequence[Rectangle]
    tip_x: int
    tip_anchor: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A label on an axis, with its place."""

    place: int
    label: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """A plot at one width."""

    name: str
    width: int
    height: int
    left: int
    right: int
    bottom: int
    gridlines: Sequence[Tick]
    labels: Sequence[Tick]
    columns: Sequence[DrawnColumn]
    zero: int
    points: str = ""


@dataclass(frozen=True, slots=True)
class SeriesLabel:
    """What a colour stands for, and what it comes to."""

    number: int
    label: str
    total: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that `core/chart.html` draws."""

    title: str
    unit: str
    drawings: Sequence[Drawing]
    series: Sequence[SeriesLabel]
    head: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]
    is_empty: bool


def draw_bars(
    title: str, unit: str, series: Sequence[str], columns: Sequence[Column], show: Callable[[Number], str]
) -> Chart:
    """Stacked bars, one column each; `show` writes a figure in full. At most `MOST_SERIES` series."""
    stacks = [_stack(column.figures) for column in columns]
    low, high = min((low for low, _ in stacks), default=0), max((high for _, high in stacks), default=0)
    steps = round_steps(Fraction(low), Fraction(high))
    drawings = [
        _drawing(title, series, columns, steps, show, width, labels)
        for width, labels in zip(_WIDTHS, _LABELS, strict=True)
    ]
    totals = [sum((column.figures[place] for column in columns), Decimal(0)) for place in range(len(series))]
    return Chart(
        title=title,
        unit=unit,
        drawings=drawings,
        series=[SeriesLabel(number, label, show(totals[number - 1])) for number, label in enumerate(series, start=1)],
        head=series,
        rows=[(column.name, [show(figure) for figure in column.figures]) for column in columns],
        is_empty=not any(figure for column in columns for figure in column.figures),
    )


def draw_steps(title: str, unit: str, columns: Sequence[Column], show: Callable[[Number], str]) -> Chart:
    """One figure a column as a line of steps, such as what stands in an account at the end of each day."""
    figures = [column.figures[0] for column in columns]
    steps = round_steps(Fraction(min([*figures, 0])), Fraction(max([*figures, 0])))
    drawings = [
        _drawing(title, (), columns, steps, show, width, labels, is_line=True)
        for width, labels in zip(_WIDTHS, _LABELS, strict=True)
    ]
    rows = [(column.name, [show(column.figures[0])]) for column in columns]
    return Chart(title, unit, drawings, (), [title], rows, is_empty=not columns)


def round_steps(low: Fraction, high: Fraction) -> list[Fraction]:
    """Round numbers from at most `low` to at least `high`, about four steps apart; 0 is among them."""
    high = high if high > low else low + 1
    span = high - low
    size = Fraction(1)
    while size * _GRIDLINES < span:
        size *= 10
    while size * _GRIDLINES >= span * 10:
        size /= 10
    step = next(size * part / 10 for part in (1, 2, 5, 10) if size * part / 10 * _GRIDLINES >= span)
    first, last = low // step, -(-high // step)
    return [step * place for place in range(first, max(last, first + 1) + 1)]


def short_number(figure: Fraction) -> str:
    """The number for an axis: "1,500", "20k", "1.5M", "0.25"."""
    for size, letter in ((_BILLION, "B"), (_MILLION, "M"), (10 * _THOUSAND, "k")):
        if abs(figure) >= size:
            return f"{_plain(figure / (_THOUSAND if letter == 'k' else size))}{letter}"
    return _plain(figure)


def _plain(figure: Fraction) -> str:
    text = f"{Decimal(figure.numerator) / Decimal(figure.denominator):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _stack(figures: Sequence[Number]) -> tuple[Number, Number]:
    return sum(figure for figure in figures if figure < 0), sum(figure for figure in figures if figure > 0)


def _drawing(
    title: str,
    series: Sequence[str],
    columns: Sequence[Column],
    steps: Sequence[Fraction],
    show: Callable[[Number], str],
    width: int,
    most_labels: int,
    *,
    is_line: bool = False,
) -> Drawing:
    plot, floor = width - _LEFT - _RIGHT, _HEIGHT - _BOTTOM
    edges = [_LEFT + place * plot // max(len(columns), 1) for place in range(len(columns) + 1)]

    def height(figure: Fraction) -> int:
        share = (figure - steps[0]) / (steps[-1] - steps[0])
        return floor - divide_half_away(share.numerator * (floor - _TOP), share.denominator)

    drawn = [
        _column(column, series, (edges[place], edges[place + 1]), width, height, show, is_line=is_line)
        for place, column in enumerate(columns)
    ]
    return Drawing(
        name=title,
        width=width,
        height=_HEIGHT,
        left=_LEFT,
        right=width - _RIGHT,
        bottom=floor,
        gridlines=[Tick(height(step), short_number(step)) for step in steps],
        labels=_labels(columns, edges, most_labels),
        columns=drawn,
        zero=height(Fraction(0)),
        points=_points(columns, edges, height) if is_line else "",
    )


def _labels(columns: Sequence[Column], edges: Sequence[int], most: int) -> list[Tick]:
    """The labels of the horizontal axis. The last column is the present one and always has its own."""
    each = -(-len(columns) // most) or 1
    places = range(len(columns) - 1, -1, -each)
    return [Tick((edges[place] + edges[place + 1]) // 2, columns[place].label) for place in places]


def _points(columns: Sequence[Column], edges: Sequence[int], height: Callable[[Fraction], int]) -> str:
    return " ".join(
        f"{edges[place + side]},{height(Fraction(column.figures[0]))}"
        for place, column in enumerate(columns)
        for side in (0, 1)
    )


def _column(
    column: Column,
    series: Sequence[str],
    edges: tuple[int, int],
    width: int,
    height: Callable[[Fraction], int],
    show: Callable[[Number], str],
    *,
    is_line: bool,
) -> DrawnColumn:
    left, right = edges
    gap = min((right - left) // _GAP_SHARE, 12)
    bars: list[Rectangle] = []
    up = down = Fraction(0)
    for number, figure in enumerate(() if is_line else column.figures, start=1):
        start = up if figure > 0 else down
        end = start + Fraction(figure)
        up, down = (end, down) if figure > 0 else (up, end)
        top, bottom = height(max(start, end)), height(min(start, end))
        if figure:
            bars.append(Rectangle(left + gap, top, right - left - 2 * gap or 1, max(bottom - top, 1), number))
    parts = [
        f"{show(figure)} {label}".strip()
        for label, figure in zip(series or ("",), column.figures, strict=True)
        if figure or is_line
    ]
    middle = (left + right) // 2
    anchor = "start" if middle < width // 3 else "end" if middle > width * 2 // 3 else "middle"
    return DrawnColumn(
        title=f"{column.name}: {', '.join(parts) or '0'}",
        hit=Rectangle(left, _TOP, right - left, _HEIGHT - _BOTTOM - _TOP, 0),
        bars=bars,
        tip_x=middle,
        tip_anchor=anchor,
    )
