"""What waits, is late, parked or wrong, for `/metrics` (spec 14, Watching it): read when Prometheus asks.

By indexes alone, so that a question costs the same when the data are older.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta

from django.db import DatabaseError, InterfaceError, connection
from django.db.models import QuerySet
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from apps.core import clock, replica
from apps.core.jobs.registry import JobDefinition, jobs
from apps.core.leases import QUEUES
from apps.core.models import JobRun
from apps.core.registry import Registry
from apps.core.states import JobRunStatus

# A count beyond it would say nothing more to whoever is woken.
MOST_COUNTED = 10_000
# Whoever reads may see of other users' sessions no more than these columns.
_CONNECTIONS = """
    SELECT CASE WHEN application_name LIKE 'countinghouse%' THEN application_name ELSE 'other' END, COUNT(*),
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
    FROM pg_stat_activity WHERE datname = current_database() GROUP BY 1
"""
_books: Registry[Callable[[], int]] = Registry("look at the books")


class _Backlog(Collector):
    def collect(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily(
            "countinghouse_queue_waiting", f"Rows that wait, up to {MOST_COUNTED}.", labels=["queue"]
        )
        overdue = GaugeMetricFamily(
            "countinghouse_queue_overdue_seconds", "Since when the oldest could have been worked on.", labels=["queue"]
        )
        for name, queue in sorted(QUEUES.items()):
            backlog = queue.backlog(MOST_COUNTED)
            waiting.add_metric([name], backlog.waiting)
            overdue.add_metric([name], backlog.overdue.total_seconds())
        late = GaugeMetricFamily(
            "countinghouse_job_late_seconds", "Since when the slot after the last success was due.", labels=["name"]
        )
        for definition in jobs():
            late.add_metric([definition.name], lateness(definition).total_seconds())
        yield from (waiting, overdue, late, _parked_metric(), _books_metric(), _replica_metric())
        yield from _connection_metrics()


def register_books(found_by: str, count: Callable[[], int]) -> None:
    """Add a look at the books: how many differences the last one found."""
    _books.register(found_by, count)


def _parked_metric() -> Metric:
    parked = GaugeMetricFamily(
        "countinghouse_parked", f"Rows that wait for a person, up to {MOST_COUNTED}.", labels=["queue"]
    )
    for name, queue in sorted(QUEUES.items()):
        if queue.parked is not None:
            parked.add_metric([name], QuerySet(queue.model).filter(queue.parked).values("pk")[:MOST_COUNTED].count())
    return parked


def _books_metric() -> Metric:
    found = GaugeMetricFamily(
        "countinghouse_books_differences", "Differences that the last look at the books found.", labels=["found_by"]
    )
    for name, count in sorted(_books.items()):
        found.add_metric([name], count())
    return found


def _connection_metrics() -> Iterator[Metric]:
    used = GaugeMetricFamily(
        "countinghouse_database_connections", "Connections to our database.", labels=["application"]
    )
    allowed = GaugeMetricFamily("countinghouse_database_connections_allowed", "How many the server takes in all.")
    with connection.cursor() as cursor:
        cursor.execute(_CONNECTIONS)
        rows = cursor.fetchall()
    for application, count, _ in rows:
        used.add_metric([application], count)
    allowed.add_metric([], rows[0][2])  # our own connection is one of them
    yield from (used, allowed)


def _replica_metric() -> Metric:
    """The replica's lag; without a sample where there is none, or where it does not answer."""
    lag = GaugeMetricFamily("countinghouse_replica_lag_seconds", "How old the data of the replica for reports are.")
    if replica.is_configured():
        with suppress(DatabaseError, InterfaceError):
            lag.add_metric([], replica.replica_lag().total_seconds())
    return lag


def backlog_metrics() -> bytes:
    """The metrics as Prometheus reads them; none while the database does not answer, which `/readyz` tells."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Backlog())
    try:
        return generate_latest(registry)
    except (DatabaseError, InterfaceError):
        return b""


def lateness(definition: JobDefinition) -> timedelta:
    """How long ago the slot was due that follows the last one done; zero for a job that never ran, and in time."""
    runs = JobRun.objects.filter(name=definition.name, slot_at__isnull=False)
    done = runs.filter(status=JobRunStatus.SUCCEEDED).order_by("-slot_at").values_list("slot_at", flat=True).first()
    first = None if done else runs.order_by("slot_at").values_list("slot_at", flat=True).first()
    due = done + definition.cadence.every if done else first
    return max(clock.now() - due, timedelta(0)) if due else timedelta(0)
