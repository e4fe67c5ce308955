"""How long rows are kept, and how they go: a portion at a time, so that no lock is held long (spec 14, Years of data).

Each app declares in its `jobs.py` what it keeps no longer than its setting says. A portion is a transaction of its own:
a purge that is stopped half-way has removed whole portions, and the next one goes on behind them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Model, QuerySet

from apps.core import clock
from apps.core.models import PurgeMark
from apps.core.registry import Registry

PURGE_HISTORY, PURGE_PAYLOADS = "purge-history", "purge-payloads"
AT_ONCE = 1_000
# Well below the time limit of a job with the reports: what is left is the next night's.
LONGEST = timedelta(minutes=60)
MOST_COUNTED = 100_000


@dataclass(frozen=True, slots=True)
class Retention:
    """What one job removes of one table once it is `setting` days old.

    `portions` removes what is older than the moment, and yields how many rows each committed portion had. `due` are
    the rows that it would find, to be counted. `removed` says in words what is gone of a row.
    """

    name: str
    job: str
    setting: str
    model: type[Model]
    portions: Callable[[datetime], Iterator[int]]
    due: Callable[[datetime], QuerySet[Any]]
    removed: str = "row"

    @property
    def days(self) -> int:
        return int(getattr(settings, self.setting))

    def cutoff(self) -> datetime:
        """What is older than this goes."""
        return clock.now() - timedelta(days=self.days)

    def count_due(self) -> int:
        """How many rows the next purge will find; counted up to `MOST_COUNTED`."""
        return self.due(self.cutoff()).order_by()[:MOST_COUNTED].count()


RETENTIONS: Registry[Retention] = Registry("retention")


def keep_for(retention: Retention) -> None:
    """Declare how long something is kept."""
    RETENTIONS.register(retention.name, retention)


def purge(job: str) -> dict[str, int]:
    """Remove all that is due of this job's tables, or as much as an hour allows; how many rows of each."""
    ends_at = time.monotonic() + LONGEST.total_seconds()
    counts = {}
    for retention in RETENTIONS.values():
        if retention.job == job:
            counts[retention.name] = 0
            for removed in retention.portions(retention.cutoff()):
                counts[retention.name] += removed
                if time.monotonic() >= ends_at:
                    return counts
    return counts


def delete_portions(rows: QuerySet[Any], *, at_most: int = AT_ONCE) -> Iterator[int]:
    """Delete the rows, which must be in the order of an index, a portion in each transaction."""
    while True:
        with transaction.atomic():
            portion = list(rows.values_list("pk", flat=True)[:at_most])
            removed = rows.model._default_manager.filter(pk__in=portion).delete()[0] if portion else 0  # noqa: SLF001
        if not removed:
            return
        yield len(portion)


def mark_of(name: str) -> PurgeMark:
    """How far the purge has come, locked until the transaction ends: two purges never work on the same portion."""
    PurgeMark.objects.get_or_create(name=name)
    return PurgeMark.objects.select_for_update().get(name=name)


def mark_read(name: str) -> PurgeMark:
    """How far the purge has come, to read."""
    return PurgeMark.objects.filter(name=name).first() or PurgeMark(name=name)
