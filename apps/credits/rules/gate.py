"""The lifecycle gate of consumption, computed once by the WorkspaceLifecycleResolver for every combination of facts.

The resolver is the one gate (spec 03). A consumption is decided and booked by one statement, which can't call Python;
so the resolver's answers are handed to it as letters, one for each combination, in the order of the axes. Nothing of
the rules is written a second time: the statement finds the place of the facts that it has just read, and no more.
"""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from apps.core.enums import LifecycleNeed, LifecycleState
from apps.core.ids import OrganizationId, WorkspaceId
from apps.subscriptions.enums import ManagedBy, PaymentStatus, SubscriptionState, SubscriptionStatus
from apps.subscriptions.ids import WorkspaceSubscriptionId
from apps.subscriptions.rules.lifecycle import Allowance, LifecycleFacts, SubscriptionFacts, resolve

_LETTERS = {
    Allowance.YES: "y",
    Allowance.WITH_WARNING: "w",
    Allowance.FROM_GRANTS_ONLY: "g",
    Allowance.OWNER_ONLY: "o",
    Allowance.NO: "n",
}
_NOBODY = uuid.UUID(int=0)
_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CompiledGate:
    """The letters, and the values of each axis in their order; "" stands for no record and for no overlay."""

    letters: str
    payments: tuple[str, ...]
    states: tuple[str, ...]
    overlays: tuple[str, ...]
    statuses: tuple[str, ...]


@cache
def compiled_gate() -> CompiledGate:
    """The resolver's answer for consumption to every combination of facts that it looks at."""
    payments = tuple(PaymentStatus.values)
    states = ("", *SubscriptionState.values)
    overlays = ("", *LifecycleState.values)
    statuses = tuple(SubscriptionStatus.values)
    combinations = itertools.product((False, True), payments, states, overlays, statuses)
    letters = "".join(_LETTERS[_allowance(*combination)] for combination in combinations)
    return CompiledGate(letters, payments, states, overlays, statuses)


def _allowance(is_closed: bool, payment: str, state: str, overlay: str, status: str) -> Allowance:
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
        subscription=subscription,
        overlay=LifecycleState(overlay) if overlay else None,
    )
    return resolve(facts).allowance(LifecycleNeed.CONSUME)
