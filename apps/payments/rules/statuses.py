"""Which statuses the mirror calls for, and which connectors each status keeps off (spec 04). Pure.

Functions of the mirror alone, so that the order in which events came can't matter. Every change is one of the table of
`apps.subscriptions.rules.payment_transitions`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from types import MappingProxyType

from apps.connectors.enums import AutoDisableReason
from apps.payments.enums import InvoiceStatus
from apps.subscriptions.enums import PaymentStatus, SubscriptionState, SubscriptionStatus
from apps.subscriptions.rules.payment_transitions import ignores_provider, is_in_grace, is_legal
from apps.subscriptions.rules.transitions import SUBSCRIPTION_TRANSITIONS, is_new_start, is_over

_NO_LONGER_DUE = frozenset({InvoiceStatus.PAID, InvoiceStatus.VOID})


@dataclass(frozen=True, slots=True)
class InvoiceFacts:
    """What counts of one mirrored invoice."""

    external_id: str
    status: InvoiceStatus
    failed_at: datetime | None = None
    uncollectible_at: datetime | None = None
    is_lock_settled: bool = False
    paid_minor: int = 0
    # The first of a subscription, which begins only once it is paid: nothing is lost yet where that fails.
    creates_subscription: bool = False
    # Of one that is sent, for somebody to pay it by then; nobody tries to collect it.
    due_at: datetime | None = None
    is_forgiven: bool = False
    told_at: datetime | None = None

    def unpaid_since(self, now: datetime) -> datetime | None:
        """Since when it counts as not paid: its payment failed, or its due date has passed; None where it doesn't."""
        if self.status is not InvoiceStatus.OPEN or self.is_forgiven:
            return None
        failed_at = None if self.creates_subscription else self.failed_at
        due_at = self.due_at if self.due_at is not None and self.due_at <= now else None
        return min((moment for moment in (failed_at, due_at) if moment is not None), default=None)

    @property
    def is_given_up(self) -> bool:
        """It was marked uncollectible, and nobody has decided about it yet."""
        return self.uncollectible_at is not None and not self.is_lock_settled and not self.is_forgiven

    @property
    def is_good(self) -> bool:
        """Money was paid; or its payment had failed, and it is no longer due."""
        had_failed = self.failed_at is not None and not self.creates_subscription
        return self.paid_minor > 0 or (had_failed and self.status in _NO_LONGER_DUE)

    @property
    def is_paid_late(self) -> bool:
        """Money came after it had been given up."""
        return self.uncollectible_at is not None and self.paid_minor > 0


@dataclass(frozen=True, slots=True)
class PaymentFacts:
    """What the mirror claims. `unpaid_since`: since when the earliest unpaid invoice is; `told_at`: when we told so."""

    given_up: tuple[str, ...] = ()
    unpaid: str = ""
    unpaid_since: datetime | None = None
    told_at: datetime | None = None
    is_good: bool = False
    paid_late: tuple[str, ...] = ()


def payment_facts(invoices: Iterable[InvoiceFacts], *, has_completed_checkout: bool, now: datetime) -> PaymentFacts:
    """What these invoices come to, whatever their order."""
    known = sorted(invoices, key=lambda invoice: invoice.external_id)
    moments = [(invoice.unpaid_since(now), invoice) for invoice in known]
    unpaid = [(since, invoice) for since, invoice in moments if since is not None]
    since, first = min(unpaid, key=lambda pair: (pair[0], pair[1].external_id), default=(None, None))
    return PaymentFacts(
        given_up=tuple(invoice.external_id for invoice in known if invoice.is_given_up),
        unpaid=first.external_id if first else "",
        unpaid_since=since,
        told_at=first.told_at if first else None,
        is_good=has_completed_checkout or any(invoice.is_good for invoice in known),
        paid_late=tuple(invoice.external_id for invoice in known if invoice.is_paid_late),
    )


def standing_of(facts: PaymentFacts, *, ends_at: datetime | None, now: datetime) -> PaymentStatus:
    """The status that staff hand back to; `ends_at` is the end of the grace period of the earliest unpaid invoice."""
    if ends_at is not None:
        return PaymentStatus.GRACE_PERIOD if ends_at > now else PaymentStatus.DISABLED
    return PaymentStatus.OKAY if facts.is_good else PaymentStatus.UNINITIALIZED


class PaymentStep(Enum):
    """One change that a claim asks for; the values are the verbs of the payment config."""

    MARK_OKAY = "mark_okay"
    START_GRACE = "start_grace"
    REANCHOR_GRACE = "reanchor_grace"
    LOCK = "lock"


def steps_towards(facts: PaymentFacts, status: PaymentStatus, anchored_at: datetime | None) -> tuple[PaymentStep, ...]:
    """The changes, in order; none where the status says so already or nothing may change it.

    `anchored_at` is the anchor of the grace period that runs or that has led to the disabling; None where staff
    started it: what staff began is not ended by an invoice that has nothing to do with it.
    """
    if ignores_provider(status):
        return _evidence_of(facts)
    if facts.given_up and is_legal(PaymentStep.LOCK.value, status):
        return (PaymentStep.LOCK,)
    if is_legal(PaymentStep.START_GRACE.value, status):
        return _from_unanchored(facts, status)
    if not is_legal(PaymentStep.MARK_OKAY.value, status) or anchored_at is None:
        return ()
    if is_in_grace(status):
        return _from_grace(facts, anchored_at)
    return _from_disabled(facts, anchored_at)


def _evidence_of(facts: PaymentFacts) -> tuple[PaymentStep, ...]:
    """While staff decide: the steps that are stored as evidence instead of being taken."""
    if facts.given_up:
        return (PaymentStep.LOCK,)
    if facts.unpaid_since is not None:
        return (PaymentStep.START_GRACE,)
    return (PaymentStep.MARK_OKAY,) if facts.is_good else ()


def _from_unanchored(facts: PaymentFacts, status: PaymentStatus) -> tuple[PaymentStep, ...]:
    if facts.unpaid_since is not None:
        return (PaymentStep.START_GRACE,)
    if facts.is_good and is_legal(PaymentStep.MARK_OKAY.value, status):
        return (PaymentStep.MARK_OKAY,)
    return ()


def _from_grace(facts: PaymentFacts, anchored_at: datetime) -> tuple[PaymentStep, ...]:
    if facts.unpaid_since is None:
        return (PaymentStep.MARK_OKAY,)
    return () if facts.unpaid_since == anchored_at else (PaymentStep.REANCHOR_GRACE,)


def _from_disabled(facts: PaymentFacts, anchored_at: datetime) -> tuple[PaymentStep, ...]:
    """Service comes back once the invoices are paid whose grace period has ended; others have one of their own."""
    if facts.unpaid_since is None:
        return (PaymentStep.MARK_OKAY,)
    if facts.unpaid_since > anchored_at:
        return (PaymentStep.MARK_OKAY, PaymentStep.START_GRACE)
    return ()


_INVALID = AutoDisableReason.INVALID_PAYMENT_METHOD
_GIVEN_UP = AutoDisableReason.INVOICE_MARKED_UNCOLLECTIBLE
_UNSUBSCRIBED = AutoDisableReason.UNSUBSCRIBED


@dataclass(frozen=True, slots=True)
class CauseChange:
    """A cause that comes, or one that goes away."""

    reason: AutoDisableReason
    is_arrival: bool


_COMES_INVALID, _GOES_INVALID = CauseChange(_INVALID, is_arrival=True), CauseChange(_INVALID, is_arrival=False)
_COMES_GIVEN_UP, _GOES_GIVEN_UP = CauseChange(_GIVEN_UP, is_arrival=True), CauseChange(_GIVEN_UP, is_arrival=False)
_ALL_GO = (_GOES_INVALID, _GOES_GIVEN_UP)

_OF_PAYMENT: Mapping[PaymentStatus, tuple[CauseChange, ...]] = MappingProxyType(
    {
        PaymentStatus.UNINITIALIZED: _ALL_GO,
        PaymentStatus.OKAY: _ALL_GO,
        PaymentStatus.GRACE_PERIOD: _ALL_GO,
        PaymentStatus.DISABLED: (_COMES_INVALID, _GOES_GIVEN_UP),
        PaymentStatus.LOCKED: (_COMES_GIVEN_UP,),
        # Staff decide: connectors stay as they are until the status is given back to the rules.
        PaymentStatus.MANUAL: (),
    }
)
_OF_SUBSCRIPTION: Mapping[SubscriptionStatus, tuple[CauseChange, ...]] = MappingProxyType(
    {
        SubscriptionStatus.PRE_SUBSCRIPTION: (),
        SubscriptionStatus.SUBSCRIBED: (CauseChange(_UNSUBSCRIBED, is_arrival=False),),
        SubscriptionStatus.UNSUBSCRIBED: (CauseChange(_UNSUBSCRIBED, is_arrival=True),),
    }
)
_WITH_ANCHOR = frozenset({PaymentStatus.GRACE_PERIOD, PaymentStatus.DISABLED})


def causes_of_payment(status: PaymentStatus) -> tuple[CauseChange, ...]:
    """What coming to this payment status means for connectors."""
    return _OF_PAYMENT[status]


def causes_of_subscription(status: SubscriptionStatus) -> tuple[CauseChange, ...]:
    """What coming to this subscription status means for connectors."""
    return _OF_SUBSCRIPTION[status]


def cause_of_verb(verb: str) -> CauseChange | None:
    """What a change of a workspace's own record means for that workspace's connectors; None: nothing (spec 04).

    A verb that may start from the end takes the cause away, also where it started from a trial: then there is none.
    """
    row = SUBSCRIPTION_TRANSITIONS[verb]
    if row.target is None:
        return None
    if is_over(row.target):
        return CauseChange(_UNSUBSCRIBED, is_arrival=True)
    return CauseChange(_UNSUBSCRIBED, is_arrival=False) if any(map(is_new_start, row.sources)) else None


SWITCHING_VERBS = frozenset(filter(cause_of_verb, SUBSCRIPTION_TRANSITIONS))


def cause_of_record(was: SubscriptionState | None, now: SubscriptionState | None) -> CauseChange | None:
    """The same of several changes at once, from the record before the first to the one after the last."""
    before, after = is_over(was), is_over(now)
    return CauseChange(_UNSUBSCRIBED, is_arrival=after) if before != after else None


def is_told_already(status: SubscriptionStatus) -> bool:
    """Whether the end of a workspace's subscription is told by that of the organization's."""
    return any(change.is_arrival for change in _OF_SUBSCRIPTION[status])


def keeps_anchor(status: PaymentStatus) -> bool:
    """Whether unpaid invoices still count against the organization: while grace runs, and once it has ended."""
    return status in _WITH_ANCHOR
