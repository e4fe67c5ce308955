"""What an operation costs: price times quantity, rounded once, with the minimum and the free quantity. Pure (spec 05).

`apps.core.amounts.priced` does the one rounding. The minimum charge is a floor under the rounded price of whatever is
not free; the policy service keeps it a multiple of the quantum, so that it needs no rounding of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.core.amounts import LARGEST_AMOUNT, priced
from apps.credits.rules.outcomes import BILLABLE_OUTCOME, USUAL_OTHER_OUTCOMES


@dataclass(frozen=True, slots=True)
class Price:
    """One operation's price: micro-credits a unit, micro-units of free quantity a month."""

    operation: str
    unit: str
    unit_price: int
    minimum_charge: int = 0
    free_quantity: int = 0
    billable_outcomes: tuple[str, ...] = (BILLABLE_OUTCOME,)
    quantum: int = 1
    other_outcomes: tuple[str, ...] = USUAL_OTHER_OUTCOMES

    def bills(self, outcome: str) -> bool:
        """Whether a run that ended so is billable."""
        return outcome in self.billable_outcomes

    def knows(self, outcome: str) -> bool:
        """Whether the policy says of a run that ended so what it costs."""
        return outcome in self.billable_outcomes or outcome in self.other_outcomes

    @property
    def outcomes(self) -> tuple[str, ...]:
        """All that a run may end as."""
        return self.billable_outcomes + self.other_outcomes


@dataclass(frozen=True, slots=True)
class PolicyTerms:
    """A published policy, which never changes, so that a process may remember it by its id."""

    id: UUID
    product_id: UUID
    version: int
    effective_from: datetime
    prices: dict[str, Price]


def split_free(quantity: int, free_left: int) -> tuple[int, int]:
    """How much of the quantity is free, and how much is paid for: the free part goes first."""
    free = min(quantity, max(free_left, 0))
    return free, quantity - free


def charge_for(price: Price, quantity: int, *, free_left: int = 0) -> int:
    """Micro-credits for the quantity when `free_left` of it is still free.

    Raises `NumberOutOfRangeError` where the charge would be beyond the largest amount.
    """
    _, paid_quantity = split_free(quantity, free_left)
    if paid_quantity == 0:
        return 0
    return max(priced(price.unit_price, paid_quantity, price.quantum), price.minimum_charge)


def free_left(price: Price, used: int) -> int:
    """What is left of a month's free quantity."""
    return max(price.free_quantity - used, 0)


def is_possible(price: Price) -> bool:
    """Whether a policy may hold this price: no negative part, the minimum in whole quanta, all within bounds."""
    parts = (price.unit_price, price.minimum_charge, price.free_quantity)
    within = all(0 <= part <= LARGEST_AMOUNT for part in parts) and 1 <= price.quantum <= LARGEST_AMOUNT
    return within and price.minimum_charge % price.quantum == 0
