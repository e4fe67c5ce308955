"""What may become what for a payment config, as data (spec 04, OrganizationPaymentConfig).

A verb names the statuses it may start from, where it leads (None: the status stays, or the change itself says where),
what causes it, who may, which operation a caller needs and which audit event it leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from apps.core.audit_events import AuditEvent
from apps.core.enums import ActorKind
from apps.core.moments import after
from apps.subscriptions import events
from apps.subscriptions.enums import PaymentStatus, SubscriptionScope, SubscriptionStatus

DEFAULT_GRACE_DAYS = 14
CHANGE_OPERATION = "payment_configs.change"
END_GRACE_OPERATION = "payment_configs.end_grace"

_UNINITIALIZED, _OKAY, _GRACE = PaymentStatus.UNINITIALIZED, PaymentStatus.OKAY, PaymentStatus.GRACE_PERIOD
_DISABLED, _LOCKED, _MANUAL = PaymentStatus.DISABLED, PaymentStatus.LOCKED, PaymentStatus.MANUAL
_ANY = frozenset(PaymentStatus)
_PAYING = frozenset({_UNINITIALIZED, _OKAY, _GRACE, _DISABLED})

STAFF = frozenset({ActorKind.USER, ActorKind.CONSOLE})
_PROVIDER = frozenset({ActorKind.PROVIDER})
_EVERYONE = frozenset(ActorKind)


@dataclass(frozen=True, slots=True)
class PaymentTransition:
    """One verb. `changes_status` is False where only other fields change."""

    verb: str
    label: str
    sources: frozenset[PaymentStatus]
    target: PaymentStatus | None
    caused_by: str
    who: frozenset[ActorKind]
    event: AuditEvent
    operation: str = CHANGE_OPERATION
    changes_status: bool = True


_TABLE = (
    PaymentTransition(
        "mark_okay",
        "Payments in order",
        frozenset({_UNINITIALIZED, _GRACE, _DISABLED}),
        _OKAY,
        "checkout completed, first invoice paid; the failed or overdue invoices paid, voided or no longer due",
        _PROVIDER | {ActorKind.SCHEDULER},
        events.PAYMENT_OKAY,
    ),
    PaymentTransition(
        "start_grace",
        "Start grace period",
        frozenset({_UNINITIALIZED, _OKAY}),
        _GRACE,
        "payment failed",
        _PROVIDER | STAFF | {ActorKind.SCHEDULER},
        events.GRACE_STARTED,
    ),
    PaymentTransition(
        "extend_grace",
        "Extend grace period",
        frozenset({_GRACE}),
        None,
        "staff only",
        STAFF,
        events.GRACE_EXTENDED,
        changes_status=False,
    ),
    PaymentTransition(
        "reanchor_grace",
        "Count grace period from another invoice",
        frozenset({_GRACE}),
        None,
        "the earliest unpaid invoice is another one now",
        _PROVIDER | {ActorKind.SCHEDULER},
        events.GRACE_REANCHORED,
        changes_status=False,
    ),
    PaymentTransition(
        "end_grace",
        "End grace period",
        frozenset({_GRACE}),
        _DISABLED,
        "grace ended",
        _EVERYONE,
        events.GRACE_ENDED,
        operation=END_GRACE_OPERATION,
    ),
    PaymentTransition(
        "lock",
        "Lock",
        # From manual by staff alone: a provider's news are evidence then.
        _PAYING | {_MANUAL},
        _LOCKED,
        "invoice marked uncollectible",
        _PROVIDER | STAFF | {ActorKind.SCHEDULER},
        events.PAYMENT_LOCKED,
    ),
    PaymentTransition("unlock", "Unlock", frozenset({_LOCKED}), None, "staff only", STAFF, events.PAYMENT_UNLOCKED),
    PaymentTransition("set_manual", "Set manual", _ANY - {_MANUAL}, _MANUAL, "staff only", STAFF, events.MANUAL_SET),
    PaymentTransition(
        "leave_manual", "Leave manual", frozenset({_MANUAL}), None, "staff only", STAFF, events.MANUAL_LEFT
    ),
    PaymentTransition(
        "set_subscription_status",
        "Set subscription status",
        _ANY,
        None,
        "a subscription started or ended",
        _PROVIDER | STAFF | {ActorKind.SCHEDULER},
        events.SUBSCRIPTION_STATUS_SET,
        changes_status=False,
    ),
    PaymentTransition(
        "set_usage_override",
        "Set usage override",
        _ANY,
        None,
        "staff only",
        STAFF,
        events.USAGE_OVERRIDE_SET,
        changes_status=False,
    ),
    PaymentTransition(
        "set_grace_days",
        "Set length of grace periods",
        _ANY,
        None,
        "staff only",
        STAFF,
        events.GRACE_DAYS_SET,
        changes_status=False,
    ),
    PaymentTransition(
        "set_provider_customer",
        "Set provider customer",
        _ANY,
        None,
        "the provider's customer was created or bound",
        _PROVIDER | STAFF | {ActorKind.SCHEDULER},
        events.PROVIDER_CUSTOMER_SET,
        changes_status=False,
    ),
)
PAYMENT_TRANSITIONS: Mapping[str, PaymentTransition] = MappingProxyType({row.verb: row for row in _TABLE})

# Where a config ends that staff hand back: at what the mirrored invoices say at that moment.
HANDED_BACK: frozenset[PaymentStatus] = frozenset({_UNINITIALIZED, _OKAY, _GRACE, _DISABLED})

# An ended subscription unsubscribes only a subscriber; nobody goes back to before.
SUBSCRIPTION_STATUS_MAY_BECOME: Mapping[SubscriptionStatus, frozenset[SubscriptionStatus]] = MappingProxyType(
    {
        SubscriptionStatus.PRE_SUBSCRIPTION: frozenset({SubscriptionStatus.SUBSCRIBED}),
        SubscriptionStatus.SUBSCRIBED: frozenset({SubscriptionStatus.UNSUBSCRIBED}),
        SubscriptionStatus.UNSUBSCRIBED: frozenset({SubscriptionStatus.SUBSCRIBED}),
    }
)


def is_legal(verb: str, status: PaymentStatus) -> bool:
    """Whether the verb may start from this payment status."""
    return status in PAYMENT_TRANSITIONS[verb].sources


def legal_verbs(status: PaymentStatus) -> tuple[PaymentTransition, ...]:
    """Every verb that may start from this payment status, in the order of the pages."""
    return tuple(row for row in _TABLE if status in row.sources)


def targets(row: PaymentTransition) -> frozenset[PaymentStatus]:
    """Every payment status that a status-changing verb may lead to."""
    if not row.changes_status:
        return frozenset()
    return HANDED_BACK if row.target is None else frozenset({row.target})


def hands_back(verb: str) -> bool:
    """Whether the verb ends in what the mirrored invoices say."""
    row = PAYMENT_TRANSITIONS[verb]
    return row.changes_status and row.target is None


def verb_between(source: PaymentStatus, target: PaymentStatus, who: ActorKind) -> str | None:
    """The verb by which such an actor leads from one status to another; None when none does, or none is needed."""
    rows = (row for row in _TABLE if source in row.sources and who in row.who)
    return next((row.verb for row in rows if target in targets(row)), None)


def is_in_grace(status: PaymentStatus) -> bool:
    """Whether a grace period runs: then, and only then, it has an end."""
    return status is _GRACE


def ignores_provider(status: PaymentStatus) -> bool:
    """Whether a provider's news about payments are kept as evidence and change nothing."""
    return status is _MANUAL


def grace_length(days: int | None) -> timedelta:
    """How long a grace period lasts, from the organization's override."""
    return timedelta(days=DEFAULT_GRACE_DAYS if days is None else days)


def is_handed_back_from(status: PaymentStatus) -> bool:
    """Whether staff alone lead on from here, to what the mirrored invoices say."""
    return any(status in row.sources for row in _TABLE if hands_back(row.verb))


def was_handed_back(before: PaymentStatus, after: PaymentStatus) -> bool:
    """Whether a change led away from where staff alone lead on."""
    return after is not before and is_handed_back_from(before)


def grace_end(started_at: datetime, told_at: datetime, *, days: int | None, notice: timedelta) -> datetime:
    """The end counts from the failure, but nobody has less than the notice from the day that we tell (spec 04)."""
    return max(after(started_at, grace_length(days)), after(told_at, notice))


def status_pairs() -> Iterator[tuple[str, str]]:
    """Every allowed pair of payment statuses, for the database trigger."""
    pairs = {(s.value, t.value) for row in _TABLE for s in row.sources for t in targets(row)}
    return iter(sorted(pairs))


def subscription_status_pairs() -> Iterator[tuple[str, str]]:
    """Every allowed pair of subscription statuses, for the database trigger."""
    return ((s.value, t.value) for s, ts in SUBSCRIPTION_STATUS_MAY_BECOME.items() for t in sorted(ts))


def speaks_of_named_workspaces(scope: str | None) -> bool:
    """Whether a subscription status of this scope says nothing of workspaces that no subscription names."""
    return scope == SubscriptionScope.WORKSPACES
