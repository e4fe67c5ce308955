"""Random changes of everything that a lifecycle rests on, legal or not, from one seeded source of chance."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import pytest
from django.db import transaction

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.enums import LifecycleState
from apps.subscriptions.contracts import (
    EndGrace,
    LeaveManual,
    Lock,
    MarkOkay,
    PaymentConfigChange,
    SetManual,
    SetSubscriptionStatus,
    SetUsageOverride,
    StartGrace,
    Unlock,
    WorkspacePlace,
)
from apps.subscriptions.enums import SubscriptionScope, SubscriptionStatus, UsageCategoryOverride
from apps.subscriptions.ids import PlanId
from apps.subscriptions.services import overlay_clear, overlay_set, payment_config_change
from apps.tenants.events import ORGANIZATION_CHANGED
from apps.tenants.selectors.organizations import organization_for_update
from tests.contexts import staff_context
from tests.subscriptions.cast import REASON, every_change, provider_context, staff_change


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change that somebody wants: under which name, with which inputs, and how it is done."""

    verb: str
    inputs: dict[str, object]
    run: Callable[[], object]


def organization_closing(context: ExecutionContext, place: WorkspacePlace, *, is_closed: bool) -> None:
    """Close or reopen the organization, with the audit entry that history reads."""
    with transaction.atomic():
        organization = organization_for_update(place.organization_id)
        assert organization is not None
        before = organization.closed_at
        organization.closed_at = (before or clock.now()) if is_closed else None
        organization.save(update_fields=["closed_at"])
        audit_append(
            context,
            ORGANIZATION_CHANGED,
            organization.audit_target,
            before={"closed_at": before},
            after={"closed_at": organization.closed_at},
        )


def random_mutation(
    chance: random.Random, place: WorkspacePlace, plan_id: PlanId, context: ExecutionContext | None = None
) -> Mutation:
    """A change of the subscription most often, else of the payment config, the overlay or the organization."""
    staff = context or staff_context()
    match chance.choices(["subscription", "payment", "overlay", "closing"], weights=[10, 8, 4, 1])[0]:
        case "subscription":
            change = chance.choice(list(every_change(plan_id).values()))
            return Mutation(change.verb, asdict(change), lambda: staff_change(place, change, staff))
        case "payment":
            return _payment(chance, place, staff)
        case "overlay":
            return _overlay(chance, place, staff)
        case _:
            is_closed = chance.random() < 0.4
            return Mutation(
                "close", {"value": is_closed}, lambda: organization_closing(staff, place, is_closed=is_closed)
            )


def _payment(chance: random.Random, place: WorkspacePlace, staff: ExecutionContext) -> Mutation:
    changes: list[PaymentConfigChange] = [
        MarkOkay(),
        StartGrace(clock.now()),
        EndGrace(),
        Lock(),
        Unlock(),
        SetManual(),
        LeaveManual(),
        *map(SetSubscriptionStatus, SubscriptionStatus, SubscriptionScope),
        SetUsageOverride(chance.choice([None, *UsageCategoryOverride])),
    ]
    change = chance.choice(changes)
    context = provider_context() if isinstance(change, MarkOkay) else staff

    def run() -> object:
        return payment_config_change(context, organization_id=place.organization_id, change=change, reason=REASON)

    return Mutation(change.verb, asdict(change), run)


def _overlay(chance: random.Random, place: WorkspacePlace, staff: ExecutionContext) -> Mutation:
    if chance.random() < 0.3:
        return Mutation(
            "overlay_clear", {}, lambda: overlay_clear(staff, workspace_id=place.workspace_id, reason=REASON)
        )
    state = chance.choice(list(LifecycleState))
    return Mutation(
        "overlay_set",
        {"state": state.value},
        lambda: overlay_set(staff, workspace_id=place.workspace_id, state=state, reason=REASON),
    )


class Calendar:
    """A clock that a test turns. Each reading is a little later than the one before, as readings are."""

    def __init__(self, start: datetime) -> None:
        self.moment = start

    def now(self) -> datetime:
        self.moment += timedelta(milliseconds=1)
        return self.moment

    def turn(self, by: timedelta) -> None:
        self.moment += by


def use_calendar(monkeypatch: pytest.MonkeyPatch, start: datetime) -> Calendar:
    """Put a calendar in the place of the one clock."""
    calendar = Calendar(start)
    monkeypatch.setattr(clock, "now", calendar.now)
    return calendar
