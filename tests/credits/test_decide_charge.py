"""What the decision about credits charges, what of it is free, and what is booked though denied (spec 05). Pure."""

from __future__ import annotations

from typing import Any

import pytest

from apps.core.amounts import MICRO
from apps.credits.rules.decision import booking_warnings, decide
from tests.credits.test_decide import AMOUNTS, LIFECYCLES, NOW, POLICY, TERMS, USER, facts_of, question_of, told


@pytest.mark.parametrize(
    ("values", "outcome", "said"),
    [({"category_override": "internal"}, None, "usage counts as internal"), ({}, "failed", "failed is not billable")],
)
def test_what_is_not_charged_says_why(values: dict[str, Any], outcome: str | None, said: str) -> None:
    decision = decide(facts_of(**values), TERMS, question_of(operation="scan"), at=NOW, outcome=outcome)
    assert (decision.price, decision.free_quantity) == (0, 0)
    assert told(decision, "policy") == ("allow", f"credit_policy:{POLICY}", f"{said}, so nothing is charged")


@pytest.mark.parametrize(
    ("values", "used", "outcome", "price", "free"),
    [
        ({"quantity": 3 * MICRO}, 0, None, 6, 0),
        ({"operation": "scan", "quantity": 4 * MICRO}, 0, None, 0, 4),
        ({"operation": "scan", "quantity": 5 * MICRO}, 0, None, 3, 4),
        ({"operation": "scan", "quantity": 8 * MICRO}, 0, None, 4, 4),
        ({"operation": "scan", "quantity": 8 * MICRO}, 3 * MICRO, "succeeded", 7, 1),
        ({"operation": "scan", "quantity": 8 * MICRO}, 9 * MICRO, "succeeded", 8, 0),
        ({"operation": "scan", "quantity": 8 * MICRO}, 9 * MICRO, "failed", 0, 0),
        ({"operation": "scan", "quantity": 8 * MICRO}, 0, "failed", 0, 0),
    ],
)
def test_the_price_is_that_of_what_is_not_free(
    values: dict[str, Any], used: int, outcome: str | None, price: int, free: int
) -> None:
    decision = decide(facts_of(free_used=used), TERMS, question_of(**values), at=NOW, outcome=outcome)
    assert (decision.code, decision.price, decision.free_quantity) == ("ok", price * MICRO, free * MICRO)


@pytest.mark.parametrize("lifecycle", LIFECYCLES)
@pytest.mark.parametrize("member", ["nobody", "member", "stranger"])
def test_what_has_happened_is_booked_whoever_ran_it_and_whatever_is_left(lifecycle: str, member: str) -> None:
    """What would have denied it is told as warnings instead (spec 05, Calls)."""
    question = question_of(user_id=None if member == "nobody" else USER)
    role = "member" if member == "member" else None
    facts = facts_of(**LIFECYCLES[lifecycle], role=role, balance=-100 * MICRO)
    decision = decide(facts, TERMS, question, at=NOW, is_booked=True)
    assert (decision.code, decision.price) == ("ok", 2 * MICRO)
    assert "balance" not in {step.rule for step in decision.chain}
    warnings = [
        *(["booked_though_not_a_member"] if member == "stranger" else []),
        *(["booked_though_lifecycle_denied"] if lifecycle in {"no", "closed"} else []),
    ]
    assert booking_warnings(facts, question, NOW) == warnings


def test_what_has_happened_is_not_booked_without_a_price_or_an_account() -> None:
    assert decide(facts_of(), None, question_of(), at=NOW, is_booked=True).code == "unknown_operation"
    assert decide(facts_of(), TERMS, question_of(), at=NOW, outcome="?", is_booked=True).code == "unknown_outcome"
    none = facts_of(has_account=False, **dict.fromkeys(AMOUNTS, 0))
    assert decide(none, TERMS, question_of(), at=NOW, is_booked=True).code == "insufficient_credits"
