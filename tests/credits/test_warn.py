"""Each warning of an answer names what is late, or who set it (spec 05)."""

from __future__ import annotations

import uuid
from typing import Any

from apps.credits.rules.decision import decide
from tests.credits.test_decide import NOW, TERMS, facts_of, question_of


def test_each_warning_names_what_is_late() -> None:
    past_due = {
        "subscription_id": uuid.UUID(int=5),
        "subscription_state": "past_due",
        "managed_by": "stripe",
        "subscription_version": 1,
    }
    late: list[tuple[dict[str, Any], tuple[str, ...]]] = [
        (past_due, ("subscription_past_due",)),
        ({**past_due, "payment_status": "grace_period"}, ("payment_grace_period", "subscription_past_due")),
        ({"overlay_state": "grace"}, ("grace_set_by_staff",)),
    ]
    for values, wanted in late:
        assert decide(facts_of(**values), TERMS, question_of(), at=NOW).warnings == wanted
