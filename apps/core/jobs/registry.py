"""The registry of jobs, which each app declares in its `jobs.py`, and the slots that a job is due at.

The arithmetic of slots is pure and in UTC: no change of a clock skips or repeats a slot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

from apps.core.canonical import NotCanonicalError
from apps.core.context import ExecutionContext
from apps.core.operations import OPERATIONS
from apps.core.registry import Registry

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SLOT_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Cadence:
    """Every `every`, `offset` after the whole multiples of it since 1970 in UTC. Both in whole minutes."""

    every: timedelta
    offset: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        minute = timedelta(minutes=1)
        if self.every < minute or self.every % minute or self.offset % minute:
            raise ValueError("A job's interval and offset are whole minutes, the interval at least one.")
        if not timedelta(0) <= self.offset < self.every:
            raise ValueError("A job's offset lies within its interval.")

    def slot_at(self, moment: datetime) -> datetime:
        """The slot that `moment` lies in: the latest one that began at or before it."""
        if moment.utcoffset() is None:
            raise NotCanonicalError(f"{moment!r} has no time zone, so it names no moment.")
        passed = moment.astimezone(UTC) - _EPOCH - self.offset
        return _EPOCH + self.offset + passed // self.every * self.every

    def slots_after(self, last: datetime, until: datetime) -> Iterator[datetime]:
        """The slots after `last` that began at or before `until`, oldest first."""
        slot = self.slot_at(last)
        if slot <= last:
            slot += self.every
        while slot <= until:
            yield slot
            slot += self.every


def due_slots(cadence: Cadence, *, catch_up: int, last: datetime | None, now: datetime) -> list[datetime]:
    """The slots to fire now, oldest first, when `last` is the latest slot that was fired.

    `catch_up` 0 skips what was missed: only the current slot is due. Else up to that many slots are due, oldest first;
    the rest follow at the next sweep, so that none is left out. A job that never ran begins with the current slot.
    """
    current = cadence.slot_at(now)
    if last is None:
        return [current]
    if last >= current:
        return []
    if catch_up == 0:
        return [current]
    # Taken one by one, as an outage of years must not build a list of years.
    missed = cadence.slots_after(last, current)
    return [slot for slot, _ in zip(missed, range(catch_up), strict=False)]


def slot_name(slot: datetime) -> str:
    """The slot as it is stored, such as `2026-04-03T10:05:00Z`."""
    return slot.astimezone(UTC).strftime(_SLOT_FORMAT)


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
