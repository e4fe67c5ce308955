"""The jobs of tenants: the nightly reconciliation, and the sweep of runs that nobody works on (spec 08, Celery)."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet

from apps.core.context import ExecutionContext
from apps.core.ids import ProductId, ReconciliationRunId
from apps.core.jobs import job
from apps.core.operations import require
from apps.core.retention import PURGE_HISTORY, Retention, delete_portions, keep_for
from apps.core.wakeups import send_wakeup
from apps.tenants.enums import ReconciliationStatus
from apps.tenants.models import GuessCount, Product, ReconciliationRun
from apps.tenants.models.reconciliation import OVER
from apps.tenants.reconciliation.engine import RUNS, reconciliation_run_execute, staged_purge
from apps.tenants.services.reconciliation import RUN_TASK, reconciliation_request
from apps.tenants.services.snapshots import snapshots_abort_stale

OPERATION, SWEEP_OPERATION = "jobs.reconcile_memberships", "jobs.sweep_reconciliations"
_SWEPT_AT_ONCE = 100
_PURGED_AT_ONCE = 20


@job(
    "reconcile-memberships",
    operation=OPERATION,
    every=timedelta(days=1),
    offset=timedelta(hours=2, minutes=20),
    catch_up=1,
)
def reconcile_memberships(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Reconcile every product that has a membership export; with an organization, those that are related to it.

    Run again after its worker died it goes on with the runs that are there.
    """
    require(context, OPERATION)
    products = Product.objects.exclude(membership_export_url="").order_by("slug")
    if organization_id is not None:
        products = products.filter(relations__organization=organization_id)
    counts = {"products": 0, "succeeded": 0, "waiting": 0, "failed": 0, "queued": 0}
    for product_id in products.values_list("pk", flat=True):
        run = reconciliation_request(context, product_id=ProductId(product_id))
        done = reconciliation_run_execute(context, ReconciliationRunId(run.pk))
        counts["products"] += 1
        status = done.status if done is not None else ReconciliationStatus.QUEUED
        counts[status if status in counts else "queued"] += 1
    return counts


@job("sweep-reconciliations", operation=SWEEP_OPERATION, every=timedelta(minutes=1), max_attempts=1)
def sweep_reconciliations(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Hand out runs whose message was lost, whose wait is over or whose worker died; end snapshots that stay in parts.

    Rows of runs that are over are deleted here where their worker did not come to it.
    """
    require(context, SWEEP_OPERATION)
    aborted = snapshots_abort_stale()
    over = [status.value for status in OVER]
    for run in ReconciliationRun.objects.filter(is_staged=True, status__in=over)[:_PURGED_AT_ONCE]:
        staged_purge(run)
    stranded = RUNS.overdue().order_by("lease_expires_at").values_list("pk", flat=True)[:_SWEPT_AT_ONCE]
    handed_out = 0
    for run_id in list(stranded):
        if not send_wakeup(RUN_TASK, str(run_id)):
            break  # the broker is away: a later sweep sends them all
        handed_out += 1
    return {"aborted_snapshots": aborted, "handed_out": handed_out}


def _old_failures(before: datetime) -> QuerySet[GuessCount]:
    return GuessCount.objects.filter(ends_at__lt=before).order_by("ends_at")


keep_for(
    Retention(
        "sign_in_failures",
        PURGE_HISTORY,
        "KEEP_SIGN_IN_FAILURES_DAYS",
        GuessCount,
        portions=lambda before: delete_portions(_old_failures(before)),
        due=_old_failures,
    )
)
