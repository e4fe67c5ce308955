"""When an account is low, and when somebody is told (spec 07, Balance alerts). Pure.

A threshold is crossed downward once: it must have been above again, by a tenth, before it counts anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.core.amounts import (
    LARGEST_AMOUNT,
    MalformedNumberError,
    NumberOutOfRangeError,
    divide_half_away,
    format_micro,
    parse_amount,
    show_micro,
)
from apps.core.enums import TextEnum

MOST_THRESHOLDS = 10
MOST_DAYS = 365
_WHOLE = 100
# Slots of an hour: a look that took place some minutes late must not cost the next one its slot.
_SLACK = timedelta(minutes=10)
_SOON, _LATER, _IDLE = timedelta(hours=1), timedelta(hours=6), timedelta(hours=24)
# A pace of 30 days and a balance don't shrink a runway to a third within hours, unless something ends; then it's soon.
_FAR = 3


class ThresholdKind(TextEnum):
    """What a threshold is measured in."""

    PERCENT = "percent", "Percent of the last purchase"
    CREDITS = "credits", "Credits"
    DAYS = "days", "Days that the credits last"


class Audience(TextEnum):
    """Whom an alert is mailed to."""

    ADMINS = "admins", "Owners and admins"
    REPORT_RECIPIENTS = "report_recipients", "Those who get the daily report"


BALANCE_KINDS = frozenset({ThresholdKind.PERCENT, ThresholdKind.CREDITS})


@dataclass(frozen=True, slots=True, order=True)
class Threshold:
    """`value` is in whole percents, micro-credits or whole days, as the kind says."""

    kind: ThresholdKind
    value: int

    def __str__(self) -> str:
        return f"{self.kind.value} {format_micro(self.value) if self.kind == ThresholdKind.CREDITS else self.value}"


DEFAULTS = (
    Threshold(ThresholdKind.PERCENT, 20),
    Threshold(ThresholdKind.DAYS, 7),
    Threshold(ThresholdKind.CREDITS, 0),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one look at a threshold found. `has_crossed`: somebody is told; `has_recovered`: it counts anew."""

    is_low: bool
    has_crossed: bool = False
    has_recovered: bool = False


def level_of(threshold: Threshold, *, last_purchase: int | None) -> int | None:
    """What the value is held against, in micro-credits or days; None for a percentage without a purchase yet."""
    if threshold.kind != ThresholdKind.PERCENT:
        return threshold.value
    return None if last_purchase is None else divide_half_away(last_purchase * threshold.value, _WHOLE)


def judge(was_low: bool | None, level: int, *, value: int | None, peak: int | None = None) -> Verdict:
    """Hold the value against the level. `value` None is more than any; `peak` is the most since the last look.

    `was_low` None: nobody looked before. What is low already then is no crossing, unless it was seen above since.
    """
    if value is None:
        return Verdict(is_low=False, has_recovered=was_low is True)
    was_above = was_low is False or _is_above_again(max(value, value if peak is None else peak), level)
    if was_low and not was_above:
        return Verdict(is_low=True)
    is_low = value <= level
    return Verdict(is_low, has_crossed=is_low and was_above, has_recovered=was_low is True and not is_low)


def _is_above_again(value: int, level: int) -> bool:
    """Above by a tenth of the level; of 0, above at all."""
    return value > level and value * 10 >= level * 11


def next_look(days: int | None, *, is_spending: bool, largest: int, now: datetime) -> datetime:
    """When the runway is computed again: the next hour where it is short or can't be told, else later the same day."""
    if not is_spending:
        return now + _IDLE - _SLACK
    is_far = days is not None and days > largest * _FAR
    return now + (_LATER if is_far else _SOON) - _SLACK


def event_of(threshold: Threshold) -> str:
    """The name of the event of a crossing (spec 13)."""
    is_end = threshold == Threshold(ThresholdKind.CREDITS, 0)
    return "balance.exhausted" if is_end else "balance.low"


def in_words(threshold: Threshold) -> str:
    """The threshold for people."""
    match threshold.kind:
        case ThresholdKind.PERCENT:
            return f"{threshold.value} % of the last purchase"
        case ThresholdKind.DAYS:
            return f"{threshold.value} {'day' if threshold.value == 1 else 'days'} at the usual pace"
        case ThresholdKind.CREDITS:
            return f"{show_micro(threshold.value)} credits"


class ThresholdError(ValueError):
    """What was typed is no threshold; `field` says where."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def read_thresholds(*, percent: str, credits: str, days: str) -> tuple[Threshold, ...]:  # noqa: A002 - the field's name
    """The thresholds that were typed, several in a field apart by spaces or semicolons; raises `ThresholdError`."""
    found = {
        *(_whole("percent", text, _WHOLE) for text in _split(percent)),
        *(_credits(text) for text in _split(credits)),
        *(_whole("days", text, MOST_DAYS) for text in _split(days)),
    }
    if len(found) > MOST_THRESHOLDS:
        raise ThresholdError("credits", f"There may be {MOST_THRESHOLDS} thresholds in all. Leave some out.")
    return tuple(sorted(found))


def write_thresholds(thresholds: Sequence[Threshold]) -> dict[str, str]:
    """The same as it is typed, by field."""
    values = {kind: sorted(one.value for one in thresholds if one.kind == kind) for kind in ThresholdKind}
    return {
        "percent": " ".join(map(str, values[ThresholdKind.PERCENT])),
        "credits": " ".join(map(format_micro, values[ThresholdKind.CREDITS])),
        "days": " ".join(map(str, values[ThresholdKind.DAYS])),
    }


def _split(text: str) -> list[str]:
    return text.replace(";", " ").replace("%", " ").split()


def _whole(field: str, text: str, most: int) -> Threshold:
    # Digits of ASCII alone, and few: int() would read others, and thousands of them slowly.
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        raise ThresholdError(field, f"“{text[:20]}” is no whole number from 1 to {most}.")
    return Threshold(ThresholdKind(field), int(text))


def _credits(text: str) -> Threshold:
    try:
        return Threshold(ThresholdKind.CREDITS, parse_amount(text))
    except (MalformedNumberError, NumberOutOfRangeError):
        most = show_micro(LARGEST_AMOUNT)
        raise ThresholdError(
            "credits", f"“{text[:20]}” is no number of credits from 0 to {most}. Write it like 500 or 12.5."
        ) from None
