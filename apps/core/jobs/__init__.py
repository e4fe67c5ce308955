"""Jobs: what runs when, once a slot, recovered from the database (spec 08, Celery).

Declare a job with `job` in the app's `jobs.py`; request a run with `job_run_request`; beat and sweep fire the rest.
"""

from __future__ import annotations

from apps.core.jobs import drain_outbox as _drain_outbox  # noqa: F401 - declares the core's own job
from apps.core.jobs import purge as _purge  # noqa: F401 - declares the core's own jobs
from apps.core.jobs.registry import Cadence, JobDefinition, job, job_of, jobs
from apps.core.jobs.runs import job_run_request

__all__ = ["Cadence", "JobDefinition", "job", "job_of", "job_run_request", "jobs"]
