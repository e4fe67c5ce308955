"""Jobs for the tests of the job machinery."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from apps.core.context import ExecutionContext
from apps.core.jobs import registry
from apps.core.jobs.registry import Cadence, JobDefinition
from tests.core.outbox import leave_effect

SKIPPING = "test-skipping"
CATCHING_UP = "test-catching-up"


@dataclass
class Runs:
    """What the job of a test was called with, and what it does."""

    contexts: list[ExecutionContext] = field(default_factory=list)
    slots: list[datetime] = field(default_factory=list)
    scopes: list[tuple[UUID | None, bool]] = field(default_factory=list)
    act: Callable[[], dict[str, int]] = lambda: {"things": 3}

    def run(
        self, context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
    ) -> dict[str, int]:
        self.contexts.append(context)
        self.slots.append(slot)
        self.scopes.append((organization_id, include_demo))
        return self.act()


@contextmanager
def declared(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """While the block runs these two are the only jobs, one that skips missed slots and one that catches up."""
    skipping = JobDefinition(SKIPPING, "jobs.drain_outbox", Cadence(timedelta(minutes=1)), runs.run)
    catching_up = JobDefinition(
        CATCHING_UP, "jobs.drain_outbox", Cadence(timedelta(hours=1), timedelta(minutes=5)), runs.run, catch_up=3
    )
    with monkeypatch.context() as patch:
        patch.setattr(registry, "_jobs", {SKIPPING: skipping, CATCHING_UP: catching_up})
        yield


def effect_then_wait(seconds: float) -> dict[str, int]:
    """An effect outside any transaction, then time in which to be killed."""
    leave_effect("run")
    time.sleep(seconds)
    return {}
