"""Carries out a cutover check that staff have asked for; each line appears as it is found (spec 02, Cutover)."""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import timedelta
from uuid import UUID

from apps.backoffice.cutover.check import cutover_check_run
from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.leases import Queue, error_text
from apps.core.unavailability import end_if_interrupted
from apps.tenants.enums import CutoverRunStatus
from apps.tenants.models import CutoverRun
from apps.tenants.services.cutover import CheckLine

logger = logging.getLogger(__name__)

RUNS = Queue(
    CutoverRun,
    waiting=CutoverRunStatus.QUEUED,
    working=CutoverRunStatus.RUNNING,
    lease=timedelta(seconds=60),
    beat=timedelta(seconds=15),
    claims="claims",
    starts_at_once=True,
)


def cutover_run_execute(context: ExecutionContext, run_id: UUID) -> CutoverRun | None:
    """Make the check from its beginning to its end; None where it is over or another worker's."""
    run = RUNS.claim_row(run_id, lines=[])
    if run is None:
        return None

    def note(line: CheckLine) -> None:
        run.lines = [*run.lines, asdict(line)]
        run.save(update_fields=["lines"])

    try:
        with RUNS.keep(run):
            check = cutover_check_run(context, product=run.product, base_url=run.base_url, note=note)
        status = CutoverRunStatus.PASSED if check.has_passed else CutoverRunStatus.FAILED
        RUNS.release(run, status, check_made=check, finished_at=clock.now())
    except Exception as error:
        # What only interrupts leaves the run to the next worker; whatever else goes wrong belongs on it.
        end_if_interrupted(error)
        logger.warning("cutover_check_failed", exc_info=True, extra={"cutover_run": str(run.pk)})
        said = error_text(f"{type(error).__name__}: {error}")
        RUNS.release(run, CutoverRunStatus.FAILED, error=said, finished_at=clock.now())
    run.refresh_from_db()
    return run
