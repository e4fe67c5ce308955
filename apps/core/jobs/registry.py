"""The registry of jobs: each app declares its own in its `jobs.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from apps.core.context import ExecutionContext
from apps.core.jobs.slots import Cadence
from apps.core.operations import OPERATIONS
from apps.core.registry import Registry


class JobFunction(Protocol):
    """What a job does. Called again for the same slot when its worker died, so every effect needs its own key.

    `slot` is the scheduled moment (the moment of the request for a manual run). Without `organization_id` the job is
    for every organization; demo tenants are skipped unless `include_demo` (spec 02). Returns counts for people.
    """

    def __call__(
        self, context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
    ) -> dict[str, int]: ...


@dataclass(frozen=True, slots=True)
class JobDefinition:
    """One job: its name in the API (spec 08), the operation that gates it, its slots, and what happens to missed ones.

    `catch_up` 0 skips missed slots, else up to that many are fired at a sweep, oldest first. `max_attempts` bounds how
    often one slot is tried when it fails or its worker dies.
    """

    name: str
    operation: str
    cadence: Cadence
    run: JobFunction
    catch_up: int = 0
    max_attempts: int = 3


_jobs: Registry[JobDefinition] = Registry("job")


def job(
    name: str,
    *,
    operation: str,
    every: timedelta,
    offset: timedelta = timedelta(0),
    catch_up: int = 0,
    max_attempts: int = 3,
) -> Callable[[JobFunction], JobFunction]:
    """Declare the decorated function as the job `name`. A name is declared once; its operation must be registered."""

    def register(run: JobFunction) -> JobFunction:
        if operation not in OPERATIONS:
            raise ValueError(f"The job {name!r} names the operation {operation!r}, which is not registered.")
        if catch_up < 0 or max_attempts < 1:
            raise ValueError(f"The job {name!r} needs a catch-up of 0 or more and at least one attempt.")
        _jobs.register(name, JobDefinition(name, operation, Cadence(every, offset), run, catch_up, max_attempts))
        return run

    return register


def job_of(name: str) -> JobDefinition | None:
    """The job of this name, if there is one."""
    return _jobs.get(name)


def jobs() -> list[JobDefinition]:
    """Every job, by name."""
    return [_jobs[name] for name in sorted(_jobs)]
