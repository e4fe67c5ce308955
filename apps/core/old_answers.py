"""Old answers to idempotency keys: what stays of them, and how they are told (spec 14, Years of data).

The key and its hash stay for ever. What an answer said beyond ids is made of the records that it was about.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from apps.core.models import IdempotencyRecord
from apps.core.registry import Registry
from apps.core.states import IdempotencyOutcome

Rebuild = Callable[[Mapping[str, Any]], Mapping[str, Any]]
# Stands for the reasons of an old refusal.
GONE = {
    "rule": "first_request",
    "outcome": "deny",
    "fact": "the first request with this key was refused, so long ago that its details are no longer kept",
}
_KEPT_OF_REFUSAL = frozenset({"kind", "code", "title", "decision_id"})


@dataclass(frozen=True, slots=True)
class _Rebuilt:
    kept: frozenset[str]
    rebuild: Rebuild


_rebuilt: Registry[_Rebuilt] = Registry("rebuilt answer")


def register_rebuilt_answer(operation: str, *, kept: Collection[str], rebuild: Rebuild) -> None:
    """Say which names of an old answer stay, and how the answer is made of them again.

    Answers of other operations, which are ids and amounts alone, stay whole.
    """
    _rebuilt.register(operation, _Rebuilt(frozenset(kept), rebuild))


def reduce_answer(record: IdempotencyRecord) -> dict[str, Any]:
    """What stays of the record's answer when it is old."""
    answer: dict[str, Any] = record.answer
    if record.outcome == IdempotencyOutcome.REFUSED:
        return {name: value for name, value in answer.items() if name in _KEPT_OF_REFUSAL}
    known = _rebuilt.get(record.operation)
    if known is None or not known.kept <= answer.keys():
        return answer
    return {name: answer[name] for name in known.kept}


def rebuild_answer(operation: str, stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer to tell: the stored one, or made of what stayed of it."""
    known = _rebuilt.get(operation)
    return known.rebuild(stored) if known is not None and stored.keys() == known.kept else stored
