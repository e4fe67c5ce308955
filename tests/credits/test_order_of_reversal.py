"""Where what is given back of a charge goes, against a charge that is kept credit by credit (spec 05). Pure."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from apps.credits.rules.allocation import available, reversal_order

# Grant `a` pays twice: at once, and later what nobody had paid.
PAYMENTS = [list(zip("aba", amounts, strict=True)) for amounts in itertools.product(range(4), repeat=3)]


@pytest.mark.parametrize("unpaid", range(4))
def test_what_stays_is_what_a_smaller_charge_would_have_burned(unpaid: int) -> None:
    for payments in PAYMENTS:
        # The credits of the charge in their order, each with who paid it; the last ones nobody has paid yet.
        charge: list[str | None] = [payer for payer, amount in payments for _ in range(amount)]
        charge += [None] * unpaid
        for first in range(len(charge) + 1):
            stays = charge[: len(charge) - first]
            forgiven, parts = reversal_order(first, unpaid=unpaid, payments=payments)
            assert _counted(parts, forgiven) == Counter(charge[len(stays) :])
            assert all(amount > 0 for _, amount in parts)
            for second in range(len(stays) + 1):
                forgiven_then, more = reversal_order(
                    second, unpaid=unpaid - forgiven, payments=payments, returned=iter(parts)
                )
                assert _counted(more, forgiven_then) == Counter(stays[len(stays) - second :])


def test_the_last_payment_comes_back_first() -> None:
    payments = [("a", 3), ("b", 2), ("c", 4)]
    assert reversal_order(7, unpaid=0, payments=payments) == (0, [("c", 4), ("b", 2), ("a", 1)])
    assert reversal_order(7, unpaid=2, payments=payments) == (2, [("c", 4), ("b", 1)])


def _counted(parts: list[tuple[str, int]], forgiven: int) -> Counter[str | None]:
    found: Counter[str | None] = Counter()
    for payer, amount in [*parts, (None, forgiven)]:
        found[payer] += amount
    return +found


def test_what_may_still_be_spent() -> None:
    assert available(balance=10, held=3, overdraft_limit=5) == 12
    assert available(balance=-4, held=0, overdraft_limit=0) == -4
