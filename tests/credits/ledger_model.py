"""The ledger as a small pure model: grants that burn in order, holds, charges that know who paid (spec 05).

Amounts are micro-credits. It knows nothing of rows, keys or SQL; a test compares it with the product after each step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

CHARGE_MICRO = 1_000_000


@dataclass(slots=True)
class ModelGrant:
    """What is left of one grant."""

    priority: int
    expires_at: datetime | None
    left: int
    number: int

    @property
    def burn_place(self) -> tuple[int, bool, float, int]:
        ends = self.expires_at.timestamp() if self.expires_at else 0.0
        return self.priority, self.expires_at is None, ends, self.number


@dataclass(slots=True)
class ModelCharge:
    """Who paid how much of one charge, payment by payment, and what nobody has paid yet."""

    amount: int
    payments: list[tuple[str, int]] = field(default_factory=list)
    unpaid: int = 0
    is_reversed: bool = False

    @property
    def paid(self) -> dict[str, int]:
        """How much each grant has paid in all."""
        return {payer: sum(paid for name, paid in self.payments if name == payer) for payer, _ in self.payments}


@dataclass(slots=True)
class Model:
    """One account. Grants, charges and holds by the ids that the product gave them."""

    overdraft: int = 0
    grants: dict[str, ModelGrant] = field(default_factory=dict)
    charges: dict[str, ModelCharge] = field(default_factory=dict)
    holds: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    free_left: int = 0
    entries: int = 0

    @property
    def balance(self) -> int:
        return sum(grant.left for grant in self.grants.values()) - sum(c.unpaid for c in self.charges.values())

    @property
    def held(self) -> int:
        return sum(amount for amount, _ in self.holds.values())

    @property
    def available(self) -> int:
        return self.balance - self.held + self.overdraft

    def shown(self) -> dict[str, object]:
        """The account, what is left by grant, and who paid how much of each charge."""
        return {
            "balance": self.balance,
            "held": self.held,
            "left": {name: grant.left for name, grant in self.grants.items()},
            "paid": {name: charge.paid for name, charge in self.charges.items() if charge.paid},
            "unpaid": {name: charge.unpaid for name, charge in self.charges.items() if charge.unpaid},
            "entries": self.entries,
        }

    def settle(self, now: datetime) -> None:
        """Holds that have ended are gone; ended grants lose what no hold was promised."""
        self.holds = {key: hold for key, hold in self.holds.items() if hold[1] > now}
        ended = [g for g in self.grants.values() if g.expires_at is not None and g.expires_at <= now and g.left]
        for grant in sorted(ended, key=lambda grant: (grant.expires_at, grant.number)):
            gone = min(grant.left, max(self.balance - self.held, 0))
            grant.left -= gone
            self.entries += gone > 0

    def grant(self, name: str, amount: int, priority: int, expires_at: datetime | None) -> None:
        self.grants[name] = ModelGrant(priority, expires_at, amount, len(self.grants))
        self.entries += 1
        self.pay()

    def charge(self, name: str, amount: int) -> None:
        self.charges[name] = ModelCharge(amount, unpaid=amount)
        self.entries += 1
        self.pay()

    def pay(self) -> None:
        """The grants, in burn order, pay the charges, the oldest first."""
        order = sorted(self.grants.items(), key=lambda item: item[1].burn_place)
        for charge in self.charges.values():
            for name, grant in order:
                taken = min(charge.unpaid, grant.left)
                if taken:
                    grant.left -= taken
                    charge.unpaid -= taken
                    charge.payments.append((name, taken))

    def reverse(self, name: str, amount: int) -> None:
        """Back to what nobody had paid, then to those who paid, the last payment first; it then pays other debts.

        So what stays paid is what a charge smaller by that much would have burned (spec 05, Which grant paid).
        """
        charge = self.charges[name]
        charge.is_reversed = True
        self.entries += 1
        forgiven = min(amount, charge.unpaid)
        charge.unpaid -= forgiven
        amount -= forgiven
        for payer, paid in reversed(charge.payments):
            back = min(amount, paid)
            self.grants[payer].left += back
            amount -= back
        self.pay()

    def price(self, quantity: int, free: int) -> int:
        """Ten thousand micro-credits a file beyond the free ones, rounded half up to ten thousand."""
        paid = quantity - min(quantity, free)
        return (paid * 10_000 + 5_000 * CHARGE_MICRO) // (10_000 * CHARGE_MICRO) * 10_000
