"""Work queues that are tables: outbox, inbox, job runs and sync runs.

A worker claims a row for the time of a lease and counts up the row's claims. The row is the worker's as long as it
bears that count: a worker that comes back after its lease finds another number, and writes nothing. When a worker dies
the lease ends, and the next claim takes the row over.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter
from typing import Any, Generic, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import F, Min, Model, Q, QuerySet

from apps.core import clock
from apps.core.audit.secrecy import redact_text

logger = logging.getLogger(__name__)

_LONGEST_ERROR = 2_000
RowT = TypeVar("RowT", bound=Model)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in a queue. `overdue` is zero where nothing could be claimed now."""

    waiting: int
    overdue: timedelta


# Each queue by its name, as the module that declares it is imported.
QUEUES: dict[str, Queue[Any]] = {}


@dataclass(frozen=True, slots=True)
class Queue(Generic[RowT]):
    """How one table is worked through. The names are those of its columns and states.

    With `starts_at_once` a row that nobody has claimed yet is due whatever `due_at` says: then that is when the sweep
    sends its message again. `beat` is how often `keep` renews the lease.
    """

    model: type[RowT]
    waiting: str
    working: str
    lease: timedelta
    beat: timedelta
    claims: str = "attempts"
    due_at: str = "lease_expires_at"
    starts_at_once: bool = False
    parked: Q | None = None
    """Which rows nothing but a person brings on; None where none can come to that."""

    def __post_init__(self) -> None:
        QUEUES[self.name] = self

    @property
    def name(self) -> str:
        """As the metrics call it, such as `payments.webhookevent`."""
        return self.model._meta.label_lower

    def backlog(self, most: int) -> Backlog:
        """How many rows wait, counted up to `most`, and since when the oldest could have been claimed."""
        now = clock.real_now()
        rows: QuerySet[RowT] = QuerySet(self.model)
        waiting, working = rows.filter(status=self.waiting), rows.filter(status=self.working, lease_expires_at__lte=now)
        due = [
            waiting.filter(**{f"{self.due_at}__lte": now}).aggregate(first=Min(self.due_at))["first"],
            working.aggregate(first=Min("lease_expires_at"))["first"],
        ]
        oldest = min((moment for moment in due if moment is not None), default=now)
        return Backlog(waiting.values("pk")[:most].count(), now - oldest)

    def claim(self, *, limit: int = 1, where: Q | None = None, lease: timedelta | None = None) -> list[RowT]:
        """Claim up to `limit` due rows: those of dead workers first, then those that have been due the longest.

        One statement; `SKIP LOCKED` lets workers pass each other. Each half is read in the order of its own index: an
        `OR` of the two would sort everything that is due.
        """
        now = clock.real_now()
        rows = self._rows(where or Q()).select_for_update(skip_locked=True)
        expired = rows.filter(status=self.working, lease_expires_at__lte=now).order_by("lease_expires_at")
        due = rows.filter(**{"status": self.waiting, f"{self.due_at}__lte": now}).order_by(self.due_at)
        with transaction.atomic(durable=True):
            try:
                expired_sql, expired_values = expired.values("id")[:limit].query.sql_with_params()
                due_sql, due_values = due.values("id")[:limit].query.sql_with_params()
            except EmptyResultSet:  # `where` can't be true
                return []
            statement = f"""
                WITH expired AS MATERIALIZED ({expired_sql}), due AS MATERIALIZED ({due_sql}),
                    chosen AS (SELECT id FROM expired UNION ALL SELECT id FROM due LIMIT %s)
                UPDATE {self.model._meta.db_table} AS work
                SET status = %s, {self.claims} = work.{self.claims} + 1, lease_expires_at = %s
                FROM chosen WHERE work.id = chosen.id
                RETURNING work.*
            """  # noqa: S608 - names of our own columns
            values = [*expired_values, *due_values, limit, self.working, now + (lease or self.lease)]
            claimed = list(self.model._default_manager.raw(statement, values))  # noqa: SLF001
        return sorted(claimed, key=attrgetter(self.due_at))

    def claim_row(self, pk: object, *, lease: timedelta | None = None, **values: Any) -> RowT | None:
        """Claim this row and set `values`, if it is due; None when it is not, or another worker was quicker."""
        now = clock.real_now()
        is_due = Q(**{"status": self.waiting, f"{self.due_at}__lte": now})
        is_due |= Q(status=self.working, lease_expires_at__lte=now)
        if self.starts_at_once:
            is_due |= Q(**{"status": self.waiting, self.claims: 0})
        # One conditional update, so that the loser of a race changes nothing.
        claimed = self._rows(is_due, pk=pk).update(
            **{"status": self.working, self.claims: F(self.claims) + 1}
            | {"lease_expires_at": now + (lease or self.lease), **values}
        )
        return self._rows(pk=pk).get() if claimed else None

    def renew(self, row: RowT) -> bool:
        """Begin the lease anew; false when the row is no longer this worker's."""
        return self._owned(row).update(lease_expires_at=clock.real_now() + self.lease) == 1

    def release(self, row: RowT, status: str, **values: Any) -> bool:
        """End the lease with what came of the work, or with the waiting state to have it tried again.

        False, and nothing is written, when the row is no longer this worker's.
        """
        return self._owned(row).update(**{"status": status, "lease_expires_at": None, **values}) == 1

    def lock(self, row: RowT) -> RowT | None:
        """The row as it is now, locked until the transaction ends; None when it is no longer this worker's."""
        return self._owned(row).select_for_update(no_key=True).first()

    def overdue(self) -> QuerySet[RowT]:
        """What a sweep hands out again: rows that nobody took in time, and rows of dead workers."""
        return self._rows(status__in=[self.waiting, self.working], lease_expires_at__lte=clock.real_now())

    @contextmanager
    def keep(self, row: RowT) -> Iterator[None]:
        """Renew the lease from a thread while the block runs, so that slow work is not taken over."""
        is_over = threading.Event()
        name = f"lease-{self.model.__name__}"
        thread = threading.Thread(target=self._keep_renewing, args=(row, is_over), name=name, daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def _keep_renewing(self, row: RowT, is_over: threading.Event) -> None:
        while not is_over.wait(self.beat.total_seconds()):
            try:
                self.renew(row)
            except Exception:
                # A missed beat is made up by the next: a lease lasts several.
                logger.warning("lease_not_renewed", exc_info=True, extra={"row": f"{self.model.__name__} {row.pk}"})
            finally:
                connection.close()

    def _owned(self, row: RowT) -> QuerySet[RowT]:
        return self._rows(**{"pk": row.pk, "status": self.working, self.claims: getattr(row, self.claims)})

    def _rows(self, *conditions: Q, **values: Any) -> QuerySet[RowT]:
        return self.model._default_manager.filter(*conditions, **values)  # noqa: SLF001


def error_text(text: str) -> str:
    """An error as a row keeps it: without secrets, without what PostgreSQL refuses, not endless."""
    return redact_text(text).replace("\x00", "")[:_LONGEST_ERROR]
