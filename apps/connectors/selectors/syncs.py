"""Sync runs to read, and the function that locks one. Order of locks: the run, then its connector."""

from __future__ import annotations

from django.db.models import QuerySet

from apps.connectors.enums import ConnectorEventKind, SyncStatus
from apps.connectors.ids import ConnectorId, SyncRunId
from apps.connectors.models import Connector, ConnectorEvent, SyncRun
from apps.connectors.models.syncs import ACTIVE
from apps.core.errors import NotFoundError
from apps.core.ids import WorkspaceId

# After one of these the count of failures starts again.
_FRESH_STARTS = (
    ConnectorEventKind.ENABLED,
    ConnectorEventKind.RESTORED,
    ConnectorEventKind.AUTHORIZED,
    ConnectorEventKind.CREDENTIAL_REPLACED,
)


def sync_runs() -> QuerySet[SyncRun]:
    """Every run with its connector, workspace and organization, to read."""
    return SyncRun.objects.select_related("connector__workspace__organization")


def sync_run_of(run_id: SyncRunId) -> SyncRun:
    """The run; raises `NotFoundError` `unknown_sync_run`."""
    run = sync_runs().filter(pk=run_id).first()
    if run is None:
        raise unknown_sync_run(run_id)
    return run


def sync_runs_of_connector(connector_id: ConnectorId) -> QuerySet[SyncRun]:
    """The connector's runs, newest first."""
    return sync_runs().filter(connector=connector_id).order_by("-created_at", "pk")


def latest_sync_runs(workspace_id: WorkspaceId, *, most: int) -> QuerySet[SyncRun]:
    """The newest runs of all the workspace's connectors, at most so many, newest first.

    So many of each connector are found by its index, and of these the newest: sorting all of them would cost the more
    the longer they run.
    """
    connectors = Connector.objects.filter(workspace=workspace_id).values_list("pk", flat=True)
    newest = [sync_runs_of_connector(ConnectorId(key)).values("pk")[:most] for key in connectors]
    found = [row["pk"] for row in newest[0].union(*newest[1:], all=True)] if newest else []
    return sync_runs().filter(pk__in=found).order_by("-created_at", "pk")[:most]


def active_runs(connector_id: ConnectorId) -> QuerySet[SyncRun]:
    """The connector's runs that are queued or running; at most one a month."""
    return sync_runs_of_connector(connector_id).filter(status__in=ACTIVE)


def failures_in_a_row(connector_id: ConnectorId, limit: int) -> int:
    """How many of the connector's latest runs failed one after the other, up to the limit."""
    fresh = ConnectorEvent.objects.filter(connector=connector_id, kind__in=_FRESH_STARTS).order_by("-pk").first()
    ended = SyncRun.objects.filter(connector=connector_id, status__in=[SyncStatus.SUCCEEDED, SyncStatus.FAILED])
    if fresh is not None:
        ended = ended.filter(finished_at__gt=fresh.occurred_at)
    latest = list(ended.order_by("-finished_at").values_list("status", flat=True)[:limit])
    return next((place for place, status in enumerate(latest) if status != SyncStatus.FAILED), len(latest))


def sync_run_for_update(run_id: SyncRunId) -> SyncRun | None:
    """Lock the run until the transaction ends."""
    return SyncRun.objects.select_for_update(no_key=True).filter(pk=run_id).first()


def unknown_sync_run(run_id: SyncRunId) -> NotFoundError:
    """The answer for a run that is not there."""
    return NotFoundError(f"There is no sync run {run_id}.", code="unknown_sync_run", title="Unknown sync run")
