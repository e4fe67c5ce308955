"""The jobs of time that the test clock skips, in the order of their slots (spec 08, Test clock).

Not each slot of each minute: time passes in steps, and at the end of each step every job whose slot came in it runs
once, as of that slot. A nightly job that skips what it missed runs for its last night alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.jobs.registry import JobDefinition, jobs
from apps.core.jobs.runs import job_slot_run
from apps.core.models import JobRun

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


def step_of(span: timedelta) -> timedelta:
    """How finely the time is told: by hours within a day, by six hours within a week, else by days."""
    return _HOUR if span <= _DAY else 6 * _HOUR if span <= 7 * _DAY else _DAY


def skipped_slots(
    definitions: Sequence[JobDefinition], since: datetime, until: datetime
) -> list[tuple[datetime, JobDefinition]]:
    """Which slots to run for the time after `since` and up to `until`, in order."""
    found = []
    for definition in definitions:
        last = definition.cadence.slot_at(until)
        is_for_its_last = definition.catch_up == 0 and definition.cadence.every >= _DAY
        for end in [until] if is_for_its_last else _ends(since, until):
            slot = definition.cadence.slot_at(end)
            if since < slot <= last:
                found.append((slot, definition))
    unique = {(slot, definition.name): definition for slot, definition in found}
    return [(slot, unique[slot, name]) for slot, name in sorted(unique)]


def run_skipped(context: ExecutionContext, since: datetime, until: datetime) -> Iterator[JobRun]:
    """Run them in this process, each as of its slot."""
    for slot, definition in skipped_slots(jobs(), since, until):
        with clock.as_of(slot):
            run = job_slot_run(context, definition, slot)
        if run is not None:
            yield run


def _ends(since: datetime, until: datetime) -> Iterator[datetime]:
    step = step_of(until - since)
    end = since + step
    while end < until:
        yield end
        end += step
    yield until
