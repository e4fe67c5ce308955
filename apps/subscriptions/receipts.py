"""Decision receipts read back: what a gate answered then, and what it would answer now (spec 05, Decision receipts).

Each kind of receipt is replayed by the app that gave it: it registers how with `register_replay`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from apps.core.enums import Role
from apps.core.errors import NotFoundError
from apps.core.ids import WorkspaceId
from apps.core.registry import Registry
from apps.subscriptions.enums import ReceiptKind
from apps.subscriptions.history import record_changes
from apps.subscriptions.ids import DecisionReceiptId
from apps.subscriptions.models import DecisionReceipt
from apps.subscriptions.rules.answers import GateAnswer, lifecycle_answer
from apps.subscriptions.selectors.lifecycle import workspace_facts


@dataclass(frozen=True, slots=True)
class Replay:
    """A stored answer beside today's. `changes` says in words what differs; empty: nothing has changed."""

    receipt: DecisionReceipt
    now: GateAnswer
    changes: tuple[str, ...]


Replayer = Callable[[DecisionReceipt], GateAnswer]
_replayers: Registry[Replayer] = Registry("replay of receipts")


def register_replay(kind: ReceiptKind, replayer: Replayer) -> None:
    """Say how receipts of this kind are asked again."""
    _replayers.register(kind.value, replayer)


def decision_receipt_of(receipt_id: DecisionReceiptId) -> DecisionReceipt:
    """The receipt; raises `NotFoundError`, which also answers for those older than 90 days."""
    receipt = DecisionReceipt.objects.filter(pk=receipt_id).first()
    if receipt is None:
        raise NotFoundError(f"There is no decision {receipt_id}. Receipts are kept for 90 days.")
    return receipt


def replay_now(receipt: DecisionReceipt, *, names_staff: bool = True) -> Replay:
    """Ask the receipt's question again, and say what has changed since, how and by whom. Raises what asking raises.

    Without `names_staff`, for readers outside, no member of staff is named.
    """
    now = _replayers.get(ReceiptKind(receipt.kind).value, replay_lifecycle)(receipt)
    return Replay(receipt, now, tuple(_changes(receipt, now, names_staff=names_staff)))


def replay_lifecycle(receipt: DecisionReceipt) -> GateAnswer:
    """The lifecycle's answer to the receipt's question today."""
    question = receipt.question
    role = Role(question["role"]) if question.get("role") else None
    return lifecycle_answer(workspace_facts(WorkspaceId(UUID(question["workspace_id"]))), question["operation"], role)


def _changes(receipt: DecisionReceipt, now: GateAnswer, *, names_staff: bool) -> list[str]:
    changes = []
    if (receipt.decision, receipt.code) != (now.verdict.value, now.code):
        changes.append(f"the answer was {receipt.decision} ({receipt.code}) and is {now.verdict.value} ({now.code})")
    then = {entry["record"]: entry["version"] for entry in receipt.records}
    today = {read.record: read.version for read in now.records}
    for record in sorted(then.keys() | today.keys()):
        if then.get(record) != today.get(record):
            by = "; ".join(record_changes(record, receipt.created_at, names_staff=names_staff))
            was = f"{record} was {then.get(record, 'absent')} and is {today.get(record, 'absent')}"
            changes.append(f"{was}: {by}" if by else was)
    return changes
