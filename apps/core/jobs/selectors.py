"""Job runs to read."""

from __future__ import annotations

from apps.core.ids import JobRunId
from apps.core.models import JobRun


def job_run_by_id(job_run_id: JobRunId) -> JobRun | None:
    """The run; None when there is no such run."""
    return JobRun.objects.filter(pk=job_run_id).first()
