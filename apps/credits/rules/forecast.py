"""How long the credits last at the pace of the last days, and what of them will end unused. Pure (spec 08).

The future is played through as the ledger would burn it: in burn order, with the grants that begin and end on the way.
The overdraft is no credit; what open holds reserve and what is owed is spent first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from apps.core.amounts import divide_half_away

WINDOW_DAYS = 30
# A pace of fewer days than these would say more about one busy afternoon than about the months to come.
FEWEST_DAYS = 3
# Nobody plans further; and the calendar ends.
FARTHEST_DAYS = 3_650
_DAY = 86_400_000_000  # in microseconds


@dataclass(frozen=True, slots=True)
class Lot:
    """What is left of a grant, or all of one that begins later; micro-credits."""

    grant_id: UUID
    left: int
    begins_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Lapse:
    """What of a grant will end unused."""

    grant_id: UUID
    amount: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Forecast:
    """`days` is None where it can't be told, and while nothing is spent; `a_day` are micro-credits."""

    days: int | None
    a_day: int
    observed_days: int
    lapses: tuple[Lapse, ...] = ()

    @property
    def will_lapse(self) -> int:
        """Micro-credits that will end unused, in all."""
        return sum(lapse.amount for lapse in self.lapses)

    def runs_out_at(self, now: datetime) -> datetime | None:
        """When the credits have run out; None where that can't be told, and where it lies years ahead."""
        return now + timedelta(days=self.days) if self.days is not None and self.days <= FARTHEST_DAYS else None


def forecast(lots: Sequence[Lot], *, owed: int, burned: int, observed_days: int, now: datetime) -> Forecast:
    """Play the future of the lots, which come in burn order, when `burned` went in `observed_days`, today's included.

    `owed` is what is spent at once: what holds reserve, and what no grant has paid. Nothing lapses after the credits
    have run out, since what begins later may then be spent faster.
    """
    # More may have been given back in these days than burned.
    burned, days = max(burned, 0), min(observed_days, WINDOW_DAYS)
    a_day = divide_half_away(burned, days) if days else 0
    if burned and days < FEWEST_DAYS:
        return Forecast(None, a_day, days)
    runs_out_after, lapses = _play(list(lots), owed, a_day, now)
    return Forecast(runs_out_after, a_day, days, tuple(lapses))


def _play(lots: list[Lot], owed: int, a_day: int, now: datetime) -> tuple[int | None, list[Lapse]]:
    """After how many whole days the credits have run out, None for never; and what ended before that."""
    lapses: list[Lapse] = []
    moments = {moment for lot in lots for moment in (lot.begins_at, lot.expires_at) if moment and moment > now}
    start, spent = now, 0
    for end in sorted(moments):
        owed = _spend(lots, start, owed)
        total = a_day * ((end - now) // timedelta(microseconds=1)) // _DAY
        left = _left(lots, start)
        if (owed and a_day) or total - spent > left:
            return (spent + left) // a_day, lapses
        _spend(lots, start, total - spent)
        spent = total
        lapses += [Lapse(lot.grant_id, lot.left, end) for lot in lots if lot.expires_at == end and lot.left]
        start = end
    _spend(lots, start, owed)
    return ((spent + _left(lots, start)) // a_day if a_day else None), lapses


def _is_live(lot: Lot, at: datetime) -> bool:
    return (lot.begins_at is None or lot.begins_at <= at) and (lot.expires_at is None or lot.expires_at > at)


def _spend(lots: list[Lot], at: datetime, due: int) -> int:
    """Take what is due from the lots that are live, in their order; what they don't cover."""
    for place, lot in enumerate(lots):
        if _is_live(lot, at):
            taken = min(due, lot.left)
            lots[place] = replace(lot, left=lot.left - taken)
            due -= taken
    return due


def _left(lots: Sequence[Lot], at: datetime) -> int:
    return sum(lot.left for lot in lots if _is_live(lot, at))
