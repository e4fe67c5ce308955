"""What another policy would have charged for recorded quantities: the pricing rule replayed, line by line. Pure.

Lines come account by account, in the order of each account's ledger, because a month's free quantity goes to whoever
comes first. Memory does not grow with the lines: what was used of free quantities is forgotten with its account, and of
the accounts only those that change most are kept.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from apps.core.amounts import NumberOutOfRangeError, divide_half_away
from apps.core.enums import UsageCategory
from apps.credits.rules.pricing import Price, charge_for, free_left

_PER_MILLE = 1000


@dataclass(frozen=True, slots=True)
class RecordedUse:
    """One line of the ledger; `charged` is micro-credits. One that is not counted only uses up free quantity."""

    account_id: UUID
    operation: str
    quantity: int
    outcome: str
    category: str
    charged: int
    month: date
    is_counted: bool = True


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

    def add(self, charged: int, would_charge: int, lines: int = 1) -> None:
        """Count so many lines more."""
        self.lines += lines
        self.charged += charged
        self.would_charge += would_charge


@dataclass(slots=True)
class PricePreview:
    """The whole comparison. `unpriced` are operations that the policy does not know: they would be refused."""

    total: Compared = field(default_factory=Compared)
    operations: dict[str, Compared] = field(default_factory=dict)
    accounts: list[tuple[UUID, Compared]] = field(default_factory=list)
    changed_accounts: int = 0
    unpriced: dict[str, int] = field(default_factory=dict)
    too_large: int = 0


def preview_prices(uses: Iterable[RecordedUse], prices: dict[str, Price], *, at_most: int = 10) -> PricePreview:
    """Replay the uses under the prices; keeps the `at_most` accounts that change most."""
    preview = PricePreview()
    most: list[tuple[int, UUID, Compared]] = []
    account, used = Compared(), dict[tuple[str, date], int]()
    current: UUID | None = None
    for use in uses:
        if use.account_id != current:
            _close(preview, most, current, account, at_most)
            current, account, used = use.account_id, Compared(), {}
        would = _charge(preview, prices.get(use.operation), use, used)
        if use.is_counted:
            account.add(use.charged, would)
            preview.operations.setdefault(use.operation, Compared()).add(use.charged, would)
    _close(preview, most, current, account, at_most)
    preview.accounts = [(key, compared) for _, key, compared in sorted(most, key=lambda row: (-row[0], row[1]))]
    return preview


def _close(
    preview: PricePreview,
    most: list[tuple[int, UUID, Compared]],
    account_id: UUID | None,
    account: Compared,
    at_most: int,
) -> None:
    if account_id is None or not account.lines:
        return
    preview.total.add(account.charged, account.would_charge, account.lines)
    if account.difference:
        preview.changed_accounts += 1
        heapq.heappush(most, (abs(account.difference), account_id, account))
        if len(most) > at_most:
            heapq.heappop(most)


def _charge(preview: PricePreview, price: Price | None, use: RecordedUse, used: dict[tuple[str, date], int]) -> int:
    """Micro-credits of one line, the free quantity of its month taken first."""
    if price is None:
        if use.is_counted:
            preview.unpriced[use.operation] = preview.unpriced.get(use.operation, 0) + 1
        return 0
    if use.category != UsageCategory.REGULAR or not price.bills(use.outcome):
        return 0
    place = (use.operation, use.month)
    left = free_left(price, used.get(place, 0))
    if price.free_quantity:
        used[place] = used.get(place, 0) + min(use.quantity, left)
    try:
        return charge_for(price, use.quantity, free_left=left)
    except NumberOutOfRangeError:
        preview.too_large += 1
        return 0
