"""Which mirrored subscription a workspace's record follows, and which are sold and charged (spec 03, 04). Pure."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest

from apps.payments.enums import ProviderSubscriptionStatus
from apps.payments.rules.following import SubscriptionFacts, SubscriptionName, charged, followed, is_sold
from tests.payments.cast import NOON

DAY = timedelta(days=1)
A, B = SubscriptionName("stripe", "sub_a"), SubscriptionName("orb", "sub_b")


def facts(name: SubscriptionName, status: str, start: int | None, end: int | None = None) -> SubscriptionFacts:
    return SubscriptionFacts(
        name,
        ProviderSubscriptionStatus(status),
        None if start is None else NOON + start * DAY,
        None if end is None else NOON + end * DAY,
    )


# Status and days of two subscriptions; which one is followed, and which are charged.
PAIRS: list[tuple[tuple[Any, ...], tuple[Any, ...], SubscriptionName | None, str]] = [
    (("active", 0), ("active", 1), B, "ab"),
    (("active", 1), ("trialing", 0), A, "ab"),
    (("active", 0), ("trialing", 1), B, "ab"),
    (("past_due", 5), ("active", 0), B, "ab"),
    (("paused", 5), ("past_due", 0), B, "b"),
    (("ended", 5, 6), ("paused", 0), B, ""),
    (("ended", 0, 9), ("ended", 1, 2), B, ""),
    (("ended", 0, 9), ("ended", 10, 10), A, ""),  # what ended as it started never ran
    (("ended", None, 9), ("incomplete", 1), None, ""),
    (("ended", 0, None), ("incomplete", 1), None, ""),  # nobody has told when it ended
    (("active", None), ("active", 0), B, "ab"),
    (("active", 0), ("incomplete", 1), A, "a"),
]


@pytest.mark.parametrize(("first", "second", "wanted", "paid"), PAIRS)
def test_which_of_two_is_followed_whatever_their_order(
    first: tuple[Any, ...], second: tuple[Any, ...], wanted: SubscriptionName | None, paid: str
) -> None:
    pair = [facts(A, *first), facts(B, *second)]
    names = tuple(sorted({"a": A, "b": B}[letter] for letter in paid))
    for order in (pair, pair[::-1]):
        assert (followed(order), charged(order)) == (wanted, names)


@pytest.mark.parametrize(
    ("start", "after", "wanted"),
    [
        (None, None, A),
        (0, None, A),
        (None, 0, None),
        (0, 0, None),
        (1, 0, A),
        (0, 1, None),
    ],
)
def test_of_those_after_a_moment_only_what_started_later_counts(
    start: int | None, after: int | None, wanted: SubscriptionName | None
) -> None:
    moment = None if after is None else NOON + after * DAY
    for status in ("active", "past_due", "paused"):
        assert followed([facts(A, status, start)], after=moment) == wanted
    assert followed([facts(A, "incomplete", start)], after=moment) is None


def test_what_runs_or_is_paused_is_sold_and_nothing_else() -> None:
    kinds = [
        *(facts(A, status.value, 0, 1) for status in ProviderSubscriptionStatus),
        facts(A, "ended", 1, 1),
        facts(A, "ended", None),
    ]
    for size in range(3):
        for known in itertools.combinations(kinds, size):
            runs = {one.status.value for one in known} & {"trialing", "active", "past_due", "paused"}
            assert is_sold(known) is bool(runs), known
