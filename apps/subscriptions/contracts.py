"""Typed changes: what a caller may want of a workspace subscription or of a payment config.

Frozen values without behaviour. Each change names its verb; whether it is legal now is decided by
`apps.subscriptions.rules`, and it is carried out by `apps.subscriptions.services` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from apps.core.ids import OrganizationId, WorkspaceId
from apps.subscriptions.enums import (
    PaymentStatus,
    Provider,
    SubscriptionScope,
    SubscriptionStatus,
    UsageCategoryOverride,
)
from apps.subscriptions.ids import PlanId


@dataclass(frozen=True, slots=True)
class Period:
    """A billing period. Ends after it starts, which the database holds too."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class StartTrial:
    """A new start as a trial."""

    verb: ClassVar[str] = "start_trial"
    plan_id: PlanId
    trial_ends_at: datetime
    period: Period | None = None


@dataclass(frozen=True, slots=True)
class Activate:
    """A new start as a paid subscription, or the step to one. Without a plan the current one stays."""

    verb: ClassVar[str] = "activate"
    plan_id: PlanId | None = None
    period: Period | None = None


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """Another plan, now."""

    verb: ClassVar[str] = "change_plan"
    plan_id: PlanId


@dataclass(frozen=True, slots=True)
class MarkPastDue:
    """A payment is late; service goes on with a warning."""

    verb: ClassVar[str] = "mark_past_due"


@dataclass(frozen=True, slots=True)
class Suspend:
    """Read-only until it is resumed."""

    verb: ClassVar[str] = "suspend"


@dataclass(frozen=True, slots=True)
class Resume:
    """Back from suspended to active."""

    verb: ClassVar[str] = "resume"


@dataclass(frozen=True, slots=True)
class End:
    """The end. A new start is possible afterwards."""

    verb: ClassVar[str] = "end"


@dataclass(frozen=True, slots=True)
class SetCancelAtPeriodEnd:
    """Note that the subscription is not to go on after its period. No timer ends it (spec 03)."""

    verb: ClassVar[str] = "set_cancel_at_period_end"
    value: bool


@dataclass(frozen=True, slots=True)
class UpdatePeriod:
    """The dates as the provider, or a corrected contract, says them."""

    verb: ClassVar[str] = "update_period"
    period: Period
    trial_ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HandToProvider:
    """From now on this provider's news change the record. Without an id the one that is stored counts again."""

    verb: ClassVar[str] = "hand_to_provider"
    provider: Provider
    provider_subscription_id: str = ""


@dataclass(frozen=True, slots=True)
class TakeOver:
    """From now on staff change the record, and a provider's news are kept as evidence."""

    verb: ClassVar[str] = "take_over"


SubscriptionChange = (
    StartTrial
    | Activate
    | ChangePlan
    | MarkPastDue
    | Suspend
    | Resume
    | End
    | SetCancelAtPeriodEnd
    | UpdatePeriod
    | HandToProvider
    | TakeOver
)


@dataclass(frozen=True, slots=True)
class ProviderNews:
    """What a provider's event says beside the change: which of its objects, which state (in our words), since when.

    `provider` is whose object it is, where another provider's event or a person brings the news.
    """

    object_id: str
    claimed_state: str
    claimed_at: datetime
    provider: Provider | None = None


@dataclass(frozen=True, slots=True)
class MarkOkay:
    """A checkout was completed, or what was owed is paid, voided or no longer due."""

    verb: ClassVar[str] = "mark_okay"


@dataclass(frozen=True, slots=True)
class StartGrace:
    """A payment failed. `started_at` is the failing event's own time, so a late delivery does not lengthen it.

    `told_at`: when the owners were first told; None: they are told now. From then on they have some days at least.
    """

    verb: ClassVar[str] = "start_grace"
    started_at: datetime
    told_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ExtendGrace:
    """A later end of the grace period."""

    verb: ClassVar[str] = "extend_grace"
    until: datetime


@dataclass(frozen=True, slots=True)
class ReanchorGrace:
    """The grace period rests on another unpaid invoice now: it counts from that one's failed payment.

    `keep_until` is an end that staff have promised; the grace period does not end before it.
    """

    verb: ClassVar[str] = "reanchor_grace"
    started_at: datetime
    keep_until: datetime | None = None
    told_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EndGrace:
    """The grace period is over: service stops."""

    verb: ClassVar[str] = "end_grace"


@dataclass(frozen=True, slots=True)
class Lock:
    """An invoice was given up as uncollectible, or staff lock the organization."""

    verb: ClassVar[str] = "lock"


@dataclass(frozen=True, slots=True)
class Unlock:
    """Staff open a locked organization again; what the mirrored invoices say then decides where it ends."""

    verb: ClassVar[str] = "unlock"


@dataclass(frozen=True, slots=True)
class SetManual:
    """Staff decide from now on; provider events are kept as evidence."""

    verb: ClassVar[str] = "set_manual"


@dataclass(frozen=True, slots=True)
class LeaveManual:
    """Staff give the payment status back to the rules: it ends at what the mirrored invoices say then."""

    verb: ClassVar[str] = "leave_manual"


@dataclass(frozen=True, slots=True)
class SetSubscriptionStatus:
    """The organization subscribed, or its last subscription ended. `scope`: for whom, as far as it subscribed."""

    verb: ClassVar[str] = "set_subscription_status"
    status: SubscriptionStatus
    scope: SubscriptionScope = SubscriptionScope.STAFF


@dataclass(frozen=True, slots=True)
class SetUsageOverride:
    """Bill all usage as free or internal; None ends that."""

    verb: ClassVar[str] = "set_usage_override"
    category: UsageCategoryOverride | None


@dataclass(frozen=True, slots=True)
class SetGraceDays:
    """Another length of coming grace periods; None is the default of 14 days."""

    verb: ClassVar[str] = "set_grace_days"
    days: int | None


@dataclass(frozen=True, slots=True)
class SetProviderCustomer:
    """The provider's customer that stands for this organization."""

    verb: ClassVar[str] = "set_provider_customer"
    provider: Provider
    customer_id: str


PaymentConfigChange = (
    MarkOkay
    | StartGrace
    | ExtendGrace
    | ReanchorGrace
    | EndGrace
    | Lock
    | Unlock
    | SetManual
    | LeaveManual
    | SetSubscriptionStatus
    | SetUsageOverride
    | SetGraceDays
    | SetProviderCustomer
)


@dataclass(frozen=True, slots=True)
class PaymentStanding:
    """What the mirrored invoices say: the status, and the end of the grace period, if it is one."""

    status: PaymentStatus
    grace_period_end_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WorkspacePlace:
    """A workspace with the organization that it belongs to for ever."""

    workspace_id: WorkspaceId
    organization_id: OrganizationId
