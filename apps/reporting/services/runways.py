"""Keeps when each account runs out, by the forecast of the Credits page and the pace of the rollups (spec 08).

Only accounts that moved are computed again, and those that spend once a day, as their pace changes with the days.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.jobs.record_errors import RecordErrors
from apps.core.operations import require
from apps.credits.models import CreditAccount
from apps.reporting.models import AccountRunway
from apps.reporting.selectors.alerts import runways_of

_LIST = 200
# A little less than a day: the job that looks comes by the hour.
_AGAIN_AFTER = timedelta(hours=23, minutes=30)


def runways_keep(context: ExecutionContext) -> int:
    """Compute the figures that are due; how many. Accounts that fail stop no other list of accounts."""
    require(context, "jobs.refresh_figures")
    now = clock.now()
    is_due = (
        Q(runway=None)
        | Q(runway__is_empty=None)
        | Q(last_sequence__gt=F("runway__last_sequence"))
        | Q(runway__a_day__gt=0, runway__looked_at__lte=now - _AGAIN_AFTER)
    )
    accounts = CreditAccount.objects.filter(is_due, organization__is_synthetic=False, organization__closed_at=None)
    ids = list(accounts.order_by("pk").values_list("pk", flat=True))
    errors = RecordErrors("lists of accounts")
    for start in range(0, len(ids), _LIST):
        with errors.record(ids[start]), transaction.atomic():
            _keep(ids[start : start + _LIST], now)
    errors.finish()
    return len(ids)


def _keep(ids: Sequence[UUID], now: datetime) -> None:
    # Read before the forecast: an entry that comes in between is looked at the next time.
    accounts = CreditAccount.objects.filter(pk__in=ids).values_list("pk", "last_sequence", "balance")
    places = {key: (sequence, balance) for key, sequence, balance in accounts}
    rows = [
        AccountRunway(
            account_id=key,
            runs_out_at=found.runs_out_at(now),
            a_day=found.a_day,
            last_sequence=places[key][0],
            is_empty=places[key][0] > 0 and places[key][1] <= 0,
            looked_at=now,
        )
        for key, found in sorted(runways_of(ids, now).items())
    ]
    AccountRunway.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["account"],
        update_fields=["runs_out_at", "a_day", "last_sequence", "looked_at", "is_empty"],
    )
