"""What the mirrored invoices of an organization say of its payments, and which changes that asks for (spec 04).

Pure. `claim_of` is a function of the mirror alone, so that the order in which events came can't matter; `steps_towards`
are the changes that lead from the payment status as it is to what is claimed. Every change is one of the table of
`apps.subscriptions.rules.payment_transitions`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from apps.payments.enums import InvoiceStatus
from apps.subscriptions.enums import PaymentStatus
from apps.subscriptions.rules.payment_transitions import ignores_provider, is_in_grace, is_legal

_NO_LONGER_DUE = frozenset({InvoiceStatus.PAID, InvoiceStatus.VOID})


@dataclass(frozen=True, slots=True)
class InvoiceFacts:
    """What counts of one mirrored invoice."""

    external_id: str
    status: InvoiceStatus
    failed_at: datetime | None = None
    uncollectible_at: datetime | None = None
    is_lock_settled: bool = False

    @property
    def is_overdue(self) -> bool:
        """Its payment failed, and it is still due."""
        return self.failed_at is not None and self.status is InvoiceStatus.OPEN

    @property
    def is_given_up(self) -> bool:
        """It was marked uncollectible, and nobody has decided about that yet."""
        return self.uncollectible_at is not None and not self.is_lock_settled

    @property
    def is_good(self) -> bool:
        """It was paid; or its payment had failed, and it is no longer due."""
        return self.status is InvoiceStatus.PAID or (self.failed_at is not None and self.status in _NO_LONGER_DUE)


@dataclass(frozen=True, slots=True)
class PaymentClaim:
    """What the mirror claims. `unpaid_since`: when the payment of the earliest unpaid invoice failed."""

    given_up: tuple[str, ...] = ()
    unpaid: str = ""
    unpaid_since: datetime | None = None
    is_good: bool = False


def claim_of(invoices: Iterable[InvoiceFacts], *, has_completed_checkout: bool) -> PaymentClaim:
    """What these invoices come to, whatever their order."""
    known = sorted(invoices, key=lambda invoice: invoice.external_id)
    unpaid = [(invoice.failed_at, invoice.external_id) for invoice in known if invoice.is_overdue and invoice.failed_at]
    since, first = min(unpaid, default=(None, ""))
    return PaymentClaim(
        given_up=tuple(invoice.external_id for invoice in known if invoice.is_given_up),
        unpaid=first,
        unpaid_since=since,
        is_good=has_completed_checkout or any(invoice.is_good for invoice in known),
    )


class PaymentStep(Enum):
    """One change that a claim asks for; the values are the verbs of the payment config."""

    MARK_OKAY = "mark_okay"
    START_GRACE = "start_grace"
    REANCHOR_GRACE = "reanchor_grace"
    LOCK = "lock"


def steps_towards(claim: PaymentClaim, status: PaymentStatus, anchored_at: datetime | None) -> tuple[PaymentStep, ...]:
    """The changes, in order; none where the status says so already or nothing may change it.

    `anchored_at` is the anchor of the grace period that runs or that has led to the disabling; None where staff
    started it: what staff began is not ended by an invoice that has nothing to do with it.
    """
    if ignores_provider(status):
        return _wished(claim)
    if claim.given_up and is_legal(PaymentStep.LOCK.value, status):
        return (PaymentStep.LOCK,)
    if is_legal(PaymentStep.START_GRACE.value, status):
        return _from_unanchored(claim, status)
    if not is_legal(PaymentStep.MARK_OKAY.value, status) or anchored_at is None:
        return ()
    if is_in_grace(status):
        return _from_grace(claim, anchored_at)
    return _from_disabled(claim, anchored_at)


def _wished(claim: PaymentClaim) -> tuple[PaymentStep, ...]:
    """While staff decide, the news is kept as evidence of what it would have asked for."""
    if claim.given_up:
        return (PaymentStep.LOCK,)
    if claim.unpaid_since is not None:
        return (PaymentStep.START_GRACE,)
    return (PaymentStep.MARK_OKAY,) if claim.is_good else ()


def _from_unanchored(claim: PaymentClaim, status: PaymentStatus) -> tuple[PaymentStep, ...]:
    if claim.unpaid_since is not None:
        return (PaymentStep.START_GRACE,)
    if claim.is_good and is_legal(PaymentStep.MARK_OKAY.value, status):
        return (PaymentStep.MARK_OKAY,)
    return ()


def _from_grace(claim: PaymentClaim, anchored_at: datetime) -> tuple[PaymentStep, ...]:
    if claim.unpaid_since is None:
        return (PaymentStep.MARK_OKAY,)
    return () if claim.unpaid_since == anchored_at else (PaymentStep.REANCHOR_GRACE,)


def _from_disabled(claim: PaymentClaim, anchored_at: datetime) -> tuple[PaymentStep, ...]:
    """Service comes back once the invoices are paid whose grace period has ended; others have one of their own."""
    if claim.unpaid_since is None:
        return (PaymentStep.MARK_OKAY,)
    if claim.unpaid_since > anchored_at:
        return (PaymentStep.MARK_OKAY, PaymentStep.START_GRACE)
    return ()
