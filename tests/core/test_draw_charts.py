"""A plot has axes with round numbers, and says in words and in its table what it draws (spec 07, Pages)."""

from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction

import pytest
from django.template.loader import render_to_string

from apps.core.charts import Chart, Column, draw_bars, draw_steps, round_steps, short_number


def bars(*figures: tuple[int | Decimal, ...], names: tuple[str, ...] = ("Regular", "Free")) -> Chart:
    columns = [Column(f"{number}", f"{number} May 2026", figure) for number, figure in enumerate(figures, start=1)]
    return draw_bars("fix_run", "runs", names, columns, str)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 0, ["0", "0.5", "1"]),
        (0, 1, ["0", "0.5", "1"]),
        (0, 9, ["0", "5", "10"]),
        (0, 100, ["0", "50", "100"]),
        (0, 130, ["0", "50", "100", "150"]),
        (0, 21_000, ["0", "10k", "20k", "30k"]),
        (-30, 70, ["-50", "0", "50", "100"]),
        (0, 7_000_000_000, ["0", "2B", "4B", "6B", "8B"]),
    ],
)
def test_gridlines_stand_at_round_numbers(low: int, high: int, expected: list[str]) -> None:
    assert [short_number(step) for step in round_steps(Fraction(low), Fraction(high))] == expected


def test_gridlines_hold_every_figure_and_zero_and_are_few() -> None:
    chance = random.Random(3)  # noqa: S311 - a sample
    for _ in range(2_000):
        high = Fraction(chance.randrange(10 ** chance.randrange(1, 25)), 10 ** chance.randrange(12))
        low = -Fraction(chance.randrange(10 ** chance.randrange(1, 9)), 7) if chance.random() < 0.3 else Fraction(0)
        steps = round_steps(low, high)
        assert steps[0] <= low <= high <= steps[-1]
        assert 0 in steps
        assert 2 <= len(steps) <= 7


@pytest.mark.parametrize(
    ("figure", "text"),
    [(Fraction(1, 4), "0.25"), (Fraction(1500), "1,500"), (Fraction(20_000), "20k"), (Fraction(-2_500_000), "-2.5M")],
)
def test_numbers_of_an_axis_are_short(figure: Fraction, text: str) -> None:
    assert short_number(figure) == text


def test_bars_stand_on_one_another_within_the_plot_and_in_proportion() -> None:
    chart = bars((30, 10), (0, 0), (60, 40))
    for drawing in chart.drawings:
        first, nothing, last = drawing.columns
        assert nothing.bars == []
        regular, free = last.bars
        assert (regular.series, free.series) == (1, 2)
        assert regular.y + regular.height == drawing.zero == drawing.bottom
        assert free.y + free.height == regular.y
        assert abs(regular.height - 2 * first.bars[0].height) <= 1
        for column in drawing.columns:
            for bar in column.bars:
                assert drawing.left <= bar.x < bar.x + bar.width <= drawing.right
    assert [column.title for column in chart.drawings[0].columns] == [
        "1 May 2026: 30 Regular, 10 Free",
        "2 May 2026: 0",
        "3 May 2026: 60 Regular, 40 Free",
    ]
    assert [(series.label, series.total) for series in chart.series] == [("Regular", "90"), ("Free", "50")]
    assert chart.rows[2] == ("3 May 2026", ["60", "40"])
    assert not chart.is_empty
    assert bars((0, 0)).is_empty


def test_what_is_negative_hangs_below_zero() -> None:
    (drawing, _) = bars((-5, 10)).drawings
    below, above = drawing.columns[0].bars
    assert below.y == drawing.zero
    assert above.y + above.height == drawing.zero


def test_a_phone_has_fewer_labels_and_both_have_the_last() -> None:
    wide, narrow = bars(*[(number, 0) for number in range(30)]).drawings
    assert len(narrow.labels) <= 4 < len(wide.labels) <= 9
    assert wide.labels[0].label == narrow.labels[0].label == "30"
    assert narrow.width < wide.width


def test_steps_go_from_edge_to_edge() -> None:
    columns = [Column("", f"day {number}", (figure,)) for number, figure in enumerate((5, -5, 10))]
    (drawing, _) = draw_steps("Balance", "credits", columns, str).drawings
    points = [tuple(map(int, point.split(","))) for point in drawing.points.split()]
    assert (points[0][0], points[-1][0]) == (drawing.left, drawing.right)
    assert points[0][1] < drawing.zero < points[2][1]
    assert points[4][1] < points[0][1]


def test_the_page_has_a_title_for_each_column_and_the_table() -> None:
    html = render_to_string("core/chart.html", {"chart": bars((30, 10), (Decimal("0.5"), 0)), "row_head": "Day"})
    assert html.count("<title>1 May 2026: 30 Regular, 10 Free</title>") == 2
    assert html.count('tabindex="0" role="img"') == 4
    assert '<th scope="row">2 May 2026</th><td class="number">0.5</td><td class="number">0</td>' in html
