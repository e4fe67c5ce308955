"""One reconciliation run from claim to end (spec 02, Membership authority)."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import takewhile
from uuid import UUID

from django.db import IntegrityError, transaction

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.crypto import SealError
from apps.core.failpoints import failpoint
from apps.core.ids import ProductId, ReconciliationRunId
from apps.core.leases import Queue, error_text
from apps.core.unavailability import end_if_interrupted
from apps.tenants.enums import ReconciliationStage, ReconciliationStatus, ReportSource
from apps.tenants.export_keys import open_export_key
from apps.tenants.models import MembershipDrift, Product, ReconciliationRun, ReportedMember
from apps.tenants.models.reconciliation import OVER
from apps.tenants.reconciliation.export import ExportError, Page, read_page
from apps.tenants.reconciliation_rules import Key, ReportFacts, RowFacts, classify, merge, stop_reason
from apps.tenants.selectors.reconciliation import (
    last_complete_run,
    our_count,
    our_window,
    repeated_count,
    reported_window,
    window_facts,
)
from apps.tenants.services.reconciled import Pair, drift_store, members_import, settled_drift
from apps.tenants.services.snapshots import members_store

logger = logging.getLogger(__name__)

RUNS = Queue(
    ReconciliationRun,
    waiting=ReconciliationStatus.QUEUED,
    working=ReconciliationStatus.RUNNING,
    lease=timedelta(seconds=60),
    beat=timedelta(seconds=15),
    claims="claims",
    starts_at_once=True,
)
# Pairs of one transaction; at most so many rows of either side are in memory.
WINDOW = 1_000
ROWS_AT_MOST = 5_000_000
MAX_FAILURES = 5
_FIRST_DELAY = timedelta(minutes=1)
_PURGED_AT_ONCE = 10_000
_FOUND_NOTHING = RowFacts()


class LeaseLostError(Exception):
    """Another worker has the run."""


def reconciliation_run_execute(
    context: ExecutionContext, run_id: ReconciliationRunId, *, until: datetime | None = None
) -> ReconciliationRun | None:
    """Go on with the run until it is over, waits for a person, or `until` has come; then it is queued again.

    None where it is over, another worker's, or another run of its product is being carried out.
    """
    run = _claim(run_id)
    if run is None:
        return None
    failpoint("reconciliation.after_claim")
    try:
        with RUNS.keep(run):
            while run.status == ReconciliationStatus.RUNNING:
                if until is not None and clock.real_now() >= until:
                    RUNS.release(run, ReconciliationStatus.QUEUED, lease_expires_at=clock.real_now())
                    break
                _STEPS[ReconciliationStage(run.stage)](context, run)
                failpoint("reconciliation.after_step")
    except LeaseLostError:
        return None
    except Exception as error:
        # Whatever goes wrong belongs on its run; what it has stored so far stays, and is gone on with.
        logger.warning("reconciliation_failed", exc_info=True, extra={"reconciliation_run": str(run.pk)})
        _fail(run, error)
        end_if_interrupted(error)
    run.refresh_from_db()
    if run.status in OVER:
        staged_purge(run)
    return run


def _claim(run_id: ReconciliationRunId) -> ReconciliationRun | None:
    try:
        with transaction.atomic():
            run = RUNS.claim_row(run_id)
    except IntegrityError:
        # Another run of the product is being carried out; the sweep hands this one out again.
        return None
    if run is not None and run.started_at is None:
        run.started_at = clock.now()
        run.save(update_fields=["started_at"])
    return run


# --- Reading ----------------------------------------------------------------------------------------------------------
def _read(context: ExecutionContext, run: ReconciliationRun) -> None:
    product = Product.objects.get(pk=run.product_id)
    if run.source != ReportSource.EXPORT or not product.membership_export_url:
        raise ExportError("The product has no membership export any more.", is_permanent=True)
    page = read_page(product.membership_export_url, open_export_key(product), run.export_cursor, run.pages + 1)
    failpoint("reconciliation.after_fetch")
    _guard_page(run, page)
    with transaction.atomic():
        _lock(run)
        members_store(run, page.rows)
        _note_page(run, page)
        run.save(
            update_fields=[
                *("pages", "received", "total", "export_cursor", "is_unsorted", "last_organization_id"),
                *("last_user_id", "stage", "failures"),
            ]
        )
        failpoint("reconciliation.before_commit")


def _guard_page(run: ReconciliationRun, page: Page) -> None:
    if page.next_cursor and page.next_cursor == run.export_cursor:
        raise ExportError(f"Page {run.pages + 1} names itself as the next one.", is_permanent=True)
    if page.next_cursor and not page.rows:
        raise ExportError(f"Page {run.pages + 1} is empty and names a next one.", is_permanent=True)
    if run.received + len(page.rows) > ROWS_AT_MOST:
        raise ExportError(f"The export has more than {ROWS_AT_MOST:,} members.", is_permanent=True)


def _note_page(run: ReconciliationRun, page: Page) -> None:
    last = _key(run.last_organization_id, run.last_user_id)
    for row in page.rows:
        run.is_unsorted = run.is_unsorted or (last is not None and row.key < last)
        last = row.key
    run.last_organization_id, run.last_user_id = last or (None, None)
    run.pages, run.received = run.pages + 1, run.received + len(page.rows)
    run.total, run.export_cursor, run.failures = page.total, page.next_cursor, 0
    if not page.next_cursor:
        run.stage = ReconciliationStage.JUDGE


# --- Judging and merging ----------------------------------------------------------------------------------------------
def _judge(context: ExecutionContext, run: ReconciliationRun) -> None:
    """Go through all pairs without a change, only to count them; then decide whether the run may go on."""
    pairs, end = _next_pairs(run)
    run.failures = 0
    with transaction.atomic():
        _lock(run)
        _count(run, pairs)
        if end is not None:
            run.merged_organization_id, run.merged_user_id = end
        else:
            _decide(run)
        run.save(update_fields=_fields_of(run))
        failpoint("reconciliation.before_commit")


def _decide(run: ReconciliationRun) -> None:
    _drop_older(run)
    reason = None if run.confirmed_at else stop_reason(_report_facts(run))
    if reason is not None:
        run.status, run.stop_reason, run.lease_expires_at = ReconciliationStatus.WAITING, reason, None
        return
    run.stage, run.merge_began_at = ReconciliationStage.MERGE, clock.now()
    run.merged_organization_id, run.merged_user_id, run.counts = None, None, {}


def _drop_older(run: ReconciliationRun) -> None:
    """An older report that waits for a person is out of date now."""
    older = ReconciliationRun.objects.filter(
        product=run.product_id, status=ReconciliationStatus.WAITING, created_at__lt=run.created_at
    )
    older.update(status=ReconciliationStatus.DISCARDED, finished_at=clock.now(), error="A newer report took its place.")


def _report_facts(run: ReconciliationRun) -> ReportFacts:
    previous = last_complete_run(ProductId(run.product_id))
    return ReportFacts(
        received=run.received,
        total=run.total,
        is_unsorted=run.is_unsorted,
        repeated=repeated_count(run.pk),
        baseline=previous.received if previous else our_count(ProductId(run.product_id)),
        imports=run.counts.get("imported", 0),
        is_first=previous is None,
    )


def _merge(context: ExecutionContext, run: ReconciliationRun) -> None:
    pairs, end = _next_pairs(run)
    with transaction.atomic():
        _lock(run)
        missing = [reported for reported, _, finding in pairs if reported is not None and finding.is_import]
        judged = [pair for pair in pairs if not pair[2].is_import]
        judged += members_import(context, product_id=ProductId(run.product_id), rows=missing)
        drift_store(run, judged)
        _count(run, judged)
        if end is not None:
            run.merged_organization_id, run.merged_user_id = end
        else:
            _drop_settled(run)
            run.status, run.finished_at = ReconciliationStatus.SUCCEEDED, clock.now()
            run.lease_expires_at, run.error = None, ""
        run.save(update_fields=_fields_of(run))
        failpoint("reconciliation.before_commit")


def _drop_settled(run: ReconciliationRun) -> None:
    settled_drift(run).delete()
    open_now = MembershipDrift.objects.filter(product=run.product_id, resolution="")
    run.counts["open_drift"] = open_now.count()


def _next_pairs(run: ReconciliationRun) -> tuple[list[Pair], Key | None]:
    """The pairs of the next window with their findings, and where it ends; None where nothing is left.

    A side that fills its window may go on beyond it: only keys up to the end of such a side can be paired yet.
    """
    after = _key(run.merged_organization_id, run.merged_user_id)
    product_id = ProductId(run.product_id)
    theirs, mine = reported_window(run.pk, after, WINDOW), our_window(product_id, after, WINDOW)
    ends = [rows[-1].key for rows in (theirs, mine) if len(rows) == WINDOW]
    end = min(ends, default=None)
    if end is not None:
        theirs = list(takewhile(lambda row: row.key <= end, theirs))
        mine = list(takewhile(lambda row: row.key <= end, mine))
    facts = window_facts(product_id, theirs)
    # Ours of an organization that lost its relation meanwhile are not in `mine`, and the reported row says so.
    pairs = [
        (reported, ours, classify(reported, ours, facts.of(reported) if reported else _FOUND_NOTHING))
        for reported, ours in merge(theirs, mine)
    ]
    return pairs, end


def _count(run: ReconciliationRun, pairs: list[Pair]) -> None:
    counts = Counter(run.counts)
    for reported, _, finding in pairs:
        counts["members"] += reported is not None
        counts["imported" if finding.is_import else finding.drift_class or "agreed"] += 1
    run.counts = {str(name): count for name, count in counts.items() if count}


_STEPS: dict[ReconciliationStage, Callable[[ExecutionContext, ReconciliationRun], None]] = {
    ReconciliationStage.READ: _read,
    ReconciliationStage.JUDGE: _judge,
    ReconciliationStage.MERGE: _merge,
}


# --- The run ----------------------------------------------------------------------------------------------------------
def _lock(run: ReconciliationRun) -> None:
    if RUNS.lock(run) is None:
        raise LeaseLostError


def _fail(run: ReconciliationRun, error: Exception) -> None:
    is_permanent = isinstance(error, SealError) or (isinstance(error, ExportError) and error.is_permanent)
    sentence = error.sentence if isinstance(error, ExportError) else error_text(f"{type(error).__name__}: {error}")
    failures = run.failures + 1
    if is_permanent or failures >= MAX_FAILURES:
        RUNS.release(run, ReconciliationStatus.FAILED, error=sentence, failures=failures, finished_at=clock.now())
        return
    again_at = clock.real_now() + _FIRST_DELAY * 2 ** (failures - 1)
    RUNS.release(run, ReconciliationStatus.QUEUED, error=sentence, failures=failures, lease_expires_at=again_at)


def staged_purge(run: ReconciliationRun) -> None:
    """Delete the stored rows of a run that is over, in portions."""
    while True:
        portion = ReportedMember.objects.filter(run=run).order_by("pk").values("pk")[:_PURGED_AT_ONCE]
        if not ReportedMember.objects.filter(pk__in=portion).delete()[0]:
            break
    ReconciliationRun.objects.filter(pk=run.pk).update(is_staged=False)


def _fields_of(run: ReconciliationRun) -> list[str]:
    """What a step may have changed. The lease is renewed beside the step: it is only written where it ends."""
    ended = [] if run.status == ReconciliationStatus.RUNNING else ["status", "lease_expires_at", "finished_at"]
    changed = ["stage", "counts", "stop_reason", "error", "failures", "merge_began_at"]
    return [*ended, *changed, "merged_organization_id", "merged_user_id"]


def _key(organization_id: UUID | None, user_id: UUID | None) -> Key | None:
    return None if organization_id is None or user_id is None else (organization_id, user_id)
