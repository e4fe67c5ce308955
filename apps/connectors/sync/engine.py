"""Carries out one run, page by page (spec 06, Sync run).

Each page is upserted and the cursor moved in one transaction, keyed by connector and external id: a worker that dies
anywhere loses nothing and doubles nothing, and the next one goes on at the cursor. The lease (`apps.core.leases`) says
whose the run is.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import DataError, transaction

from apps.connectors.contracts import Month, Provider, ProviderError, RecordPage
from apps.connectors.enums import ConnectorEventKind, SyncStatus
from apps.connectors.ids import ConnectorId, SyncRunId
from apps.connectors.models import SyncRun
from apps.connectors.providers.registry import open_provider
from apps.connectors.rules.retries import MAX_TRIES, page_delay
from apps.connectors.selectors.syncs import sync_run_for_update, sync_run_of
from apps.connectors.services import connector_note
from apps.connectors.services.access_tokens import secret_for_call
from apps.connectors.sync.guards import run_context, why_not
from apps.connectors.sync.outcomes import code_of, run_complete, run_fail, run_postpone, run_stop
from apps.connectors.sync.queue import SYNC_RUNS
from apps.connectors.sync.records import PageContext, PageResult, make_rows, record_adjustments, write_page
from apps.core import clock
from apps.core.failpoints import failpoint
from apps.core.unavailability import end_if_interrupted

logger = logging.getLogger(__name__)

# A shorter wait is sat out; for a longer one the worker does other work.
_SAT_OUT = timedelta(seconds=5)
# More pages than any month has: a provider whose cursors go in circles is stopped.
MOST_PAGES = 200_000

Opener = Callable[[SyncRun], Provider]


class RunLostError(Exception):
    """The run is no longer this worker's: it was cancelled, or another took it over."""


def open_for(run: SyncRun) -> Provider:
    """The provider of the run's connector, with its credential opened for the next call."""
    connector = run.connector
    is_demo = connector.workspace.organization.is_demo
    # Nothing leaves the building of a demo, so that there is nothing to open either.
    secret = None if is_demo else secret_for_call(run_context(run), connector_id=ConnectorId(connector.pk))
    return open_provider(connector.provider, secret, connector.settings, is_demo=is_demo)


def sync_run_execute(run_id: SyncRunId, *, opened: Opener = open_for, until: datetime | None = None) -> SyncRun | None:
    """Carry out the run in this process, unless it is over or another worker's; then None.

    Returns the run as it is afterwards: over, or handed back until its provider may be asked again, or because it is
    `until`: then another task goes on at its cursor.
    """
    run = _claim(run_id)
    if run is None:
        return None
    failpoint("sync.after_claim")
    try:
        with SYNC_RUNS.keep(run):
            _carry_out(run, opened, until)
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
        connector_note(
            run_context(claimed),
            connector_id=ConnectorId(run.connector_id),
            kind=ConnectorEventKind.SYNC_TAKEN_OVER,
            sentence=f"The worker of the sync of {run.month} died; another goes on after {run.pages} pages.",
        )
    return claimed


def _carry_out(run: SyncRun, opened: Opener, until: datetime | None) -> None:
    """Page after page, until the run is over or handed back."""
    if run.tries > MAX_TRIES:
        _owned(run_fail(run, "worker_died", f"The worker died {run.tries} times at the same page."))
        return
    while not _time_is_up(run, until):
        # Read afresh: the gate judges what is true before this page.
        run.connector = sync_run_of(SyncRunId(run.pk)).connector
        refusal = why_not(run)
        if refusal is not None:
            _owned(run_stop(run, refusal))
            return
        try:
            page = _fetched(run, opened)
            _written(run, page)
        except ProviderError as error:
            if not _goes_on(run, error):
                return
            continue
        failpoint("sync.after_page")
        if page.next_cursor is None:
            return


def _time_is_up(run: SyncRun, until: datetime | None) -> bool:
    """Whether the run was handed back, because its task may take no longer. At least one page is read."""
    if until is None or clock.now() < until or not run.pages:
        return False
    _owned(run_postpone(run, timedelta(0), ""))
    return True


def _fetched(run: SyncRun, opened: Opener) -> RecordPage:
    """The next page. Whatever a provider's code raises is the provider's failure and not the worker's."""
    try:
        page = opened(run).fetch_month(Month.read(run.month), run.cursor or None)
    except ProviderError:
        raise
    except Exception as error:
        end_if_interrupted(error)
        logger.warning("provider_failed", exc_info=True, extra={"sync_run_id": str(run.pk)})
        raise ProviderError(f"The provider's answer could not be read ({type(error).__name__}).") from error
    failpoint("sync.after_fetch")
    if page.next_cursor is not None and (page.next_cursor in {run.cursor, ""} or run.pages >= MOST_PAGES):
        raise ProviderError("The provider's pages go in circles: its cursor does not move.", is_permanent=True)
    return page


def _written(run: SyncRun, page: RecordPage) -> None:
    """Upsert the page and move the cursor, and after the last one end the run, in one transaction."""
    try:
        rows = make_rows(page.records, run.month)
    except (ValueError, TypeError, OverflowError) as error:
        raise _unstorable(error) from error
    try:
        with transaction.atomic():
            locked = SYNC_RUNS.lock(run)
            if locked is None:
                raise RunLostError
            place = PageContext(locked.connector_id, locked.pk, locked.month, clock.now())
            outcome = write_page(place, rows, fetched=len(page.records))
            if locked.was_final:
                record_adjustments(place, outcome)
            failpoint("sync.before_page_commit")
            _move(locked, page, outcome)
            if page.next_cursor is None:
                _owned(run_complete(run))
    except (DataError, UnicodeError) as error:  # what PostgreSQL does not take; anything else is our mistake
        raise _unstorable(error) from error
    run.cursor, run.pages, run.tries = locked.cursor, locked.pages, 0


def _unstorable(error: Exception) -> ProviderError:
    return ProviderError(
        f"The provider sent a record that can't be stored ({type(error).__name__}).", is_permanent=True
    )


def _move(run: SyncRun, page: RecordPage, outcome: PageResult) -> None:
    run.cursor, run.pages, run.tries, run.error = page.next_cursor or "", run.pages + 1, 0, ""
    run.fetched += outcome.fetched
    run.created += len(outcome.created)
    run.updated += len(outcome.updated)
    run.unchanged += outcome.unchanged
    run.lease_expires_at = clock.now() + SYNC_RUNS.lease
    counts = ["cursor", "pages", "tries", "error", "fetched", "created", "updated", "unchanged", "lease_expires_at"]
    run.save(update_fields=counts)


def _goes_on(run: SyncRun, error: ProviderError) -> bool:
    """What becomes of a page that could not be read; whether this worker tries it again."""
    run.tries += 1
    if error.is_permanent or run.tries >= MAX_TRIES:
        _owned(run_fail(run, code_of(error), error.sentence))
        return False
    # Jitter spreads load; nothing rests on it being hard to guess.
    wait = page_delay(run.tries, jitter=random.random(), wish=error.retry_after)  # noqa: S311
    if wait <= _SAT_OUT:
        time.sleep(wait.total_seconds())
        return True
    _owned(run_postpone(run, wait, error.sentence))
    return False


def _owned(is_ours: bool) -> None:
    if not is_ours:
        raise RunLostError
