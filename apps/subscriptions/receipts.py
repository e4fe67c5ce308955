"""Decision receipts read back: what a gate answered then, and what it would answer now (spec 05, Decision receipts).

Each kind of receipt is replayed by the app that gave it: it registers how with `register_replay`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.core.enums import LifecycleNeed, Role
from apps.core.errors import NotFoundError, Reason
from apps.core.ids import WorkspaceId
from apps.core.operations import OPERATIONS
from apps.subscriptions.enums import ReceiptKind, Verdict
from apps.subscriptions.ids import DecisionReceiptId
from apps.subscriptions.models import DecisionReceipt
from apps.subscriptions.rules.lifecycle import LifecycleDecision, LifecycleFacts, resolve
from apps.subscriptions.selectors.lifecycle import workspace_facts


@dataclass(frozen=True, slots=True)
class RecordRead:
    """One record that an answer rests on, and the version that was read."""

    record: str
    version: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a gate says to one question, with the ordered chain of the rules tried and the records read."""

    verdict: Verdict
    code: str
    chain: tuple[Reason, ...]
    records: tuple[RecordRead, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """A stored answer beside today's. `changes` says in words what differs; empty: nothing has changed."""

    receipt: DecisionReceipt
    now: Answer
    changes: tuple[str, ...]


Replayer = Callable[[DecisionReceipt], Answer]
_replayers: dict[ReceiptKind, Replayer] = {}


def register_replay(kind: ReceiptKind, replayer: Replayer) -> None:
    """Say how receipts of this kind are asked again."""
    if kind in _replayers:
        raise RuntimeError(f"The replay of {kind.value} receipts is registered twice.")
    _replayers[kind] = replayer


def lifecycle_answer(facts: LifecycleFacts, operation: str, role: Role | None) -> Answer:
    """Whether the lifecycle lets a caller with this role do the operation, with the whole chain. Pure."""
    decision, need = resolve(facts), OPERATIONS[operation].lifecycle
    is_allowed = decision.permits(need, role=role)
    return Answer(
        verdict=Verdict.ALLOW if is_allowed else Verdict.DENY,
        code="ok" if is_allowed else "lifecycle_denied",
        chain=_chain(decision, need, is_allowed=is_allowed),
        records=_records(facts),
    )


def decision_receipt_of(receipt_id: DecisionReceiptId) -> DecisionReceipt:
    """The receipt; raises `NotFoundError`, which also answers for those older than 90 days."""
    receipt = DecisionReceipt.objects.filter(pk=receipt_id).first()
    if receipt is None:
        raise NotFoundError(f"There is no decision {receipt_id}. Receipts are kept for 90 days.")
    return receipt


def replay_now(receipt: DecisionReceipt) -> Replay:
    """Ask the receipt's question again, and say what has changed since. Raises what asking raises."""
    now = _replayers.get(ReceiptKind(receipt.kind), replay_lifecycle)(receipt)
    return Replay(receipt, now, tuple(_changes(receipt, now)))


def replay_lifecycle(receipt: DecisionReceipt) -> Answer:
    """The lifecycle's answer to the receipt's question today."""
    question = receipt.question
    role = Role(question["role"]) if question.get("role") else None
    return lifecycle_answer(workspace_facts(WorkspaceId(UUID(question["workspace_id"]))), question["operation"], role)


def chain_values(chain: Sequence[Reason]) -> list[dict[str, Any]]:
    """The chain as a receipt keeps it, and as spec 09 writes an explanation."""
    return [{"rule": step.rule, "outcome": step.outcome, "fact": step.fact, "record": step.record} for step in chain]


def _chain(decision: LifecycleDecision, need: LifecycleNeed, *, is_allowed: bool) -> tuple[Reason, ...]:
    verdict = Verdict.ALLOW.value if is_allowed else Verdict.DENY.value
    deciding = decision.reasons
    steps = [
        Reason(step.rule, verdict if step in deciding else "pass", step.fact, step.record) for step in decision.trace
    ]
    allowance = decision.allowance(need).value
    fact = f"in the lifecycle {decision.state.value}, {need.label.lower()}: {allowance}"
    return (*steps, Reason("lifecycle", verdict, fact, f"workspace:{decision.workspace_id}"))


def _records(facts: LifecycleFacts) -> tuple[RecordRead, ...]:
    closed = facts.organization_closed_at.isoformat() if facts.organization_closed_at else "open"
    overlay = facts.overlay.value if facts.overlay else "no overlay"
    record = facts.subscription
    return (
        RecordRead(f"organization:{facts.organization_id}", closed),
        RecordRead(f"payment_config:{facts.organization_id}", str(facts.payment_config_version)),
        RecordRead(f"workspace:{facts.workspace_id}", overlay),
        *([RecordRead(f"workspace_subscription:{record.id}", str(record.version))] if record else []),
    )


def _changes(receipt: DecisionReceipt, now: Answer) -> list[str]:
    changes = []
    if (receipt.decision, receipt.code) != (now.verdict.value, now.code):
        changes.append(f"the answer was {receipt.decision} ({receipt.code}) and is {now.verdict.value} ({now.code})")
    then = {entry["record"]: entry["version"] for entry in receipt.records}
    today = {read.record: read.version for read in now.records}
    moved = (record for record in sorted(then.keys() | today.keys()) if then.get(record) != today.get(record))
    changes.extend(
        f"{record} was {then.get(record, 'absent')} and is {today.get(record, 'absent')}" for record in moved
    )
    return changes
