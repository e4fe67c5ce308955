"""What an account may spend, and which grants pay: each rule once, over a set of eligible grants. Pure (spec 05).

The functions in SQL carry these rules out for many accounts at once; `tests/credits/test_agree_with_rules.py` holds
them to what is written here. Amounts are micro-credits, quantities micro-units.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

_NEVER = datetime.max.replace(tzinfo=UTC)


class Grant(Protocol):
    """What the order of burning asks of a grant; where all else is equal its id decides."""

    pk: Any
    priority: Any
    expires_at: Any
    created_at: Any
    remaining: Any


G = TypeVar("G", bound=Grant)
Payer = TypeVar("Payer", bound=Hashable)


def available(balance: int, held: int, overdraft_limit: int) -> int:
    """What may still be spent, the overdraft included; negative where a debt was recorded."""
    return balance - held + overdraft_limit


def affordable(charge: int, available: int, *, released: int = 0) -> bool:
    """Whether a charge can be paid. A hold that ends with it pays up to its amount, whatever the account has left."""
    return charge <= released or charge <= released + available


def burn_order(grants: Iterable[G]) -> list[G]:
    """The order in which grants pay: priority, soonest end, oldest."""
    return sorted(grants, key=lambda grant: (grant.priority, grant.expires_at or _NEVER, grant.created_at, grant.pk))


def allocate(due: int, grants: Iterable[G]) -> tuple[list[tuple[G, int]], int]:
    """Which of the eligible grants pay how much of what is due, in their order; and what none of them pays."""
    parts = []
    for grant in burn_order(grants):
        taken = min(due, grant.remaining)
        if taken:
            parts.append((grant, taken))
            due -= taken
    return parts, due


def reversal_order(
    given: int, *, unpaid: int, payments: Sequence[tuple[Payer, int]], returned: Iterable[tuple[Payer, int]] = ()
) -> tuple[int, list[tuple[Payer, int]]]:
    """Where what is given back of a charge goes: how much of it to what nobody had paid yet, the rest to the payers.

    The last payment comes back first: what stays is what a charge smaller by that much would have burned. `payments`
    are in the order in which they were made, `returned` is what earlier reversals gave back to whom.
    """
    back_before: dict[Payer, int] = {}
    for payer, amount in returned:
        back_before[payer] = back_before.get(payer, 0) + amount
    forgiven = min(given, unpaid)
    left, parts = given - forgiven, []
    for payer, amount in reversed(payments):
        gone = min(amount, back_before.get(payer, 0))
        if gone:
            back_before[payer] -= gone
        back = min(left, amount - gone)
        if back:
            parts.append((payer, back))
            left -= back
    return forgiven, parts
