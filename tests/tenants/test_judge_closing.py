"""THE rules of closing and reopening: each combination of the facts, and the last moment to reopen."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from apps.tenants.closing_rules import (
    REOPEN_WITHIN,
    ClosingFacts,
    OpenItem,
    refuse_close,
    refuse_reopen,
    reopens_until,
)

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
INVOICE = OpenItem("open_invoice", "the invoice CH-1 of 49.00 EUR, due on 3 April 2026", "invoice:in_1")
HOLD = OpenItem("open_holds", "2 holds of 5 credits, open until 13:00 UTC at the latest", "credit_account:x")
ITEMS = [(), (INVOICE,), (HOLD,), (INVOICE, HOLD)]
# Closed: never, now, on the last day to reopen, a moment before the end, at the end, and long ago.
AGES = [None, *(timedelta(seconds=s) for s in (0, 89 * 86_400, 90 * 86_400 - 1, 90 * 86_400, 400 * 86_400))]
CELLS = list(itertools.product(AGES, (False, True), ITEMS, (False, True)))


def facts_of(age: timedelta | None, is_sample: bool, items: tuple[OpenItem, ...]) -> ClosingFacts:
    return ClosingFacts(NOON, None if age is None else NOON - age, is_sample, items)


@pytest.mark.parametrize(("age", "is_sample", "items", "is_forced"), CELLS)
def test_a_close_is_refused_by_what_is_open_unless_forced(
    age: timedelta | None, is_sample: bool, items: tuple[OpenItem, ...], is_forced: bool
) -> None:
    refusal = refuse_close(facts_of(age, is_sample, items), is_forced=is_forced)
    expected = None
    if age is not None:
        expected = "organization_closed"
    elif is_sample or (items and not is_forced):
        expected = "closing_blocked"
    assert (refusal.code if refusal else None) == expected
    if expected == "closing_blocked" and not is_sample:
        assert refusal is not None
        assert [(reason.rule, reason.fact, reason.record) for reason in refusal.reasons] == [
            (item.rule, item.fact, item.record) for item in items
        ]
        assert all(item.fact in refusal.detail for item in items)


@pytest.mark.parametrize(("age", "is_sample", "items", "is_forced"), CELLS)
def test_a_reopening_is_refused_after_90_days_and_whatever_else_is_open(
    age: timedelta | None, is_sample: bool, items: tuple[OpenItem, ...], is_forced: bool
) -> None:
    refusal = refuse_reopen(facts_of(age, is_sample, items))
    expected: str | None = "state_conflict"
    if age is not None:
        expected = "reopening_expired" if is_sample or age >= timedelta(days=90) else None
    assert (refusal.code if refusal else None) == expected


def test_the_days_to_reopen_are_told_to_the_moment() -> None:
    assert reopens_until(NOON) - NOON == REOPEN_WITHIN == timedelta(days=90)
    refusal = refuse_reopen(ClosingFacts(NOON + REOPEN_WITHIN, NOON))
    assert refusal is not None
    assert "closed on 1 April 2026 and could be reopened until 30 June 2026" in refusal.detail


def test_a_close_without_anything_open_needs_no_force() -> None:
    assert refuse_close(ClosingFacts(NOON), is_forced=False) is None
