"""THE decision about credits: facts and a question in, an answer with its ordered chain of rules out (spec 05). Pure.

Authorize answers with it, consume explains its refusals with it, and "replay now" asks it again. The first rule that
denies decides. `compile_gate` prepares the lifecycle's part for the statement that consumes.
"""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple

import msgspec

from apps.core.amounts import NumberOutOfRangeError, format_micro
from apps.core.enums import LifecycleNeed, LifecycleState
from apps.core.errors import Reason
from apps.core.ids import OrganizationId, WorkspaceId
from apps.credits.contracts import CreditFacts, Question
from apps.credits.rules.allocation import affordable, available
from apps.credits.rules.pricing import PolicyTerms, charge_for, free_left, split_free
from apps.subscriptions.enums import ManagedBy, PaymentStatus, SubscriptionState, SubscriptionStatus, Verdict
from apps.subscriptions.ids import WorkspaceSubscriptionId
from apps.subscriptions.rules.answers import GateAnswer, RecordRead, warnings_of
from apps.subscriptions.rules.lifecycle import (
    Allowance,
    LifecycleDecision,
    LifecycleFacts,
    RuleOutcome,
    SubscriptionFacts,
    resolve,
)
from apps.tenants.missing_rules import MissingFacts, explain_missing

_LETTERS = {
    Allowance.YES: "y",
    Allowance.WITH_WARNING: "w",
    Allowance.FROM_GRANTS_ONLY: "g",
    Allowance.OWNER_ONLY: "o",
    Allowance.NO: "n",
}
_NOBODY = uuid.UUID(int=0)
_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)


class Decision(msgspec.Struct, frozen=True):
    """What we answer, to which question, upon which facts. `price` is None where the operation has none."""

    facts: CreditFacts
    question: Question
    verdict: Verdict
    code: str
    chain: tuple[Reason, ...]
    price: int | None
    lifecycle: LifecycleDecision | None
    warnings: tuple[str, ...]
    # How much of the quantity the price counts as free.
    free_quantity: int

    @property
    def is_allowed(self) -> bool:
        return self.verdict is Verdict.ALLOW

    @property
    def answer(self) -> GateAnswer:
        """The answer with the records that it rests on, as a receipt keeps it. Most answers are not kept."""
        return GateAnswer(self.verdict, self.code, self.chain, _records(self.facts, self.question))


def decide(
    facts: CreditFacts,
    terms: PolicyTerms | None,
    question: Question,
    *,
    at: datetime,
    outcome: str | None = None,
    is_booked: bool = False,
    missing: Reason | None = None,
) -> Decision:
    """Whether the account may consume. `outcome` None asks before the run; then it counts as billable.

    `missing` says why the acting user is no member, where that has been read.
    What `is_booked` has happened already: membership, lifecycle and balance don't deny it (spec 05, Calls).
    """
    chain: list[Reason] = []
    lifecycle, allowance, warnings = _consumption_by_lifecycle(facts, question, at)
    code = _membership(facts, question, chain, missing)
    if code is None and lifecycle is not None:
        code = _lifecycle(lifecycle, allowance, question, chain)
    code = None if is_booked else code
    code, charge = _price(facts, terms, question, outcome, chain) if code is None else (code, None)
    if charge is not None and not (is_booked and facts.has_account):
        code = _affordable(facts, question, allowance, charge.amount, chain)
    return Decision(
        facts=facts,
        question=question,
        verdict=Verdict.DENY if code else Verdict.ALLOW,
        code=code or "ok",
        chain=tuple(chain),
        price=charge.amount if charge else None,
        lifecycle=lifecycle,
        free_quantity=charge.free if charge else 0,
        warnings=warnings,
    )


def booking_warnings(facts: CreditFacts, question: Question, at: datetime) -> list[str]:
    """What would have denied a run that is booked all the same, as it has happened (spec 05, Calls)."""
    allowance = resolve(facts.lifecycle_facts(question.workspace_id, at)).allowance(LifecycleNeed.CONSUME)
    is_member = question.user_id is None or facts.role is not None
    return [
        *([] if is_member else ["booked_though_not_a_member"]),
        *([] if allowance.permits(None) else ["booked_though_lifecycle_denied"]),
    ]


def _consumption_by_lifecycle(
    facts: CreditFacts, question: Question, at: datetime
) -> tuple[LifecycleDecision | None, Allowance, tuple[str, ...]]:
    """The lifecycle, what it says of consumption, and its warnings. Without an account nothing is denied."""
    if facts.organization_id is None:
        return None, Allowance.YES, ()
    lived = facts.lifecycle_facts(question.workspace_id, at)
    lifecycle = resolve(lived)
    return lifecycle, lifecycle.allowance(LifecycleNeed.CONSUME), warnings_of(lived, lifecycle)


def _membership(
    facts: CreditFacts, question: Question, chain: list[Reason], missing: Reason | None = None
) -> str | None:
    record = f"organization:{facts.organization_id}" if facts.organization_id else ""
    if question.user_id is None or facts.organization_id is None:
        chain.append(Reason("membership", "pass", "the request names no acting user of an organization", record))
        return None
    if facts.role is None:
        chain.append(missing or explain_missing(MissingFacts(facts.organization_id, question.user_id)))
        return "not_a_member"
    chain.append(Reason("membership", "allow", f"user {question.user_id} is {facts.role}", record))
    return None


def _lifecycle(
    decision: LifecycleDecision, allowance: Allowance, question: Question, chain: list[Reason]
) -> str | None:
    is_allowed = allowance.permits(None)
    verdict = "allow" if is_allowed else "deny"
    for step in decision.trace:
        if question.workspace_id is not None or not step.record.startswith("workspace:"):
            outcome = "pass" if step.outcome is RuleOutcome.PASSES else verdict
            chain.append(Reason(step.rule, outcome, step.fact, step.record))
    fact = f"in the lifecycle {decision.state.value}, credits may be consumed: {allowance.value}"
    chain.append(Reason("lifecycle", verdict, fact))
    return None if is_allowed else "lifecycle_denied"


class _Charge(NamedTuple):
    """What is due, and how much of the quantity is free."""

    amount: int
    free: int


def _price(
    facts: CreditFacts, terms: PolicyTerms | None, question: Question, outcome: str | None, chain: list[Reason]
) -> tuple[str | None, _Charge | None]:
    """A refusal or a charge, never both."""
    if terms is None:
        chain.append(Reason("policy", "deny", "the product has no published credit policy in force"))
        return "unknown_operation", None
    record, price = f"credit_policy:{terms.id}", terms.prices.get(question.operation)
    if price is None:
        fact = f"policy version {terms.version} has no operation {question.operation}"
        chain.append(Reason("policy", "deny", fact, record))
        return "unknown_operation", None
    if outcome is not None and not price.knows(outcome):
        fact = f"policy version {terms.version} has no outcome {outcome} for {price.operation}"
        chain.append(Reason("policy", "deny", fact, record))
        return "unknown_outcome", None
    if facts.category_override or (outcome is not None and not price.bills(outcome)):
        why = f"usage counts as {facts.category_override}" if facts.category_override else f"{outcome} is not billable"
        chain.append(Reason("policy", "allow", f"{why}, so nothing is charged", record))
        return None, _Charge(0, 0)
    left = free_left(price, facts.free_used)
    try:
        charge = charge_for(price, question.quantity, free_left=left)
    except NumberOutOfRangeError as error:
        chain.append(Reason("policy", "deny", str(error), record))
        return "charge_too_large", None
    quantity = format_micro(question.quantity)
    costs = f"costs {format_micro(charge)} by policy version {terms.version}"
    fact = f"{price.operation}: {quantity} (unit: {price.unit}) {costs}"
    chain.append(Reason("policy", "allow", fact, record))
    return None, _Charge(charge, split_free(question.quantity, left)[0])


def _affordable(
    facts: CreditFacts, question: Question, allowance: Allowance, charge: int, chain: list[Reason]
) -> str | None:
    record = f"credit_account:{facts.organization_id}" if facts.has_account else ""
    limit = 0 if allowance is Allowance.FROM_GRANTS_ONLY else facts.overdraft_limit
    left = available(facts.balance, facts.held, limit)
    if not facts.has_account:
        fact = f"{question.account} has no account yet; it is made with the first grant"
        chain.append(Reason("balance", "deny", fact, record))
        return "insufficient_credits"
    is_enough = affordable(charge, left)
    fact = f"{format_micro(charge)} is due and {format_micro(left)} is available"
    chain.append(Reason("balance", "allow" if is_enough else "deny", fact, record))
    return None if is_enough else "insufficient_credits"


def _records(facts: CreditFacts, question: Question) -> tuple[RecordRead, ...]:
    if facts.organization_id is None:
        return ()
    organization_id, subscription = facts.organization_id, facts.subscription
    read = [
        RecordRead(f"organization:{organization_id}", facts.closed_at.isoformat() if facts.closed_at else "open"),
        RecordRead(f"payment_config:{organization_id}", str(facts.config_version or 0)),
        RecordRead(f"credit_account:{organization_id}", f"balance {facts.balance}, held {facts.held}"),
    ]
    if question.user_id is not None:
        read.append(RecordRead(f"membership:{organization_id}:{question.user_id}", facts.role or "none"))
    if question.workspace_id is not None:
        read.append(RecordRead(f"workspace:{question.workspace_id}", facts.overlay_state or "no overlay"))
    if subscription is not None:
        read.append(RecordRead(f"workspace_subscription:{subscription.id}", str(subscription.version)))
    if facts.policy_id is not None:
        read.append(RecordRead(f"credit_policy:{facts.policy_id}", str(facts.policy_version)))
    return tuple(read)


@dataclass(frozen=True, slots=True)
class CompiledGate:
    """The letters, and the values of each axis in their order; "" stands for no record and for no overlay.

    Before these axes stands whether the organization is closed, and last whether only named workspaces are sold.
    """

    letters: str
    payments: tuple[str, ...]
    states: tuple[str, ...]
    overlays: tuple[str, ...]
    statuses: tuple[str, ...]


@cache
def compile_gate() -> CompiledGate:
    """The lifecycle resolver's answer for consumption to every combination of the facts that it reads.

    One statement decides and books a consumption, and a statement can't call Python. It gets these answers as letters
    in the order of the axes, and looks up the place of the facts that it has just read: no rule is written twice.
    """
    payments = tuple(PaymentStatus.values)
    states = ("", *SubscriptionState.values)
    overlays = ("", *LifecycleState.values)
    statuses = tuple(SubscriptionStatus.values)
    combinations = itertools.product((False, True), payments, states, overlays, statuses, (False, True))
    letters = "".join(_LETTERS[_allowance(*combination)] for combination in combinations)
    return CompiledGate(letters, payments, states, overlays, statuses)


def _allowance(
    is_closed: bool, payment: str, state: str, overlay: str, status: str, only_named_workspaces: bool
) -> Allowance:
    subscription = (
        SubscriptionFacts(
            id=WorkspaceSubscriptionId(_NOBODY), state=SubscriptionState(state), managed_by=ManagedBy.STAFF, version=1
        )
        if state
        else None
    )
    facts = LifecycleFacts(
        workspace_id=WorkspaceId(_NOBODY),
        organization_id=OrganizationId(_NOBODY),
        at=_SOME_DAY,
        organization_closed_at=_SOME_DAY if is_closed else None,
        payment_status=PaymentStatus(payment),
        subscription_status=SubscriptionStatus(status),
        only_named_workspaces=only_named_workspaces,
        subscription=subscription,
        overlay=LifecycleState(overlay) if overlay else None,
    )
    return resolve(facts).allowance(LifecycleNeed.CONSUME)
