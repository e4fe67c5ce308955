"""The jobs of reporting."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.core.jobs import job
from apps.reporting.services import rollups_refresh


@job("refresh-rollups", operation="jobs.refresh_rollups", every=timedelta(minutes=1))
def refresh_rollups(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Add up what came in, whichever the slot and in demo organizations too. Looks at positions: one run catches up."""
    return rollups_refresh(context, organization_id=OrganizationId(organization_id) if organization_id else None)
