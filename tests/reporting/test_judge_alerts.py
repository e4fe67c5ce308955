"""When a threshold is crossed, has recovered, and counts anew: every combination (spec 07, Balance alerts)."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from apps.core.amounts import MICRO
from apps.reporting.rules.alerts import (
    DEFAULTS,
    MOST_THRESHOLDS,
    Threshold,
    ThresholdError,
    ThresholdKind,
    Verdict,
    event_of,
    judge,
    level_of,
    next_look,
    read_thresholds,
    write_thresholds,
)

PERCENT, CREDITS, DAYS = ThresholdKind.PERCENT, ThresholdKind.CREDITS, ThresholdKind.DAYS
NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
LEVELS = (0, 1, 7, 10, 1_000)
AROUND = (Fraction(-1), Fraction(0), Fraction(9, 10), Fraction(1), Fraction(21, 20), Fraction(11, 10), Fraction(2))
CASES = [
    (was, level, level * share.numerator // share.denominator + step, peak_over)
    for was, level, share, step, peak_over in itertools.product(
        (None, False, True), LEVELS, AROUND, (-1, 0, 1), (None, 0, 1, 10_000)
    )
]


def expected(was: bool | None, level: int, value: int, peak: int) -> Verdict:
    """The sentence of the spec, in fractions: above again is above, and by 10 %."""
    counts_anew = was is False or (peak > level and Fraction(peak) >= level * Fraction(11, 10))
    low = value <= level
    if was and not counts_anew:
        return Verdict(is_low=True)
    return Verdict(low, has_crossed=low and counts_anew, has_recovered=bool(was) and not low)


def test_every_combination() -> None:
    for was, level, value, over in CASES:
        peak = None if over is None else value + over
        found = judge(was, level, value=value, peak=peak)
        assert found == expected(was, level, value, value if peak is None else peak), (was, level, value, peak)


def test_a_fall_is_told_once_and_again_only_after_a_rise_by_a_tenth() -> None:
    told, was = [], False
    for value in (101, 100, 99, 0, 100, 101, 109, 100, 110, 100, 50, 111):
        verdict = judge(was, 100, value=value)
        was = verdict.is_low
        told.append(verdict.has_crossed)
    assert [place for place, is_told in enumerate(told) if is_told] == [1, 9]


@pytest.mark.parametrize("seed", range(20))
def test_looking_seldom_never_tells_more_often_than_looking_always(seed: int) -> None:
    """A look is over many entries: a dip that was made good meanwhile may go untold, nothing is told twice."""
    chance = random.Random(seed)  # noqa: S311 - not for security
    path = [chance.randint(-20, 150) for _ in range(60)]
    always, seldom, more, fewer = False, False, 0, 0
    for start in range(0, len(path), 4):
        some = path[start : start + 4]
        for value in some:
            verdict = judge(always, 100, value=value)
            always, more = verdict.is_low, more + verdict.has_crossed
        verdict = judge(seldom, 100, value=some[-1], peak=max(some))
        seldom, fewer = verdict.is_low, fewer + verdict.has_crossed
        assert fewer <= more
    assert fewer > 0


def test_what_never_ends_is_not_low() -> None:
    assert judge(True, 7, value=None) == Verdict(is_low=False, has_recovered=True)
    assert judge(None, 7, value=None) == judge(False, 7, value=None) == Verdict(is_low=False)


def test_a_percentage_needs_a_purchase() -> None:
    assert [level_of(one, last_purchase=None) for one in DEFAULTS] == [None, 7, 0]
    assert [level_of(one, last_purchase=10 * MICRO) for one in DEFAULTS] == [2 * MICRO, 7, 0]


def test_the_end_has_an_event_of_its_own() -> None:
    assert [event_of(one) for one in DEFAULTS] == ["balance.low", "balance.low", "balance.exhausted"]


def test_the_next_look_is_soon_where_the_end_is_near() -> None:
    def hours(days: int | None, *, is_spending: bool = True) -> timedelta:
        return next_look(days, is_spending=is_spending, largest=7, now=NOW) + timedelta(minutes=10) - NOW

    assert [hours(days) for days in (0, 7, 21, None)] == [timedelta(hours=1)] * 4
    assert (hours(22), hours(None, is_spending=False)) == (timedelta(hours=6), timedelta(hours=24))


def test_what_is_typed_is_read_and_written_the_same() -> None:
    typed = {"percent": "20 % 50%", "credits": "500; 0 12.5 500", "days": "7"}
    found = read_thresholds(**typed)
    assert set(found) == {
        *(Threshold(PERCENT, 20), Threshold(PERCENT, 50), Threshold(DAYS, 7)),
        *(Threshold(CREDITS, 0), Threshold(CREDITS, 12_500_000), Threshold(CREDITS, 500 * MICRO)),
    }
    written = write_thresholds(found)
    assert written == {"percent": "20 50", "credits": "0 12.5 500", "days": "7"}
    assert read_thresholds(**written) == found
    assert read_thresholds(percent=" ", credits="", days="") == ()


@pytest.mark.parametrize(
    ("field", "text"),
    [
        *(("percent", text) for text in ("0", "101", "-5", "2.5", "x", "٢٠", "9" * 5_000)),
        *(("credits", text) for text in ("-1", "1e3", "0.0000001", "1000000001", "1,000", "NaN")),
        *(("days", text) for text in ("0", "366", "7d", "1.5")),
    ],
)
def test_what_is_no_threshold_names_its_field(field: str, text: str) -> None:
    with pytest.raises(ThresholdError) as caught:
        read_thresholds(**{"percent": "", "credits": "", "days": "", field: text})
    assert caught.value.field == field
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [("percent", "1", 1), ("percent", "100", 100), ("days", "1", 1), ("days", "365", 365), ("credits", "0", 0)],
)
def test_the_least_and_the_most_are_thresholds(field: str, text: str, value: int) -> None:
    found = read_thresholds(**{"percent": "", "credits": "", "days": "", field: text})
    assert found == (Threshold(ThresholdKind(field), value),)


def test_ten_thresholds_are_enough() -> None:
    ten = " ".join(map(str, range(1, 11)))
    assert len(read_thresholds(percent="", credits="", days=ten)) == MOST_THRESHOLDS == 10
    with pytest.raises(ThresholdError):
        read_thresholds(percent="1", credits="", days=ten)
