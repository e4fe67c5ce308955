"""How a run ends: complete, failed or stopped, in one transaction with what follows from it (spec 06, Sync run)."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest

from apps.connectors.contracts import ProviderError
from apps.connectors.enums import AutoDisableReason, ConnectorEventKind, SyncStatus
from apps.connectors.ids import ConnectorId
from apps.connectors.messages import describe_counts
from apps.connectors.models import Connector, ConnectorEvent, MonthState, SeenRecords, SyncRun
from apps.connectors.rules.retries import FAILURES_IN_A_ROW
from apps.connectors.services import connector_auto_disable, connector_note
from apps.connectors.sync.guards import run_context
from apps.connectors.sync.queue import SYNC_RUNS
from apps.connectors.sync.records import PageContext, void_missing_records
from apps.core import clock
from apps.core.errors import CountinghouseError
from apps.core.leases import error_text

# A person who enabled the connector, or mended its key, begins the count again.
_FRESH_STARTS = (
    ConnectorEventKind.ENABLED,
    ConnectorEventKind.RESTORED,
    ConnectorEventKind.AUTHORIZED,
    ConnectorEventKind.CREDENTIAL_REPLACED,
)


@transaction.atomic
def run_complete(run: SyncRun) -> bool:
    """End a run whose last page is written: void what is gone, and note that the month was read whole.

    False where the run is no longer this worker's.
    """
    locked = SYNC_RUNS.lock(run)
    if locked is None:
        return False
    now = clock.now()
    place = PageContext(locked.connector_id, locked.pk, locked.month, now)
    locked.voided = void_missing_records(place, was_final=locked.was_final)
    _settle(locked, SyncStatus.SUCCEEDED)
    MonthState.objects.get_or_create(connector_id=locked.connector_id, month=locked.month)
    # From when it began to read: what changed while it read may have escaped it.
    MonthState.objects.filter(connector=locked.connector_id, month=locked.month).update(
        read_at=Greatest(F("read_at"), locked.started_at)
    )
    Connector.objects.filter(pk=locked.connector_id).update(last_success_at=now)
    _tell_of_success(run, locked)
    return True


def _tell_of_success(run: SyncRun, locked: SyncRun) -> None:
    context, connector_id = run_context(run), ConnectorId(run.connector_id)
    has_changes = bool(locked.created or locked.updated or locked.voided)
    # An hourly run that changed nothing would only push aside what a person looks for.
    if has_changes:
        connector_note(
            context,
            connector_id=connector_id,
            kind=ConnectorEventKind.SYNC_SUCCEEDED,
            sentence=(f"{locked.month} is up to date: {describe_counts(locked)}."),
        )
    if locked.was_final and has_changes:
        connector_note(
            context,
            connector_id=connector_id,
            kind=ConnectorEventKind.LATE_CHANGE,
            sentence=f"{locked.month} was final before; what changed since is kept as adjustments.",
        )


@transaction.atomic
def run_stop(run: SyncRun, refusal: CountinghouseError) -> bool:
    """End a run that may not go on. What its pages brought stays. False where it is no longer this worker's."""
    locked = SYNC_RUNS.lock(run)
    if locked is None:
        return False
    locked.error_code, locked.error = refusal.problem_code, error_text(refusal.detail)
    _settle(locked, SyncStatus.CANCELLED)
    connector_note(
        run_context(run),
        connector_id=ConnectorId(run.connector_id),
        kind=ConnectorEventKind.SYNC_REFUSED,
        sentence=f"The sync of {run.month} was stopped: {refusal.detail}",
    )
    return True


@transaction.atomic
def run_fail(run: SyncRun, code: str, sentence: str) -> bool:
    """End a run that can't go on, and switch the connector off where that is due. False where it is not ours."""
    locked = SYNC_RUNS.lock(run)
    if locked is None:
        return False
    locked.error_code, locked.error = code, error_text(sentence)
    _settle(locked, SyncStatus.FAILED)
    context, connector_id = run_context(run), ConnectorId(run.connector_id)
    connector_note(
        context,
        connector_id=connector_id,
        kind=ConnectorEventKind.SYNC_FAILED,
        sentence=f"The sync of {run.month} failed: {locked.error}",
    )
    if code == CREDENTIAL_INVALID:
        connector_auto_disable(context, connector_id=connector_id, reason=AutoDisableReason.CREDENTIAL_INVALID)
    elif _failures_in_a_row(connector_id) >= FAILURES_IN_A_ROW:
        connector_auto_disable(context, connector_id=connector_id, reason=AutoDisableReason.TOO_MANY_FAILURES)
    return True


CREDENTIAL_INVALID = AutoDisableReason.CREDENTIAL_INVALID.value


def code_of(error: ProviderError) -> str:
    """The code of a failure for programs."""
    if error.is_credential_invalid:
        return CREDENTIAL_INVALID
    return "provider_refused" if error.is_permanent else "provider_unavailable"


@transaction.atomic
def run_postpone(run: SyncRun, wait: timedelta, sentence: str) -> bool:
    """Hand the run back until the provider may be asked again. False where it is not ours."""
    locked = SYNC_RUNS.lock(run)
    if locked is None:
        return False
    locked.status, locked.lease_expires_at = SyncStatus.QUEUED, clock.now() + wait
    locked.tries, locked.error = run.tries, error_text(sentence)
    locked.save(update_fields=["status", "lease_expires_at", "tries", "error"])
    return True


def _settle(run: SyncRun, status: SyncStatus) -> None:
    run.status, run.lease_expires_at, run.finished_at = status, None, clock.now()
    if status is SyncStatus.SUCCEEDED:
        run.error = ""
    run.save(update_fields=["status", "lease_expires_at", "finished_at", "voided", "error", "error_code"])
    SeenRecords.objects.filter(run=run).delete()


def _failures_in_a_row(connector_id: ConnectorId) -> int:
    fresh = ConnectorEvent.objects.filter(connector=connector_id, kind__in=_FRESH_STARTS).order_by("-pk").first()
    over = SyncRun.objects.filter(connector=connector_id, status__in=[SyncStatus.SUCCEEDED, SyncStatus.FAILED])
    if fresh is not None:
        over = over.filter(finished_at__gt=fresh.occurred_at)
    last = list(over.order_by("-finished_at").values_list("status", flat=True)[:FAILURES_IN_A_ROW])
    return next((place for place, status in enumerate(last) if status != SyncStatus.FAILED), len(last))
