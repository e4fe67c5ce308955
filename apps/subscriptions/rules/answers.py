"""What a gate answers about one operation: the verdict, the rules that were tried, the records that were read. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.core.enums import LifecycleNeed, Role
from apps.core.errors import Reason
from apps.core.operations import OPERATIONS
from apps.subscriptions.enums import PaymentStatus, SubscriptionState, Verdict
from apps.subscriptions.rules.lifecycle import Allowance, LifecycleDecision, LifecycleFacts, resolve


@dataclass(frozen=True, slots=True)
class RecordRead:
    """One record that an answer rests on, and the version that was read."""

    record: str
    version: str


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """What a gate says to one question, with the ordered chain of the rules tried and the records read."""

    verdict: Verdict
    code: str
    chain: tuple[Reason, ...]
    records: tuple[RecordRead, ...]


def lifecycle_answer(facts: LifecycleFacts, operation: str, role: Role | None) -> GateAnswer:
    """Whether the lifecycle lets a caller with this role do the operation, with the whole chain. Pure."""
    decision, need = resolve(facts), OPERATIONS[operation].lifecycle
    is_allowed = decision.permits(need, role=role)
    return GateAnswer(
        verdict=Verdict.ALLOW if is_allowed else Verdict.DENY,
        code="ok" if is_allowed else "lifecycle_denied",
        chain=_chain(decision, need, is_allowed=is_allowed),
        records=_records(facts),
    )


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


def warnings_of(facts: LifecycleFacts, decision: LifecycleDecision) -> tuple[str, ...]:
    """Which codes go with an answer that is allowed with a warning: what is late, or who set it."""
    if decision.allowance(LifecycleNeed.CONSUME) is not Allowance.WITH_WARNING:
        return ()
    record, late = facts.subscription, []
    if facts.payment_status is PaymentStatus.GRACE_PERIOD:
        late.append("payment_grace_period")
    if record is not None and record.state is SubscriptionState.PAST_DUE:
        late.append("subscription_past_due")
    return tuple(late) or ("grace_set_by_staff",)
