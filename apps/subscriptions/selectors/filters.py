"""The resolver's rules as one SQL expression, for the filters of long lists.

Built from the resolver's own tables and not written a second time; a test holds the two together over every
combination of facts. A list filters by this and still shows what the resolver says of each row.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from django.db.models import Case, CharField, F, Q, QuerySet, Value, When
from django_stubs_ext import WithAnnotations

from apps.core.enums import LifecycleState
from apps.subscriptions.contracts import StartGrace
from apps.subscriptions.enums import (
    ManagedBy,
    PaymentStatus,
    PendingChangeStatus,
    SubscriptionScope,
    SubscriptionState,
    SubscriptionStatus,
)
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.subscriptions.rules.lifecycle import (
    BLOCKING_PAYMENT_STATUSES,
    LOWERED_BY_GRACE,
    STATE_OF_SUBSCRIPTION,
    STATE_OF_SUBSCRIPTION_STATUS,
    STATE_OF_UNNAMED_WORKSPACE,
)
from apps.subscriptions.rules.payment_transitions import is_legal
from apps.tenants.models import Workspace

_PAYMENT = "organization__payment_config__payment_status"
_STATUS = "organization__payment_config__subscription_status"
_SCOPE = "organization__payment_config__subscription_scope"


class Lifecycle(TypedDict):
    """What `with_lifecycle` adds to a workspace."""

    lifecycle_before_grace: str
    lifecycle: str


def with_lifecycle(workspaces: QuerySet[Workspace]) -> QuerySet[WithAnnotations[Workspace, Lifecycle]]:
    """Annotate each workspace with `lifecycle`, its lifecycle state as text."""
    return workspaces.annotate(lifecycle_before_grace=_before_grace()).annotate(
        lifecycle=Case(
            When(
                Q(**{_PAYMENT: PaymentStatus.GRACE_PERIOD})
                & Q(lifecycle_before_grace__in=[state.value for state in LOWERED_BY_GRACE]),
                then=Value(LifecycleState.GRACE.value),
            ),
            default=F("lifecycle_before_grace"),
            output_field=CharField(),
        )
    )


def needs_review(moment: datetime) -> Q:
    """Workspaces whose subscription has passed its trial's or its period's end and has not ended."""
    return ~Q(subscription__state=SubscriptionState.ENDED) & (
        Q(subscription__state=SubscriptionState.TRIALING, subscription__trial_ends_at__lt=moment)
        | Q(subscription__current_period_end__lt=moment)
    )


def has_due_change(moment: datetime) -> Q:
    """Workspaces with a scheduled change that waits for somebody's word."""
    return Q(pending_changes__status=PendingChangeStatus.OPEN, pending_changes__due_at__lte=moment)


def in_grace_period() -> Q:
    """Workspaces of organizations in a grace period."""
    return Q(**{_PAYMENT: PaymentStatus.GRACE_PERIOD})


def has_grace_period() -> Q:
    """Payment configs in a grace period."""
    return Q(payment_status=PaymentStatus.GRACE_PERIOD)


def is_sold_by_staff() -> Q:
    """Workspace subscriptions by contract with us that run: staff manage them, and they are active or past due."""
    return Q(managed_by=ManagedBy.STAFF, state__in=[SubscriptionState.ACTIVE, SubscriptionState.PAST_DUE])


def locked_configs() -> QuerySet[OrganizationPaymentConfig]:
    """Payment configs that lock every workspace of their organization."""
    return OrganizationPaymentConfig.objects.filter(payment_status=PaymentStatus.LOCKED)


def may_start_grace() -> Q:
    """Payment configs from whose status a failed payment, or a due date that passes, starts a grace period."""
    return Q(payment_status__in=[status.value for status in PaymentStatus if is_legal(StartGrace.verb, status)])


def _before_grace() -> Case:
    records = [
        When(subscription__state=state.value, then=Value(lifecycle.value))
        for state, lifecycle in STATE_OF_SUBSCRIPTION.items()
    ]
    statuses = [
        When(**{_STATUS: status.value}, then=Value(lifecycle.value))
        for status, lifecycle in STATE_OF_SUBSCRIPTION_STATUS.items()
    ]
    fresh = STATE_OF_SUBSCRIPTION_STATUS[SubscriptionStatus.PRE_SUBSCRIPTION]
    return Case(
        When(organization__closed_at__isnull=False, then=Value(LifecycleState.CLOSED.value)),
        When(
            **{f"{_PAYMENT}__in": [status.value for status in BLOCKING_PAYMENT_STATUSES]},
            then=Value(LifecycleState.SUSPENDED_READ_ONLY.value),
        ),
        *records,
        When(~Q(manual_lifecycle_state=""), then=F("manual_lifecycle_state")),
        When(
            **{_STATUS: SubscriptionStatus.SUBSCRIBED, _SCOPE: SubscriptionScope.WORKSPACES},
            then=Value(STATE_OF_UNNAMED_WORKSPACE.value),
        ),
        *statuses,
        default=Value(fresh.value),
        output_field=CharField(),
    )
