"""The books of an account, or of many: the identities that must hold, each with both sides (spec 07, Books). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Figures:
    """What the identities compare; micro-credits, each as it adds up, so that given is above zero and taken below.

    The sums by kind come from the rollups; `balance` and `entries` from the account and its entries; `moved` is what
    the rollups say of the days that `entries` covers. `held` is the account's, `open_holds` the sum of its holds.
    """

    granted: int = 0
    consumed: int = 0
    expired: int = 0
    voided: int = 0
    given_back: int = 0
    adjusted: int = 0
    balance: int = 0
    last_balance: int = 0
    held: int = 0
    open_holds: int = 0
    moved: int = 0
    entries: int = 0
    account_balance: int = 0


@dataclass(frozen=True, slots=True)
class BooksLine:
    """One identity: what must be equal, in words, and both sides in micro-credits."""

    name: str
    left_is: str
    right_is: str
    left: int
    right: int

    @property
    def difference(self) -> int:
        return self.left - self.right


def books_lines(figures: Figures) -> tuple[BooksLine, ...]:
    """The identities, in the order in which they are shown."""
    kinds = figures.granted + figures.consumed + figures.expired + figures.voided
    return (
        BooksLine(
            "Movements make the balance",
            "granted - consumed - expired - voided + given back ± adjusted",
            "balance at the end of the day",
            kinds + figures.given_back + figures.adjusted,
            figures.balance,
        ),
        BooksLine(
            "The balance stands on the entries",
            "balance of the account now",
            "balance after its last entry",
            figures.account_balance,
            figures.last_balance,
        ),
        BooksLine("Held is what open holds hold", "held now", "open holds", figures.held, figures.open_holds),
        BooksLine(
            "Rollups are the entries", "rollups of the day", "entries of the day", figures.moved, figures.entries
        ),
    )


def add_figures(found: Iterable[Figures]) -> Figures:
    """All of them together."""
    names = [field.name for field in fields(Figures)]
    totals = dict.fromkeys(names, 0)
    for figures in found:
        for name in names:
            totals[name] += getattr(figures, name)
    return Figures(**totals)
