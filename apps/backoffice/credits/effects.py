"""What a verb of credits would do to an account: balance before and after, and which grants it touches. Reads only.

The services commit their answer with their key, so they can't be run and rolled back as the workspace's verbs are; here
the effect is computed from the account as it is, with the order in which grants burn (spec 05). The service has the
last word: between the preview and the click other charges may come.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Sum

from apps.backoffice.records.credits import burn_order, spelled
from apps.core import clock
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant, GrantBurn, UncoveredCharge

MOST_LINES = 8


@dataclass(frozen=True, slots=True)
class Turn:
    """One figure before and after; in words already."""

    label: str
    before: str
    after: str
    note: str = ""

    @property
    def is_changed(self) -> bool:
        """Whether it moves at all."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Effect:
    """What a dialog shows before the last click. `affected` are the tenants that it changes most, under their title."""

    turns: Sequence[Turn]
    lines: Sequence[str] = ()
    warning: str = ""
    affected_title: str = ""
    affected: Sequence[Turn] = ()


def of_grant(account: CreditAccount, amount: int, effective_at: datetime | None, expires_at: datetime | None) -> Effect:
    """Credits come in; debts that no grant has paid are paid first."""
    begins_later = effective_at is not None and effective_at > clock.now()
    lines = (
        [f"It counts from {effective_at:%-d %B %Y, %H:%M} UTC on; until then nothing changes."] if begins_later else []
    )
    debt = UncoveredCharge.objects.filter(account=account, amount_left__gt=0).aggregate(total=Sum("amount_left"))[
        "total"
    ]
    if debt and not begins_later:
        lines.append(f"{spelled(min(debt, amount))} of it pays charges that no grant has paid yet.")
    lines.append(f"What is left of it expires on {expires_at:%-d %B %Y}." if expires_at else "It does not expire.")
    return Effect(_turns(account, 0 if begins_later else amount), lines)


def of_adjustment(account: CreditAccount, amount: int) -> Effect:
    """Credits go; which grants pay."""
    left, lines = amount, []
    for grant in burn_order(account.pk)[: MOST_LINES + 1]:
        if not left:
            break
        taken = min(left, grant.remaining)
        left -= taken
        lines.append(
            f"{spelled(taken)} from the {grant.get_grant_type_display().lower()} grant of {spelled(grant.amount)}"
        )
    available = account.balance - account.held + account.overdraft_limit
    warning = f"Only {spelled(available)} is available: this will be refused." if amount > available else ""
    return Effect(_turns(account, -amount), _some(lines), warning)


def of_overdraft(account: CreditAccount, limit: int) -> Effect:
    """How far below zero the balance may go."""
    free = account.balance - account.held
    turns = (
        Turn("Overdraft limit", spelled(account.overdraft_limit), spelled(limit)),
        Turn("Available", spelled(free + account.overdraft_limit), spelled(free + limit)),
        Turn("Balance", spelled(account.balance), spelled(account.balance)),
    )
    warning = "The account would stand below its limit: nothing more can be charged until credits come in."
    return Effect(turns, warning=warning if free + limit < 0 else "")


def of_reversal(entry: CreditEntry, amount: int) -> Effect:
    """A charge goes back to the grants that paid it, the last one first."""
    account, left, lines = entry.account, amount, []
    debt = UncoveredCharge.objects.filter(pk=entry.pk, amount_left__gt=0).first()
    if debt is not None:
        forgiven = min(left, debt.amount_left)
        left -= forgiven
        lines.append(f"{spelled(forgiven)} that no grant had paid is not owed any more")
    for burn in GrantBurn.objects.filter(entry=entry, amount__gt=0).select_related("grant").order_by("-pk"):
        if not left:
            break
        back = min(left, burn.amount)
        left -= back
        lines.append(_back(burn.grant, back))
    turns = [
        *_turns(account, amount),
        Turn("Given back of the charge", "0", f"{spelled(amount)} of {spelled(-entry.amount)}"),
    ]
    return Effect(turns, _some(lines))


def _back(grant: CreditGrant, amount: int) -> str:
    ended = grant.expires_at is not None and grant.expires_at <= clock.now()
    end = ", which has expired: it expires again at once" if ended else ""
    return f"{spelled(amount)} to the {grant.get_grant_type_display().lower()} grant of {spelled(grant.amount)}{end}"


def _turns(account: CreditAccount, change: int) -> list[Turn]:
    available = account.balance - account.held + account.overdraft_limit
    return [
        Turn("Balance", spelled(account.balance), spelled(account.balance + change)),
        Turn("Available", spelled(available), spelled(available + change)),
    ]


def _some(lines: Iterable[str]) -> list[str]:
    found = list(lines)
    return [*found[:MOST_LINES], "and further grants"] if len(found) > MOST_LINES else found
