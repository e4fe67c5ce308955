"""What closing an organization does to its connectors, and what reopening it brings back (spec 14)."""

from __future__ import annotations

from django.db import transaction

from apps.connectors import events
from apps.connectors.enums import AutoDisableReason, ConnectorEventKind, SyncStatus
from apps.connectors.ids import ConnectorId
from apps.connectors.models import SyncRun
from apps.connectors.models.syncs import ACTIVE
from apps.connectors.services import connectors_auto_disable, connectors_restore
from apps.connectors.services.timeline import note_many
from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.ids import AuditTarget, OrganizationId

_REASON = AutoDisableReason.ORGANIZATION_CLOSED


@transaction.atomic
def connectors_close(context: ExecutionContext, *, organization_id: OrganizationId) -> None:
    """Cancel every sync that waits or runs, and switch every connector off; what the syncs have brought stays."""
    _cancel_syncs(context, organization_id)
    connectors_auto_disable(context, organization_id=organization_id, reason=_REASON)


@transaction.atomic
def connectors_reopen(context: ExecutionContext, *, organization_id: OrganizationId) -> None:
    """Enable what the close alone has switched off. The next hour reads the months that were missed."""
    connectors_restore(context, organization_id=organization_id, reason=_REASON)


def _cancel_syncs(context: ExecutionContext, organization_id: OrganizationId) -> None:
    # Runs before connectors, in the order of their ids: the order of locks of `selectors.syncs`.
    found = SyncRun.objects.filter(connector__workspace__organization=organization_id, status__in=ACTIVE)
    locked = list(found.select_for_update(no_key=True, of=("self",)).order_by("pk").values_list("pk", "connector_id"))
    if not locked:
        return
    SyncRun.objects.filter(pk__in=[key for key, _ in locked]).update(
        status=SyncStatus.CANCELLED,
        lease_expires_at=None,
        finished_at=clock.now(),
        error_code=_REASON.value,
        error="The organization was closed.",
    )
    connector_ids = sorted({ConnectorId(connector_id) for _, connector_id in locked})
    sentence = "What was being synced, or waited for it, was cancelled: the organization was closed."
    note_many(context, connector_ids, ConnectorEventKind.SYNC_CANCELLED, sentence)
    audit_append(
        context,
        events.SYNC_CANCELLED,
        AuditTarget("sync_runs", organization_id, organization_id),
        after={"status": SyncStatus.CANCELLED.value, "runs": len(locked)},
        reason=_REASON.label,
    )
