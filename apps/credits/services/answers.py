"""Answers that were given so long ago that only their ids are kept, made of what the ledger says (spec 14)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Func, Value

from apps.core.models import IdempotencyRecord
from apps.core.old_answers import register_rebuilt_answer
from apps.credits.models import CreditEntry
from apps.credits.selectors.as_of import standing_at
from apps.credits.services.decisions import CONSUME_OPERATION

# What is kept of each operation's answer.
_CONSUMPTION_KEPT = frozenset({"entry_id"})
_CAPTURE_KEPT = frozenset({"entry_id", "hold_id"})
# All but the explanation, which is most of it and names people.
_AUTHORIZATION_KEPT = frozenset(
    {
        *("decision", "code", "decided_by", "price", "balance", "held", "available", "lifecycle", "free_month_ends_at"),
        *("warnings", "decision_id", "hold"),
    }
)


def _rebuild_consumption(kept: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a consumption, but for the warnings that it had."""
    return _rebuild(CreditEntry.objects.select_related("account").get(pk=kept["entry_id"]))


def _rebuild_capture(kept: Mapping[str, Any]) -> dict[str, Any]:
    entry = CreditEntry.objects.select_related("account").get(pk=kept["entry_id"])
    answer = {**_rebuild(entry), "hold_id": kept["hold_id"], "warnings": []}
    answer.pop("late")
    return answer


def _rebuild(entry: CreditEntry) -> dict[str, Any]:
    then = standing_at(entry.account, entry.recorded_at)
    answer = {
        "entry_id": str(entry.pk),
        "charged": -entry.amount,
        "balance": entry.balance_after,
        "held": then.held,
        "available": entry.balance_after - then.held + then.overdraft_limit,
        "category": entry.category,
        "billable": entry.is_billable,
        "policy_version": entry.policy_version,
        "late": entry.is_late,
    }
    if entry.local_charge is not None:
        answer |= {"decided_by": "local", "shadow_charge": entry.shadow_charge}
    return answer


def find_consumption(scope: str, key: str) -> IdempotencyRecord | None:
    """The consumption that is the record of its key, as the store would say it."""
    entries = CreditEntry.objects.filter(pk=Func(Value(scope), Value(key), function="credits_entry_of_key"))
    booked_at = entries.values_list("recorded_at", flat=True).first()
    if booked_at is None:
        return None
    return IdempotencyRecord(scope=scope, key=key, operation=CONSUME_OPERATION, created_at=booked_at)


def register_rebuilt_answers() -> None:
    """Tell the idempotency store. Grants, reversals and the like answer with ids and amounts alone, and stay whole."""
    register_rebuilt_answer(CONSUME_OPERATION, kept=_CONSUMPTION_KEPT, rebuild=_rebuild_consumption)
    register_rebuilt_answer("holds.capture", kept=_CAPTURE_KEPT, rebuild=_rebuild_capture)
    register_rebuilt_answer(
        "credits.authorize", kept=_AUTHORIZATION_KEPT, rebuild=lambda kept: {**kept, "explanation": []}
    )
