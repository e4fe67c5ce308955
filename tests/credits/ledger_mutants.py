"""The model of the ledger with one rule broken each: what the model test must catch."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from tests.credits.ledger_model import Model, ModelCharge, ModelGrant, ModelHold


class OldestFirst(Model):
    """Wrong: grants burn by age alone."""

    def pay(self) -> None:
        ends = {name: grant.expires_at for name, grant in self.grants.items()}
        for grant in self.grants.values():
            grant.expires_at, grant.priority = None, 0
        super().pay()
        for name, grant in self.grants.items():
            grant.expires_at = ends[name]


class BackToTheNewest(Model):
    """Wrong: a reversal goes to the newest grant, not to those that paid."""

    def reverse(self, name: str, amount: int) -> tuple[dict[str, int], int]:
        charge = self.charges[name]
        if charge.kept:
            charge.kept = [(max(self.grants, key=lambda grant: self.grants[grant].number), charge.amount)]
        return super().reverse(name, amount)


class BackToTheFirst(Model):
    """Wrong: in part, the grant that paid first gets it back."""

    def reverse(self, name: str, amount: int) -> tuple[dict[str, int], int]:
        self.charges[name].kept.reverse()
        return super().reverse(name, amount)


class HoldsForEver(Model):
    """Wrong: a hold does not end by itself."""

    def settle(self, now: datetime) -> dict[str, int]:
        holds = dict(self.holds)
        lost = super().settle(now)
        self.holds = holds
        return lost


class GrantsForEver(Model):
    """Wrong: what is granted never expires."""

    def grant(self, name: str, amount: int, priority: int, expires_at: datetime | None) -> None:
        super().grant(name, amount, priority, expires_at)
        grant: ModelGrant = self.grants[name]
        grant.expires_at = None


class FreeStaysUsed(Model):
    """Wrong: a reversal gives credits back, and no free quantity."""

    def return_free(self, charge: ModelCharge) -> int:
        return 0


class HoldsReserveNoFree(Model):
    """Wrong: a hold counts on the free quantity and leaves it to others."""

    def open_hold(self, name: str, hold: ModelHold) -> None:
        super().open_hold(name, replace(hold, free=0))


class MonthsOfUtc(Model):
    """Wrong: the month is that of UTC, wherever the organization is."""

    def month(self, at: datetime) -> date:
        return at.astimezone(UTC).date().replace(day=1)


MUTANTS: tuple[type[Model], ...] = (OldestFirst, BackToTheNewest, BackToTheFirst, HoldsForEver, GrantsForEver)
MUTANTS += (FreeStaysUsed, HoldsReserveNoFree, MonthsOfUtc)
