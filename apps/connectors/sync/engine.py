"""Carries out one run, page by page (spec 06, Sync run).

Each page is upserted and the cursor moved in one transaction, keyed by connector and external id, so that a worker that
dies anywhere loses and doubles nothing, and the next one continues at the cursor. The lease (`apps.core.leases`) says
whose the run is.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from django.db import DataError, transaction

from apps.connectors.contracts import Month, MonthBounds, Provider, ProviderError, RecordPage
from apps.connectors.enums import AutoDisableReason, ConnectorEventKind, SyncStatus
from apps.connectors.ids import ConnectorId, SyncRunId
from apps.connectors.models import Connector, SeenRecords, SyncRun
from apps.connectors.providers.registry import open_provider
from apps.connectors.rules.months import MonthFrame, next_reading
from apps.connectors.selectors.syncs import failures_in_a_row, sync_run_for_update, sync_run_of
from apps.connectors.services import connector_auto_disable, connector_note
from apps.connectors.services.credentials import secret_for_call
from apps.connectors.services.timeline import describe_counts
from apps.connectors.sync.guards import (
    FAILURES_IN_A_ROW,
    MAX_TRIES,
    MonthShrinksError,
    check_run,
    page_delay,
    run_context,
    void_unless_shrinking,
)
from apps.connectors.sync.queue import SYNC_RUNS, delete_quiet_runs, month_ask, month_decisions, month_mark_read
from apps.connectors.sync.records import (
    PageContext,
    make_rows,
    record_adjustments,
    write_page,
)
from apps.core import clock
from apps.core.errors import CountinghouseError
from apps.core.failpoints import failpoint
from apps.core.leases import error_text
from apps.core.moments import zone_of
from apps.core.unavailability import end_if_interrupted

logger = logging.getLogger(__name__)

# The worker sleeps through a shorter wait; during a longer one it does other work.
_LONGEST_SLEEP = timedelta(seconds=5)
# More pages than any month has: a provider whose cursors go in circles is stopped.
MOST_PAGES = 200_000
_CREDENTIAL_INVALID = AutoDisableReason.CREDENTIAL_INVALID

Opener = Callable[[SyncRun], Provider]


class RunLostError(Exception):
    """The run is no longer this worker's: it was cancelled, or another took it over."""


def open_for(run: SyncRun) -> Provider:
    """The provider of the run's connector, with its credential opened for the next call."""
    connector = run.connector
    is_demo = connector.workspace.organization.is_demo
    # A demo calls no provider, so that no credential is opened.
    secret = None if is_demo else secret_for_call(run_context(run), connector_id=ConnectorId(connector.pk))
    zone = zone_of(connector.workspace.organization.time_zone)
    return open_provider(connector.provider, secret, connector.settings, is_demo=is_demo, zone=zone)


def sync_run_execute(run_id: SyncRunId, *, opened: Opener = open_for, until: datetime | None = None) -> SyncRun | None:
    """Carry out the run in this process; None where it has ended or is another worker's.

    Returns the run as it is afterwards: ended, or back in the queue until its provider may be asked again, or because
    it is `until`: then another task continues at its cursor.
    """
    run = _claim(run_id)
    if run is None:
        return None
    failpoint("sync.after_claim")
    try:
        with SYNC_RUNS.keep(run):
            _read_pages(run, opened, until)
    except RunLostError:
        logger.info("sync_run_lost", extra={"sync_run_id": str(run_id)})
    return sync_run_of(run_id)


@transaction.atomic
def _claim(run_id: SyncRunId) -> SyncRun | None:
    """Take the run if it is queued and due, or if its worker died. A dead worker counts as a try of its page."""
    run = sync_run_for_update(run_id)
    if run is None:
        return None
    now, is_taken_over = clock.now(), run.status == SyncStatus.RUNNING
    if not SYNC_RUNS.claim_row(run.pk, started_at=run.started_at or now, tries=run.tries + int(is_taken_over)):
        return None
    claimed = sync_run_of(run_id)
    if is_taken_over:
        sentence = f"The worker of the sync of {run.month} died; another continues after {run.pages} pages."
        _note(claimed, ConnectorEventKind.SYNC_TAKEN_OVER, sentence)
    return claimed


def _read_pages(run: SyncRun, opened: Opener, until: datetime | None) -> None:
    """Read page after page, until the run has ended or is back in the queue."""
    if run.tries > MAX_TRIES:
        _fail(run, "worker_died", f"The worker died {run.tries} times at the same page.")
        return
    while True:
        # The task may take no longer. At least one page is read.
        if until is not None and clock.real_now() >= until and run.pages:
            _postpone(run, timedelta(0), "")
            return
        # The guard checks what is true before this page.
        run.connector = sync_run_of(SyncRunId(run.pk)).connector
        refusal = check_run(run)
        if refusal is not None:
            _stop(run, refusal)
            return
        try:
            page, frame = _fetch_page(run, opened)
            _write_page(run, page, frame)
        except ProviderError as error:
            if not _retry_page(run, error):
                return
            continue
        failpoint("sync.after_page")
        if page.next_cursor is None:
            return


def _frame(run: SyncRun, provider: Provider) -> MonthFrame:
    """Which records the answer may hold, by the calendar that counts for the provider."""
    zones = {
        MonthBounds.ORGANIZATION: zone_of(run.connector.workspace.organization.time_zone),
        MonthBounds.UTC: UTC,
        MonthBounds.PROVIDER: None,
    }
    return MonthFrame.of(Month.read(run.month), zones[provider.month_bounds])


def _fetch_page(run: SyncRun, opened: Opener) -> tuple[RecordPage, MonthFrame]:
    """The next page, and which records it may hold. Whatever a provider's code raises becomes a `ProviderError`."""
    try:
        provider = opened(run)
        page = provider.fetch_month(Month.read(run.month), run.cursor or None)
    except ProviderError:
        raise
    except Exception as error:
        end_if_interrupted(error)
        logger.warning("provider_failed", exc_info=True, extra={"sync_run_id": str(run.pk)})
        raise ProviderError("The provider's answer could not be read.") from error
    failpoint("sync.after_fetch")
    if page.next_cursor == "" or (page.next_cursor is not None and run.pages >= MOST_PAGES):
        raise ProviderError("The provider's pages have no end.", is_permanent=True, code="cursor_repeats")
    return page, _frame(run, provider)


def _write_page(run: SyncRun, page: RecordPage, frame: MonthFrame) -> None:
    """Upsert the page, move the cursor, and complete the run after the last page, in one transaction."""
    try:
        rows = make_rows(page.records, frame)
    except (ValueError, TypeError, OverflowError) as error:
        raise _storage_error(error) from error
    try:
        with _lock(run) as locked:
            place = PageContext(locked.connector_id, locked.pk, locked.month, clock.now())
            result = write_page(place, rows, fetched=len(page.records), next_cursor=page.next_cursor)
            if locked.was_final:
                record_adjustments(place, result)
            failpoint("sync.before_page_commit")
            locked.cursor, locked.pages, locked.tries, locked.error = page.next_cursor or "", locked.pages + 1, 0, ""
            locked.fetched += result.fetched
            locked.created += len(result.created)
            locked.updated += len(result.updated)
            locked.unchanged += result.unchanged
            locked.lease_expires_at = clock.real_now() + SYNC_RUNS.lease
            counts = ["fetched", "created", "updated", "unchanged"]
            locked.save(update_fields=["cursor", "pages", "tries", "error", "lease_expires_at", *counts])
            if page.next_cursor is None:
                _complete(run, locked, place)
    except (DataError, UnicodeError) as error:  # what PostgreSQL does not take; anything else is our mistake
        raise _storage_error(error) from error
    run.cursor, run.pages, run.tries = locked.cursor, locked.pages, 0


def _storage_error(error: Exception) -> ProviderError:
    logger.warning("record_not_storable", exc_info=error)
    return ProviderError("The provider sent a record that can't be stored.", is_permanent=True)


def _retry_page(run: SyncRun, error: ProviderError) -> bool:
    """Whether this worker tries the failed page again; if not, the run has ended or is back in the queue."""
    run.tries += 1
    if error.is_permanent or run.tries >= MAX_TRIES:
        code = "provider_refused" if error.is_permanent else "provider_unavailable"
        _fail(run, _CREDENTIAL_INVALID.value if error.is_credential_invalid else error.code or code, error.sentence)
        return False
    # Jitter spreads load; nothing rests on it being hard to guess.
    wait = page_delay(run.tries, jitter=random.random(), wish=error.retry_after)  # noqa: S311
    if wait > _LONGEST_SLEEP:
        _postpone(run, wait, error.sentence)
        return False
    time.sleep(wait.total_seconds())
    return True


@contextmanager
def _lock(run: SyncRun) -> Iterator[SyncRun]:
    """A transaction with the run's row locked; raises `RunLostError` where the run is no longer this worker's."""
    with transaction.atomic():
        locked = SYNC_RUNS.lock(run)
        if locked is None:
            raise RunLostError
        yield locked


def _complete(run: SyncRun, locked: SyncRun, place: PageContext) -> None:
    """End a run whose last page is written: void what is gone, and record that the month was read completely."""
    try:
        with transaction.atomic():
            locked.voided = void_unless_shrinking(locked, place)
    except MonthShrinksError as error:
        _ask_person(run, locked, error)
        return
    _end(locked, SyncStatus.SUCCEEDED)
    month_mark_read(locked)
    next_due_at = next_reading(month_decisions(run.connector, place.at), place.at)
    Connector.objects.filter(pk=locked.connector_id).update(last_success_at=clock.now(), next_due_at=next_due_at)
    # A run of the schedule that changed nothing would only push aside what a person looks for.
    if not (locked.created or locked.updated or locked.voided):
        delete_quiet_runs(locked)
        return
    _note(run, ConnectorEventKind.SYNC_SUCCEEDED, f"{locked.month} is up to date: {describe_counts(locked)}.")
    if locked.was_final:
        sentence = f"{locked.month} was final before; what changed since is kept as adjustments."
        _note(run, ConnectorEventKind.LATE_CHANGE, sentence)


def _ask_person(run: SyncRun, locked: SyncRun, error: MonthShrinksError) -> None:
    """End the run with a question: nothing was voided, and the month is not read again until a person answers."""
    month_ask(locked, records=error.before, remaining=error.after)
    locked.error_code = "month_shrinks"
    locked.error = (
        f"It would go from {error.before:,} to {error.after:,} records. Nothing was voided. Confirm on the connector's "
        "page if that is right; else mend the source."
    )
    _end(locked, SyncStatus.FAILED)
    _note(run, ConnectorEventKind.SYNC_FAILED, f"The sync of {run.month} waits for a person: {locked.error}")


def _stop(run: SyncRun, refusal: CountinghouseError) -> None:
    """End a run that may not continue. The pages that it has written stay."""
    with _lock(run) as locked:
        locked.error_code, locked.error = refusal.problem_code, error_text(refusal.detail)
        _end(locked, SyncStatus.CANCELLED)
        _note(run, ConnectorEventKind.SYNC_REFUSED, f"The sync of {run.month} was stopped: {refusal.detail}")


def _fail(run: SyncRun, code: str, sentence: str) -> None:
    """End a run that can't continue, and auto-disable its connector where that is due."""
    with _lock(run) as locked:
        locked.error_code, locked.error = code, error_text(sentence)
        _end(locked, SyncStatus.FAILED)
        _note(run, ConnectorEventKind.SYNC_FAILED, f"The sync of {run.month} failed: {locked.error}")
        context, connector_id = run_context(run), ConnectorId(run.connector_id)
        if code == _CREDENTIAL_INVALID.value:
            connector_auto_disable(context, connector_id=connector_id, reason=_CREDENTIAL_INVALID)
        elif failures_in_a_row(connector_id, FAILURES_IN_A_ROW) >= FAILURES_IN_A_ROW:
            connector_auto_disable(context, connector_id=connector_id, reason=AutoDisableReason.TOO_MANY_FAILURES)


def _postpone(run: SyncRun, wait: timedelta, sentence: str) -> None:
    """Put the run back into the queue until the provider may be asked again."""
    with _lock(run) as locked:
        locked.status, locked.lease_expires_at = SyncStatus.QUEUED, clock.real_now() + wait
        locked.tries, locked.error = run.tries, error_text(sentence)
        locked.save(update_fields=["status", "lease_expires_at", "tries", "error"])


def _end(run: SyncRun, status: SyncStatus) -> None:
    run.status, run.lease_expires_at, run.finished_at = status, None, clock.now()
    run.save(update_fields=["status", "lease_expires_at", "finished_at", "voided", "error", "error_code"])
    SeenRecords.objects.filter(run=run).delete()


def _note(run: SyncRun, kind: ConnectorEventKind, sentence: str) -> None:
    connector_note(run_context(run), connector_id=ConnectorId(run.connector_id), kind=kind, sentence=sentence)
