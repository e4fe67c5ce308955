"""THE WorkspaceLifecycleResolver: facts in, a decision with its whole trace out (spec 03).

Pure: the runtime gate, the preview, the as-of view and the decision receipts all call this one function. It makes some
ten small records for each request, so they are Structs: a frozen dataclass takes ten times as long to make.

The rules are tried in order; the first that matches decides. Then, whatever rule decided, a payment status of
`grace_period` lowers `trial` and `active` to `grace`: spec 03 says "and then" after the whole list, so a state that
came from the overlay or from the subscription status is lowered like one that came from a record. As it is then the
payment status that a person has to mend, it becomes the source of the decision; the trace keeps the rule before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from types import MappingProxyType

import msgspec

from apps.core.enums import LifecycleNeed, LifecycleState, Role
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.operations import OPERATIONS, PLATFORM_LADDER
from apps.subscriptions.enums import LifecycleSource, ManagedBy, PaymentStatus, SubscriptionState, SubscriptionStatus
from apps.subscriptions.ids import WorkspaceSubscriptionId


class SubscriptionFacts(msgspec.Struct, frozen=True):
    """The one current record of a workspace, as the resolver sees it."""

    id: WorkspaceSubscriptionId
    state: SubscriptionState
    managed_by: ManagedBy
    version: int
    trial_ends_at: datetime | None = None
    current_period_end: datetime | None = None


class LifecycleFacts(msgspec.Struct, frozen=True):
    """Everything that a decision rests on, as of `at`. `at` changes the review flags alone, never the state.

    `only_named_workspaces`: each running subscription of the organization names a workspace, and so does the question.
    """

    workspace_id: WorkspaceId
    organization_id: OrganizationId
    at: datetime
    organization_closed_at: datetime | None = None
    payment_status: PaymentStatus = PaymentStatus.UNINITIALIZED
    grace_period_end_at: datetime | None = None
    subscription_status: SubscriptionStatus = SubscriptionStatus.PRE_SUBSCRIPTION
    only_named_workspaces: bool = False
    payment_config_version: int = 0
    subscription: SubscriptionFacts | None = None
    overlay: LifecycleState | None = None
    overlay_reason: str = ""


class Allowance(Enum):
    """How far one class of operations is allowed (the cells of the table in spec 03)."""

    YES = "yes"
    WITH_WARNING = "with a warning"
    FROM_GRANTS_ONLY = "from grants only"
    OWNER_ONLY = "owner only"
    NO = "no"

    def permits(self, role: Role | None) -> bool:
        """Whether it lets this role through. Staff, who look after closed organizations too, count as owners."""
        if self is Allowance.OWNER_ONLY:
            return role is Role.OWNER or role in PLATFORM_LADDER
        return self is not Allowance.NO


class RuleOutcome(Enum):
    """What trying one rule came to."""

    DECIDES = "decides"
    LOWERS = "lowers"
    PASSES = "passes"


class RuleStep(msgspec.Struct, frozen=True):
    """One rule that was tried: what came out, in words, on which record. `state` is what it decided, if it did."""

    rule: str
    source: LifecycleSource
    outcome: RuleOutcome
    fact: str
    record: str
    state: LifecycleState | None = None


class LifecycleDecision(msgspec.Struct, frozen=True):
    """What a workspace may do, why, and every rule that was tried on the way, in order."""

    workspace_id: WorkspaceId
    state: LifecycleState
    source: LifecycleSource
    trace: tuple[RuleStep, ...]
    review_reasons: tuple[str, ...] = ()

    @property
    def reasons(self) -> tuple[RuleStep, ...]:
        """The steps that the state rests on: the rule that decided, and the grace period if it lowered the state."""
        return tuple(step for step in self.trace if step.outcome is not RuleOutcome.PASSES)

    @property
    def needs_review(self) -> bool:
        """Whether a date has passed that asks a person for a decision. Nothing moves by itself (spec 03)."""
        return bool(self.review_reasons)

    def allowance(self, need: LifecycleNeed) -> Allowance:
        """How far operations of this class are allowed."""
        return ALLOWED[self.state][need]

    def permits(self, need: LifecycleNeed, *, role: Role | None = None) -> bool:
        """Whether a caller with this role may do operations of this class."""
        return self.allowance(need).permits(role)

    def operations(self, *, role: Role | None = None) -> dict[str, bool]:
        """Each registered operation that has a lifecycle need, by name: the `operations` of spec 09, Gate."""
        return {
            name: self.permits(operation.lifecycle, role=role)
            for name, operation in sorted(OPERATIONS.items())
            if operation.lifecycle is not LifecycleNeed.NOTHING
        }


def _row(*cells: Allowance) -> _Row:
    """The cells in the order of `LifecycleNeed`, behind the one of operations that need nothing."""
    return MappingProxyType(dict(zip(LifecycleNeed, (Allowance.YES, *cells), strict=True)))


_Row = Mapping[LifecycleNeed, Allowance]
_YES, _NO = Allowance.YES, Allowance.NO

# The second table of spec 03, in its order of columns; the fourth is the sentence below it: replacing a credential.
ALLOWED: Mapping[LifecycleState, _Row] = MappingProxyType(
    {
        LifecycleState.PRE_SUBSCRIPTION: _row(_YES, Allowance.FROM_GRANTS_ONLY, _YES, _YES, _NO, _YES),
        LifecycleState.TRIAL: _row(_YES, _YES, _YES, _YES, _YES, _YES),
        LifecycleState.ACTIVE: _row(_YES, _YES, _YES, _YES, _YES, _YES),
        LifecycleState.GRACE: _row(_YES, Allowance.WITH_WARNING, _NO, _YES, _YES, _YES),
        LifecycleState.SUSPENDED_READ_ONLY: _row(_YES, _NO, _NO, _NO, _NO, _NO),
        LifecycleState.CLOSED: _row(Allowance.OWNER_ONLY, _NO, _NO, _NO, _NO, _NO),
    }
)

# Rules 2, 3 and 5 as data, which the list filters in SQL read too (`apps.subscriptions.selectors.filters`).
BLOCKING_PAYMENT_STATUSES = frozenset({PaymentStatus.DISABLED, PaymentStatus.LOCKED})
STATE_OF_SUBSCRIPTION: Mapping[SubscriptionState, LifecycleState] = MappingProxyType(
    {
        SubscriptionState.TRIALING: LifecycleState.TRIAL,
        SubscriptionState.ACTIVE: LifecycleState.ACTIVE,
        SubscriptionState.PAST_DUE: LifecycleState.GRACE,
        SubscriptionState.SUSPENDED: LifecycleState.SUSPENDED_READ_ONLY,
        SubscriptionState.ENDED: LifecycleState.SUSPENDED_READ_ONLY,
    }
)
STATE_OF_SUBSCRIPTION_STATUS: Mapping[SubscriptionStatus, LifecycleState] = MappingProxyType(
    {
        SubscriptionStatus.SUBSCRIBED: LifecycleState.ACTIVE,
        SubscriptionStatus.UNSUBSCRIBED: LifecycleState.SUSPENDED_READ_ONLY,
        SubscriptionStatus.PRE_SUBSCRIPTION: LifecycleState.PRE_SUBSCRIPTION,
    }
)
STATE_OF_UNNAMED_WORKSPACE = LifecycleState.PRE_SUBSCRIPTION  # where each running subscription names another one
LOWERED_BY_GRACE = frozenset({LifecycleState.TRIAL, LifecycleState.ACTIVE})


def resolve(facts: LifecycleFacts) -> LifecycleDecision:
    """Decide the lifecycle of one workspace. Total: every combination of facts has exactly one answer."""
    trace: list[RuleStep] = []
    for rule in RULES:
        trace.append(rule(facts))
        if trace[-1].state is not None:
            break
    decided = trace[-1]
    state = decided.state or LifecycleState.SUSPENDED_READ_ONLY  # the last rule always decides; if not, fail closed
    lowering = _grace_period(facts, state)
    trace.append(lowering)
    return LifecycleDecision(
        workspace_id=facts.workspace_id,
        state=lowering.state or state,
        source=lowering.source if lowering.state else decided.source,
        trace=tuple(trace),
        review_reasons=_review_reasons(facts),
    )


def _step(rule: str, source: LifecycleSource, fact: str, record: str, state: LifecycleState | None = None) -> RuleStep:
    outcome = RuleOutcome.PASSES if state is None else RuleOutcome.DECIDES
    return RuleStep(rule=rule, source=source, outcome=outcome, fact=fact, record=record, state=state)


def _organization_closed(facts: LifecycleFacts) -> RuleStep:
    source, record = LifecycleSource.ORGANIZATION, f"organization:{facts.organization_id}"
    if facts.organization_closed_at is None:
        return _step("organization_closed", source, "the organization is open", record)
    fact = f"the organization was closed on {_day(facts.organization_closed_at)}"
    return _step("organization_closed", source, fact, record, LifecycleState.CLOSED)


def _payment_blocks(facts: LifecycleFacts) -> RuleStep:
    blocks = facts.payment_status in BLOCKING_PAYMENT_STATUSES
    return _step(
        "payment_blocks",
        LifecycleSource.PAYMENT_STATUS,
        f"the payment status is {facts.payment_status.value}",
        _payment_config(facts),
        LifecycleState.SUSPENDED_READ_ONLY if blocks else None,
    )


def _subscription_record(facts: LifecycleFacts) -> RuleStep:
    source, record = LifecycleSource.SUBSCRIPTION, facts.subscription
    if record is None:
        return _step("subscription", source, "the workspace has no subscription record", _workspace(facts))
    fact = f"the subscription record is {record.state.value}, managed by {record.managed_by.value}"
    where = f"workspace_subscription:{record.id}"
    return _step("subscription", source, fact, where, STATE_OF_SUBSCRIPTION[record.state])


def _manual_overlay(facts: LifecycleFacts) -> RuleStep:
    source = LifecycleSource.MANUAL_OVERLAY
    if facts.overlay is None:
        return _step("manual_overlay", source, "no manual overlay is set", _workspace(facts))
    fact = f"staff set the manual overlay {facts.overlay.value}: {facts.overlay_reason}"
    return _step("manual_overlay", source, fact, _workspace(facts), facts.overlay)


def _subscription_status(facts: LifecycleFacts) -> RuleStep:
    status = facts.subscription_status
    fact, state = f"the organization's subscription status is {status.value}", STATE_OF_SUBSCRIPTION_STATUS[status]
    if is_sold_to_others(facts):
        fact, state = f"{fact}, and every running subscription names another workspace", STATE_OF_UNNAMED_WORKSPACE
    return _step("subscription_status", LifecycleSource.SUBSCRIPTION_STATUS, fact, _payment_config(facts), state)


def is_sold_to_others(facts: LifecycleFacts) -> bool:
    """Whether the organization subscribed, and for other workspaces than one without a record."""
    return facts.only_named_workspaces and facts.subscription_status is SubscriptionStatus.SUBSCRIBED


def _grace_period(facts: LifecycleFacts, state: LifecycleState) -> RuleStep:
    source, record = LifecycleSource.PAYMENT_STATUS, _payment_config(facts)
    if facts.payment_status is not PaymentStatus.GRACE_PERIOD:
        return _step("grace_period", source, "the organization is in no grace period", record)
    until = f" until {_day(facts.grace_period_end_at)}" if facts.grace_period_end_at else ""
    if state not in LOWERED_BY_GRACE:
        fact = f"the organization is in a grace period{until}, which does not lower {state.value}"
        return _step("grace_period", source, fact, record)
    fact = f"a payment failed: grace period{until}, which lowers {state.value} to grace"
    return RuleStep("grace_period", source, RuleOutcome.LOWERS, fact, record, LifecycleState.GRACE)


RULES: tuple[Callable[[LifecycleFacts], RuleStep], ...] = (
    _organization_closed,
    _payment_blocks,
    _subscription_record,
    _manual_overlay,
    _subscription_status,
)


def _review_reasons(facts: LifecycleFacts) -> tuple[str, ...]:
    record = facts.subscription
    if record is None or record.state is SubscriptionState.ENDED:
        return ()
    reasons = []
    if record.state is SubscriptionState.TRIALING and _has_passed(record.trial_ends_at, facts.at):
        reasons.append(f"the trial ended on {_day(record.trial_ends_at)}")
    if _has_passed(record.current_period_end, facts.at):
        reasons.append(f"the period ended on {_day(record.current_period_end)}")
    return tuple(reasons)


def _has_passed(moment: datetime | None, at: datetime) -> bool:
    return moment is not None and moment < at


def _workspace(facts: LifecycleFacts) -> str:
    return f"workspace:{facts.workspace_id}"


def _payment_config(facts: LifecycleFacts) -> str:
    return f"payment_config:{facts.organization_id}"


def _day(moment: datetime | None) -> str:
    return f"{moment.day} {moment:%B %Y}" if moment else "no date"
