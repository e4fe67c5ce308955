"""The question of a stored receipt asked again: what would the gate of credits answer now? (spec 05)"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from apps.core import clock
from apps.credits.contracts import AccountRef, Question
from apps.credits.enums import AccountType
from apps.credits.rules.decision import decide
from apps.credits.selectors.facts import credit_facts
from apps.credits.selectors.policies import terms_in_force
from apps.subscriptions.models import DecisionReceipt
from apps.subscriptions.rules.answers import GateAnswer


def replay_credits(receipt: DecisionReceipt) -> GateAnswer:
    """Today's answer; nothing is kept or changed."""
    asked: dict[str, Any] = receipt.question
    product_id = _uuid(asked["product_id"])
    question = Question(
        account=AccountRef(AccountType(asked["account_type"]), UUID(asked["account_id"])),
        operation=asked["operation"],
        quantity=asked["quantity"],
        user_id=_uuid(asked["user_id"]),
        workspace_id=_uuid(asked["workspace_id"]),
    )
    now = clock.now()
    terms = terms_in_force(product_id, now) if product_id else None
    facts = credit_facts(product_id, question, now)
    return decide(facts, terms, question, at=now, outcome=asked["outcome"]).answer


def _uuid(text: str | None) -> UUID | None:
    return UUID(text) if text else None
