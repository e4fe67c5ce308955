"""What another policy would have charged for recorded quantities: the pricing rule applied to groups of uses. Pure.

Uses come in pieces of the ledger, the older piece first, and in each as groups of equal operation and quantity, so that
a price is computed once however many uses had it. A month's free quantity goes to whoever comes first: it covers all of
a piece, none of it, or ends within it, and only there the order of the single uses counts.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from apps.core.amounts import NumberOutOfRangeError, divide_half_away
from apps.credits.rules.pricing import Price, charge_for, free_left

_PER_MILLE = 1000
# Where hardly two quantities are equal, remembering their charges is of no use.
_MOST_REMEMBERED = 50_000


class Place(NamedTuple):
    """Whose free quantity: each account has one for each operation and month."""

    account_id: UUID
    operation: str
    month: date


class UseGroup(NamedTuple):
    """Uses of a piece that are alike: so many `lines`, `charged` together, of `total` quantity in all.

    `is_billed`: the policy bills them, before anything free. `month` is given where the operation has a free quantity.
    `quantity` is that of each of them; None: of any, from `least` to `most`, each at a charge that is known already,
    together `would_charge`.
    """

    account_id: UUID
    operation: str
    month: date | None
    is_billed: bool
    quantity: int | None
    lines: int
    charged: int
    total: int
    least: int
    most: int
    would_charge: int


@dataclass(slots=True)
class Compared:
    """Lines, what they were charged, and what they would have been; micro-credits."""

    lines: int = 0
    charged: int = 0
    would_charge: int = 0

    @property
    def difference(self) -> int:
        """How much more, negative: how much less."""
        return self.would_charge - self.charged

    @property
    def per_mille(self) -> int | None:
        """The difference in thousandths of what was charged; None where nothing was."""
        return divide_half_away(self.difference * _PER_MILLE, self.charged) if self.charged else None

    def add(self, charged: int, would_charge: int, lines: int) -> None:
        """Count so many lines more."""
        self.lines += lines
        self.charged += charged
        self.would_charge += would_charge


@dataclass(slots=True)
class PricePreview:
    """The whole comparison. `unpriced` are operations that the policy does not know: they would be refused.

    `left_out` are uses that the product charged itself (shadow mode): nothing was charged for them here.
    """

    total: Compared = field(default_factory=Compared)
    operations: dict[str, Compared] = field(default_factory=dict)
    accounts: list[tuple[UUID, Compared]] = field(default_factory=list)
    changed_accounts: int = 0
    unpriced: dict[str, int] = field(default_factory=dict)
    too_large: int = 0
    left_out: int = 0


@dataclass(slots=True)
class _PlaceSum:
    """What one place used in a piece; `would_charge` and `too_large` with nothing free."""

    least: int
    most: int
    total: int = 0
    would_charge: int = 0
    too_large: int = 0


InOrder = Callable[[Mapping[Place, int]], Iterable[tuple[Place, int]]]


class PriceReplay:
    """Adds up a preview, piece by piece. Memory grows with accounts, not with uses."""

    def __init__(self, prices: Mapping[str, Price]) -> None:
        self.prices = prices
        self._used: dict[Place, int] = {}
        self._accounts: defaultdict[UUID, Compared] = defaultdict(Compared)
        self._operations: defaultdict[str, Compared] = defaultdict(Compared)
        self._charges: dict[tuple[str, int], int | None] = {}
        self._preview = PricePreview()

    def known_charges(self, at_most: int) -> list[tuple[str, int, int]]:
        """Operation, quantity and charge of what was priced so far, the first ones."""
        known = ((name, quantity, charge) for (name, quantity), charge in self._charges.items() if charge is not None)
        return list(islice(known, at_most))

    def use_up(self, place: Place, quantity: int) -> None:
        """Uses before the first piece only take from the free quantity of their month."""
        free = self.prices[place.operation].free_quantity
        self._used[place] = min(free, self._used.get(place, 0) + quantity)

    def leave_out(self, lines: int) -> None:
        self._preview.left_out += lines

    def add(self, groups: Iterable[UseGroup], in_order: InOrder) -> None:
        """Add a piece. `in_order` gives the billed quantities of places in it, each place's in the ledger's order.

        It may stop where the quantity that is left free, which is given with each place, is used up.
        """
        places: dict[Place, _PlaceSum] = {}
        for group in groups:
            price = self.prices.get(group.operation)
            would_charge = too_large = 0
            if price is None:
                self._preview.unpriced[group.operation] = self._preview.unpriced.get(group.operation, 0) + group.lines
            elif group.is_billed:
                would_charge, too_large = self._price(price, group)
                if group.month is not None:
                    place = Place(group.account_id, group.operation, group.month)
                    _sum_up(places, place, group, would_charge, too_large)
                    would_charge = too_large = 0
            self._accounts[group.account_id].add(group.charged, would_charge, group.lines)
            self._operations[group.operation].add(group.charged, would_charge, group.lines)
            self._preview.too_large += too_large
        self._settle(places, in_order)

    def result(self, *, at_most: int = 10) -> PricePreview:
        """The preview, with the `at_most` accounts that change most."""
        preview = self._preview
        preview.total, preview.operations = Compared(), dict(self._operations)
        for compared in self._accounts.values():
            preview.total.add(compared.charged, compared.would_charge, compared.lines)
        changed = [(key, compared) for key, compared in self._accounts.items() if compared.difference]
        preview.changed_accounts = len(changed)
        preview.accounts = heapq.nsmallest(at_most, changed, key=lambda row: (-abs(row[1].difference), row[0]))
        return preview

    def _settle(self, places: Mapping[Place, _PlaceSum], in_order: InOrder) -> None:
        """Charge what the free quantity of each place does not cover."""
        left_of: dict[Place, int] = {}
        for place, found in places.items():
            left = free_left(self.prices[place.operation], self._used.get(place, 0))
            self.use_up(place, found.total)
            if found.total <= left:
                continue
            self._charge(place, found.would_charge, found.too_large)
            if found.least == found.most:
                free_lines, rest = divmod(left, found.most)
                self._give_free(place, found.most, found.most, free_lines)
                self._give_free(place, found.most, rest)
            elif left:
                left_of[place] = left
        for place, quantity in in_order(dict(left_of)) if left_of else ():
            self._give_free(place, quantity, min(quantity, left_of[place]))
            left_of[place] = max(left_of[place] - quantity, 0)

    def _give_free(self, place: Place, quantity: int, free: int, lines: int = 1) -> None:
        """Charge so much less of the quantity than with nothing free, which it was charged as."""
        price = self.prices[place.operation]
        whole, rest = self._charge_for(price, quantity), self._charge_for(price, quantity - free)
        too_large = (rest is None) - (whole is None)
        self._charge(place, ((rest or 0) - (whole or 0)) * lines, too_large * lines)

    def _charge(self, place: Place, would_charge: int, too_large: int) -> None:
        self._preview.too_large += too_large
        self._accounts[place.account_id].would_charge += would_charge
        self._operations[place.operation].would_charge += would_charge

    def _price(self, price: Price, group: UseGroup) -> tuple[int, int]:
        """Micro-credits of the group with nothing free, and how many of its uses would be beyond the largest amount."""
        if group.quantity is None:
            return group.would_charge, 0
        charge = self._charge_for(price, group.quantity)
        return (0, group.lines) if charge is None else (charge * group.lines, 0)

    def _charge_for(self, price: Price, quantity: int) -> int | None:
        """Micro-credits; None beyond the largest amount."""
        key = (price.operation, quantity)
        if key in self._charges:
            return self._charges[key]
        try:
            charge = charge_for(price, quantity)
        except NumberOutOfRangeError:
            charge = None
        if len(self._charges) < _MOST_REMEMBERED:
            self._charges[key] = charge
        return charge


def _sum_up(places: dict[Place, _PlaceSum], place: Place, group: UseGroup, would_charge: int, too_large: int) -> None:
    found = places.setdefault(place, _PlaceSum(least=group.least, most=group.most))
    found.total += group.total
    found.least, found.most = min(found.least, group.least), max(found.most, group.most)
    found.would_charge += would_charge
    found.too_large += too_large
