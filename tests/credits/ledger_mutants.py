"""The model of the ledger with one rule broken each: what the model test must catch."""

from __future__ import annotations

from datetime import datetime

from tests.credits.ledger_model import Model, ModelGrant


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

    def reverse(self, name: str, amount: int) -> None:
        charge = self.charges[name]
        if charge.payments:
            charge.payments = [(max(self.grants, key=lambda grant: self.grants[grant].number), charge.amount)]
        super().reverse(name, amount)


class BackToTheFirst(Model):
    """Wrong: in part, the grant that paid first gets it back."""

    def reverse(self, name: str, amount: int) -> None:
        self.charges[name].payments.reverse()
        super().reverse(name, amount)


class HoldsForEver(Model):
    """Wrong: a hold does not end by itself."""

    def settle(self, now: datetime) -> None:
        holds = dict(self.holds)
        super().settle(now)
        self.holds = holds


class GrantsForEver(Model):
    """Wrong: what is granted never expires."""

    def grant(self, name: str, amount: int, priority: int, expires_at: datetime | None) -> None:
        super().grant(name, amount, priority, expires_at)
        grant: ModelGrant = self.grants[name]
        grant.expires_at = None


MUTANTS: tuple[type[Model], ...] = (OldestFirst, BackToTheNewest, BackToTheFirst, HoldsForEver, GrantsForEver)
