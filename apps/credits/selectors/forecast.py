"""The forecast of an account: its pace, and its grants in burn order (spec 08, the Credits pages and reports)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from uuid import UUID

from apps.core.moments import in_zone
from apps.credits.models import CreditAccount, CreditGrant
from apps.credits.rules.forecast import WINDOW_DAYS, Forecast, Lot, forecast
from apps.credits.selectors.burn import DayOfBurn, days_of_burn
from apps.credits.selectors.statement import grants_of_accounts, grants_with_rest


def forecast_of(
    account: CreditAccount, *, now: datetime, zone: tzinfo, days: Sequence[DayOfBurn] | None = None
) -> Forecast:
    """How long the account's credits last. Its charges have burned; `days` where they were read already."""
    read = days_of_burn(account.pk, now=now, zone=zone, days=WINDOW_DAYS) if days is None else days
    spent_on = [day.day for day in read if day.total]
    observed = (in_zone(now, zone).date() - spent_on[0]).days + 1 if spent_on else 0
    pace = Pace(sum(day.total for day in read), observed)
    return _forecast(account, grants_with_rest(account.pk, now), pace, now)


@dataclass(frozen=True, slots=True)
class Pace:
    """What burned in the last `observed_days`, today's included; micro-credits."""

    burned: int
    observed_days: int


def runways_at_pace(accounts: Mapping[CreditAccount, Pace], *, now: datetime) -> dict[UUID, Forecast]:
    """How long the credits of each account last at a pace that is known."""
    grants = grants_of_accounts([account.pk for account in accounts], now)
    return {account.pk: _forecast(account, grants[account.pk], pace, now) for account, pace in accounts.items()}


def runway_of(account: CreditAccount, *, now: datetime, burned: int, observed_days: int) -> Forecast:
    """The same of one account."""
    return _forecast(account, grants_with_rest(account.pk, now), Pace(burned, observed_days), now)


def _forecast(account: CreditAccount, grants: Sequence[CreditGrant], pace: Pace, now: datetime) -> Forecast:
    lots = [_lot(grant) for grant in sorted(grants, key=_burn_order)]
    left = sum(grant.remaining for grant in grants)
    owed = account.held + max(left - account.balance, 0)
    return forecast(lots, owed=owed, burned=pace.burned, observed_days=pace.observed_days, now=now)


def _lot(grant: CreditGrant) -> Lot:
    if grant.is_posted:
        return Lot(grant.pk, grant.remaining, None, grant.expires_at)
    return Lot(grant.pk, grant.amount, grant.effective_at, grant.expires_at)


def _burn_order(grant: CreditGrant) -> tuple[object, ...]:
    """As the ledger burns: by priority, what ends soonest, the oldest."""
    ends = grant.expires_at
    return (grant.priority, ends is None, ends.timestamp() if ends else 0, grant.created_at, str(grant.pk))
