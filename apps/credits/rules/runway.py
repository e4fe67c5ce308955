"""How long the credits last at the pace of the last days. Pure (spec 08, the tenant's Credits page)."""

from __future__ import annotations

from dataclasses import dataclass

from apps.core.amounts import divide_half_away

WINDOW_DAYS = 30
# A pace of fewer days than these would say more about one busy afternoon than about the months to come.
FEWEST_DAYS = 3


@dataclass(frozen=True, slots=True)
class Runway:
    """`days` is None where it can't be told; `a_day` are micro-credits."""

    days: int | None
    a_day: int
    observed_days: int


def runway(*, available: int, burned: int, observed_days: int) -> Runway:
    """The days that `available` lasts when `burned` went in `observed_days`, today's included."""
    days = min(observed_days, WINDOW_DAYS)
    a_day = divide_half_away(burned, days) if days > 0 and burned > 0 else 0
    if days < FEWEST_DAYS or a_day == 0:
        return Runway(None, a_day, days)
    return Runway(max(available, 0) // a_day, a_day, days)
