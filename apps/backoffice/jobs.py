"""The nightly job that recreates the demo organization. It uses every other app, so it lives in the topmost one."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from apps.backoffice.seeding.demo import current_demo, ensure_demo, fill_demo
from apps.core.context import ExecutionContext
from apps.core.jobs import job


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
