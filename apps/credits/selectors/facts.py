"""The facts of one decision, in one statement."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from apps.core.statements import fetch_all
from apps.credits.contracts import CreditFacts, Question

_ROW = msgspec.json.Decoder(CreditFacts)
_FACTS = "SELECT to_jsonb(f) FROM credits_facts($1, $2, $3, $4, $5, $6, $7) f"


def credit_facts(product_id: UUID | None, question: Question, at: datetime) -> CreditFacts:
    """Everything that the decision rests on, as committed now."""
    account = question.account
    [(row,)] = fetch_all(
        _FACTS,
        (at, product_id, account.type.value, account.id, question.user_id, question.workspace_id, question.operation),
    )
    return _ROW.decode(row)
