"""Whether what is paid and what the gate lets through contradict each other (spec 07, Books: the two lists). Pure.

The gate's own decision is given; nothing here decides what a workspace may do. What the provider says is what the
mirror of its objects says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.core.enums import LifecycleNeed
from apps.payments.enums import ProviderSubscriptionStatus
from apps.subscriptions.rules.lifecycle import Allowance, LifecycleDecision

_RUNS_OUT = frozenset({ProviderSubscriptionStatus.ENDED, ProviderSubscriptionStatus.PAUSED})


@dataclass(frozen=True, slots=True)
class SoldSubscription:
    """The provider's subscription that a workspace follows, or its organization where none is its own."""

    record: str
    status: ProviderSubscriptionStatus
    is_collection_paused: bool = False

    @property
    def words(self) -> str:
        """What the provider says, for people."""
        paused = ", and collection is paused" if self.is_collection_paused else ""
        return f"{self.record} is {self.status.label.lower()}{paused}"


@dataclass(frozen=True, slots=True)
class LateInvoice:
    """An invoice that counts against the organization. `is_given_up`: marked uncollectible. `is_past_grace`: its grace
    period, or the one that staff gave, is over.
    """

    record: str
    words: str
    is_given_up: bool = False
    is_past_grace: bool = False


@dataclass(frozen=True, slots=True)
class Payment:
    """What is known of how a workspace is paid.

    `is_sold_by_staff`: staff manage its record, so that it is paid by contract, unless a provider says otherwise.
    """

    sold: SoldSubscription | None = None
    late: Sequence[LateInvoice] = ()
    is_sold_by_staff: bool = False


@dataclass(frozen=True, slots=True)
class Contradiction:
    """`is_paid`: paid but blocked; else unpaid but allowed. With why in words, and the records that it rests on."""

    is_paid: bool
    reason: str
    records: tuple[str, ...]


def contradiction_of(decision: LifecycleDecision, payment: Payment) -> Contradiction | None:
    """The contradiction of one workspace; None where the gate and what is paid agree."""
    allowance = decision.allowance(LifecycleNeed.CONSUME)
    is_allowed = allowance in {Allowance.YES, Allowance.WITH_WARNING}
    gate = "; ".join(step.fact for step in decision.reasons)
    records = tuple(dict.fromkeys(step.record for step in decision.reasons))
    if not is_allowed:
        paid = _paid(payment)
        return None if paid is None else Contradiction(True, f"{paid.words}, but {gate}.", (paid.record, *records))
    why = _why_unpaid(decision, payment, is_warned=allowance is Allowance.WITH_WARNING)
    if why is None:
        return None
    sentence, found = why
    return Contradiction(False, f"{sentence}, but {gate}.", (*found, *records))


def _paid(payment: Payment) -> SoldSubscription | None:
    """What the provider sells, where it says that all is paid: it runs, and no invoice counts against the customer."""
    sold = payment.sold
    if sold is None or sold.is_collection_paused or sold.status is not ProviderSubscriptionStatus.ACTIVE:
        return None
    return None if any(invoice.is_given_up or invoice.is_past_grace for invoice in payment.late) else sold


def _why_unpaid(
    decision: LifecycleDecision, payment: Payment, *, is_warned: bool
) -> tuple[str, tuple[str, ...]] | None:
    """Why it counts as unpaid, with the records; None where it is paid, or unpaid as its grace period allows."""
    for invoice in payment.late:
        if invoice.is_given_up or invoice.is_past_grace or not is_warned:
            return invoice.words, (invoice.record,)
    sold = payment.sold
    # What ended at the provider says nothing of a contract that staff have made.
    has_contract = payment.is_sold_by_staff and (sold is None or sold.status is ProviderSubscriptionStatus.ENDED)
    if sold is not None and not has_contract:
        is_late = sold.status is ProviderSubscriptionStatus.PAST_DUE and not is_warned
        if sold.status in _RUNS_OUT or sold.is_collection_paused or is_late:
            return sold.words, (sold.record,)
        return None
    if not has_contract:
        return "No subscription runs at a provider", ()
    return (decision.review_reasons[0].capitalize(), ()) if decision.review_reasons else None
