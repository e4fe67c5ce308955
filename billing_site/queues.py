"""Which queue carries which work, and which processes serve it (spec 14, Topology). The one place that routes.

A queue of one kind may be full for hours without another kind waiting for it: each program below has processes of its
own. Within one program Celery takes the queues in turn, so that only work that ends within seconds shares one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CLOCK, WEBHOOKS, OUTBOX, SYNCS, REPORTS = QUEUES = ("clock", "webhooks", "outbox", "syncs", "reports")

TASKS: dict[str, str] = {
    "core.fire_job": CLOCK,
    "core.sweep_jobs": CLOCK,
    "core.run_job": CLOCK,  # but see JOBS
    "core.drain_outbox": OUTBOX,
    "payments.process_webhook_event": WEBHOOKS,
    "payments.sweep_inbox": WEBHOOKS,
    "connectors.run_syncs": SYNCS,
    "tenants.reconcile_memberships": REPORTS,
    "credits.import_balances": REPORTS,
    "credits.preview_prices": CLOCK,
    "backoffice.run_cutover_check": CLOCK,
    "connectors.start_syncs": CLOCK,
    "reporting.make_reports": REPORTS,
}

# The run of a job goes to the queue of its kind of work. What takes minutes stands with the reports.
JOBS: dict[str, str] = {
    "balance-alerts": CLOCK,
    "billing-sync": CLOCK,
    "daily-reports": CLOCK,
    "drain-outbox": OUTBOX,
    "end-grace-periods": CLOCK,
    "expire-grants": CLOCK,
    "follow-balances": CLOCK,
    "grant-allowances": CLOCK,
    "purge-history": REPORTS,
    "purge-payloads": REPORTS,
    "purge-receipts": REPORTS,
    "reconcile-memberships": REPORTS,
    "reconcile-payments": REPORTS,
    "refresh-figures": REPORTS,
    "refresh-rollups": CLOCK,
    "release-holds": CLOCK,
    "report-usage": CLOCK,
    "reset-demo": REPORTS,
    "sweep-cutovers": CLOCK,
    "sweep-inbox": WEBHOOKS,
    "sweep-reconciliations": CLOCK,
    "sweep-syncs": CLOCK,
    "track-credits": CLOCK,
    "verify-books": REPORTS,
}

# Seconds for the soft and the hard time limit where the usual ones are too short: the books of years are read whole.
# A broker may hand such a task out a second time meanwhile; the run belongs to whoever renews its lease.
TIME_LIMITS: dict[str, tuple[int, int]] = {REPORTS: (2 * 60 * 60, 2 * 60 * 60 + 300)}


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker program: its queues, and how many tasks it carries out at once."""

    name: str
    queues: tuple[str, ...]
    processes: int


# What `make run` starts. On several machines start any of them on each, as often as its queue needs.
WORKERS: tuple[Worker, ...] = (
    # Three: two may be taken by longer runs of jobs, and one is left for what fires the next ones.
    Worker("worker", (CLOCK, WEBHOOKS), 3),
    # A slow provider holds these processes and no others.
    Worker("worker-outbox", (OUTBOX,), 1),
    Worker("worker-syncs", (SYNCS,), 2),
    Worker("worker-reports", (REPORTS,), 1),
)

TASK_ROUTES: dict[str, dict[str, Any]] = {name: {"queue": queue} for name, queue in TASKS.items()}


def job_route(name: str) -> dict[str, Any]:
    """The options with which the run of this job is sent."""
    queue = JOBS.get(name, CLOCK)
    if queue not in TIME_LIMITS:
        return {"queue": queue}
    soft, hard = TIME_LIMITS[queue]
    return {"queue": queue, "soft_time_limit": soft, "time_limit": hard}
