"""Which causes keep connectors off at which payment and subscription status (spec 04, Auto-disable). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from apps.connectors.enums import AutoDisableReason
from apps.subscriptions.enums import PaymentStatus, SubscriptionStatus

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
_IN_ORDER = (_GOES_INVALID, _GOES_GIVEN_UP)

_OF_PAYMENT: Mapping[PaymentStatus, tuple[CauseChange, ...]] = MappingProxyType(
    {
        PaymentStatus.UNINITIALIZED: _IN_ORDER,
        PaymentStatus.OKAY: _IN_ORDER,
        PaymentStatus.GRACE_PERIOD: _IN_ORDER,
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


def keeps_anchor(status: PaymentStatus) -> bool:
    """Whether unpaid invoices still count against the organization: while grace runs, and once it has ended."""
    return status in _WITH_ANCHOR
