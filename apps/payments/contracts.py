"""What a provider's event says, in one form for every provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from apps.payments.enums import WhyKept
from apps.subscriptions.enums import Provider

# An answer of the provider to our own question is later than every event of its second.
ANSWER_RANK = 30_000


class ObjectKind(Enum):
    """Which provider objects are mirrored (spec 04)."""

    CUSTOMER = "customer"
    SUBSCRIPTION = "subscription"
    INVOICE = "invoice"
    PAYMENT_METHOD = "payment_method"
    DISPUTE = "dispute"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class PricedItem:
    """One line of a subscription, with its own period. `lookup_key` is how our plan is called at the provider."""

    price_id: str
    lookup_key: str = ""
    product_id: str = ""
    period_start: datetime | None = None
    period_end: datetime | None = None


@dataclass(frozen=True, slots=True)
class ObjectSnapshot:
    """One provider object, as one event or one answer of the API shows it.

    `fields` are the columns of the mirror at that moment; the mirror takes them only from an event later than what it
    has. Empty where the event does not hold the object. `firsts` are moments of which the mirror keeps the earliest
    ever told, `lasts` those of which it keeps the latest. `organization_id` is what the provider stores for us about
    whom the customer stands for. `items` are a subscription's.
    """

    kind: ObjectKind
    external_id: str
    customer_id: str
    rank: int = 0
    fields: Mapping[str, Any] = field(default_factory=dict)
    firsts: Mapping[str, datetime] = field(default_factory=dict)
    lasts: Mapping[str, datetime] = field(default_factory=dict)
    items: Sequence[PricedItem] = ()
    organization_id: UUID | None = None
    # Where the customer is not named: the charge that leads to it.
    charge_id: str = ""
    # What makes two events one fact: a second try of a payment is another one, a second telling of it is not.
    fact: str = ""
    # Of a checkout: the subscription that it made.
    subscription_id: str = ""


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """One event: its identity, its own time, and the object that it shows; None for a type that we do not handle.

    `ignore`: why it is none of our business although we hear its type; it has no snapshot then.
    """

    provider: Provider
    event_id: str
    type: str
    occurred_at: datetime
    snapshot: ObjectSnapshot | None
    ignore: WhyKept | None = None
