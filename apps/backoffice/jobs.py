"""Jobs that use several other apps, and so live in the topmost one: the demo's, and the sweep of cutovers."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from apps.backoffice.cutover.runs import RUNS
from apps.backoffice.seeding.demo import current_demo, ensure_demo, fill_demo
from apps.core.context import ExecutionContext
from apps.core.jobs import job
from apps.core.operations import require
from apps.core.wakeups import send_wakeup
from apps.credits.services.balance_booking import IMPORTS, balance_imports_drop_waiting
from apps.credits.services.balance_imports import TASK as IMPORT_TASK
from apps.credits.services.price_previews import PREVIEWS
from apps.credits.services.price_previews import TASK as PREVIEW_TASK
from apps.tenants.services.cutover import RUN_TASK

SWEEP_OPERATION = "jobs.sweep_cutovers"
_SWEPT_AT_ONCE = 100


@job("reset-demo", operation="jobs.reset_demo", every=timedelta(days=1), offset=timedelta(hours=2, minutes=30))
def reset_demo(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Close the demo organization and fill a new one under the same slugs.

    Without a demo organization nothing is created, unless the job is started manually with `include_demo`. A second
    run for the same slot keeps the demo of the first and only adds what is missing.
    """
    old = current_demo()
    is_meant = organization_id is None or (old is not None and organization_id == old.pk)
    if not is_meant or (old is None and not include_demo):
        return {"closed": 0, "made": 0}
    demo = ensure_demo(context, made_since=slot)
    fill_demo(context, demo)
    is_new = old is None or old.pk != demo.pk
    return {"closed": int(is_new and old is not None), "made": int(is_new)}


@job("sweep-cutovers", operation=SWEEP_OPERATION, every=timedelta(minutes=1), max_attempts=1)
def sweep_cutovers(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Hand out imports of balances, cutover checks and price previews whose message was lost or whose worker died.

    Files of balances that nobody has started for a day are dropped.
    """
    require(context, SWEEP_OPERATION)
    dropped = balance_imports_drop_waiting()
    handed_out = 0
    for queue, task in ((IMPORTS, IMPORT_TASK), (RUNS, RUN_TASK), (PREVIEWS, PREVIEW_TASK)):
        stranded = queue.overdue().order_by("lease_expires_at").values_list("pk", flat=True)[:_SWEPT_AT_ONCE]
        # Where the broker is away a later sweep sends them all.
        handed_out += sum(send_wakeup(task, str(pk)) for pk in list(stranded))
    return {"dropped": dropped, "handed_out": handed_out}
