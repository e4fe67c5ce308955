"""The ledger as a small pure model: grants that burn in order, holds, charges that know who paid (spec 05).

Amounts are micro-credits. It knows nothing of rows, keys or SQL; a test compares it with the product after each step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo

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
    # Of the payments, what no reversal has given back; the last one first.
    kept: list[tuple[str, int]] = field(default_factory=list)
    unpaid: int = 0
    left: int = 0
    free: int = 0
    month: date | None = None

    @property
    def paid(self) -> dict[str, int]:
        """How much each grant has paid in all."""
        return {payer: sum(paid for name, paid in self.payments if name == payer) for payer, _ in self.payments}


@dataclass(frozen=True, slots=True)
class ModelHold:
    """What a hold reserves, of which operation and month, and until when."""

    amount: int
    ends: datetime
    operation: str = "unit"
    quantity: int = 0
    free: int = 0
    month: date | None = None


@dataclass(slots=True)
class Model:
    """One account. Grants, charges and holds by the ids that the product gave them."""

    overdraft: int = 0
    zone: tzinfo = UTC
    grants: dict[str, ModelGrant] = field(default_factory=dict)
    charges: dict[str, ModelCharge] = field(default_factory=dict)
    holds: dict[str, ModelHold] = field(default_factory=dict)
    free_used: dict[date, int] = field(default_factory=dict)
    entries: int = 0

    @property
    def balance(self) -> int:
        return sum(grant.left for grant in self.grants.values()) - sum(c.unpaid for c in self.charges.values())

    @property
    def held(self) -> int:
        return sum(hold.amount for hold in self.holds.values())

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
            "free": {month: used for month, used in self.free_used.items() if used},
        }

    def month(self, at: datetime) -> date:
        """The month of the moment by the account's clock."""
        return at.astimezone(self.zone).date().replace(day=1)

    def free_left(self, at: datetime) -> int:
        """A hundred files a month are free."""
        return max(100 * CHARGE_MICRO - self.free_used.get(self.month(at), 0), 0)

    def use_free(self, month: date | None, quantity: int) -> None:
        if month is not None:
            self.free_used[month] = self.free_used.get(month, 0) + quantity

    def open_hold(self, name: str, hold: ModelHold) -> None:
        """Reserve the amount, and the free quantity that it counts on."""
        self.holds[name] = hold
        self.use_free(hold.month, hold.free)

    def end_hold(self, name: str) -> ModelHold:
        """What it reserved is free again."""
        hold = self.holds.pop(name)
        self.use_free(hold.month, -hold.free)
        return hold

    def settle(self, now: datetime) -> dict[str, int]:
        """Holds that have ended are gone; ended grants lose what no hold was promised. How much by grant."""
        for name in [name for name, hold in self.holds.items() if hold.ends <= now]:
            self.end_hold(name)
        names, lost = {id(grant): name for name, grant in self.grants.items()}, {}
        ended = [g for g in self.grants.values() if g.expires_at is not None and g.expires_at <= now and g.left]
        for grant in sorted(ended, key=lambda grant: (grant.expires_at, grant.number)):
            gone = min(grant.left, max(self.balance - self.held, 0))
            grant.left -= gone
            self.entries += gone > 0
            lost[names[id(grant)]] = gone
        return lost

    def grant(self, name: str, amount: int, priority: int, expires_at: datetime | None) -> None:
        self.grants[name] = ModelGrant(priority, expires_at, amount, len(self.grants))
        self.entries += 1
        self.pay()

    def charge(self, name: str, amount: int, free: int = 0, at: datetime | None = None) -> None:
        month = self.month(at) if at and free else None
        self.charges[name] = ModelCharge(amount, unpaid=amount, left=amount, free=free, month=month)
        self.use_free(month, free)
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
                    charge.kept.append((name, taken))

    def reverse(self, name: str, amount: int) -> tuple[dict[str, int], int]:
        """Back to what nobody had paid, then to those who paid, the last payment first; it then pays other debts.

        So what stays paid is what a charge smaller by that much would have burned (spec 05, Which grant paid). With the
        last of it the free quantity is back in its month. Who got how much, and how much of it is free.
        """
        charge, got = self.charges[name], dict[str, int]()
        charge.left -= amount
        self.entries += 1
        forgiven = min(amount, charge.unpaid)
        charge.unpaid -= forgiven
        amount -= forgiven
        while amount:
            payer, paid = charge.kept.pop()
            back = min(amount, paid)
            if back < paid:
                charge.kept.append((payer, paid - back))
            self.grants[payer].left += back
            got[payer] = got.get(payer, 0) + back
            amount -= back
        self.pay()
        return got, self.return_free(charge)

    def return_free(self, charge: ModelCharge) -> int:
        """The free part was the run's first, so that it comes back last."""
        free = 0 if charge.left else charge.free
        charge.free -= free
        self.use_free(charge.month, -free)
        return free

    def price(self, quantity: int, free: int) -> int:
        """Ten thousand micro-credits a file beyond the free ones, rounded half up to ten thousand."""
        paid = quantity - min(quantity, free)
        return (paid * 10_000 + 5_000 * CHARGE_MICRO) // (10_000 * CHARGE_MICRO) * 10_000
