"""Starting a job by hand: gated, audited, as `system`, never with the role of whoever asked (spec 02, 08)."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest
from django.core.management import CommandError, call_command

from apps.core.context import ExecutionContext
from apps.core.enums import ActorKind, AuthorizationSource, Role, Scope
from apps.core.errors import ForbiddenError, NotFoundError
from apps.core.failpoints import Failpoint
from apps.core.ids import JobRunId, OrganizationId
from apps.core.jobs import job_run_request
from apps.core.jobs import runs as job_runs
from apps.core.jobs.drain_outbox import drain_after_commit
from apps.core.jobs.runs import job_run_execute, run_job
from apps.core.models import AuditEntry, JobRun
from tests.contexts import console_context, staff_context
from tests.core.jobs import CATCHING_UP, Runs, declared, effect_then_wait
from tests.core.outbox import FakeProvider, effects, enqueue, leave_effect
from tests.core.processes import dies_at, kill, started
from tests.sizes import size

Wakeups = list[tuple[str, tuple[str, ...]]]
ORGANIZATION_ID = OrganizationId(uuid.uuid4())


@pytest.fixture
def runs(transactional_db: None, wakeups: Wakeups, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runs]:
    found = Runs()
    with declared(found, monkeypatch):
        yield found


def token_context(*scopes: Scope) -> ExecutionContext:
    return dataclasses.replace(
        staff_context(Role.SYSTEM),
        authorization_source=AuthorizationSource.CRON_TOKEN,
        scopes=frozenset(scopes),
    )


CALLERS = [
    (staff_context(Role.BILLING_OPERATIONS), "user"),
    (staff_context(Role.PLATFORM_ADMIN), "user"),
    (token_context(Scope.JOBS_RUN), "cron"),
    (console_context(), "console"),
]


@pytest.mark.parametrize(("context", "trigger"), CALLERS, ids=lambda part: str(getattr(part, "role", part)))
def test_a_run_by_hand_is_as_system_and_keeps_who_asked(
    runs: Runs, wakeups: Wakeups, context: ExecutionContext, trigger: str
) -> None:
    run = job_run_request(context, name=CATCHING_UP, organization_id=ORGANIZATION_ID, include_demo=True)
    assert wakeups == ([] if trigger == "console" else [("core.run_job", (str(run.pk),))])
    run_job(str(run.pk))
    run.refresh_from_db()
    assert (run.status, run.trigger, run.slot_at) == ("succeeded", trigger, None)
    assert (run.actor_label, run.role, run.request_id) == (context.actor.label, context.role, context.request_id)
    (used,) = runs.contexts
    assert (used.role, used.actor.kind, used.organization_id) == (Role.SYSTEM, ActorKind.SCHEDULER, ORGANIZATION_ID)
    assert (used.request_id, used.scopes) == (context.request_id, frozenset())
    assert runs.scopes == [(ORGANIZATION_ID, True)]
    entry = AuditEntry.objects.get()
    assert (entry.event, entry.target_id, entry.actor_label) == ("job.requested", str(run.pk), context.actor.label)
    assert entry.organization_id == ORGANIZATION_ID


def test_each_request_is_a_run_of_its_own(runs: Runs) -> None:
    slots = {job_run_request(console_context(), name=CATCHING_UP).slot for _ in range(3)}
    assert len(slots) == 3
    assert all(slot.startswith("manual:") for slot in slots)


DENIED = [*(staff_context(role) for role in (Role.SUPPORT, Role.OWNER, Role.VIEWER, Role.SERVICE)), token_context()]


@pytest.mark.parametrize("context", DENIED, ids=lambda context: context.role)
def test_whoever_does_not_reach_the_gate_starts_nothing(
    runs: Runs, wakeups: Wakeups, context: ExecutionContext
) -> None:
    with pytest.raises(ForbiddenError) as refusal:
        job_run_request(context, name=CATCHING_UP)
    assert refusal.value.explanation
    assert (JobRun.objects.count(), AuditEntry.objects.count(), wakeups) == (0, 0, [])


def test_an_unknown_job_is_named(runs: Runs) -> None:
    with pytest.raises(NotFoundError, match="test-catching-up, test-skipping"):
        job_run_request(console_context(), name="test-unheard-of")


def test_the_command_runs_it_here_as_console(runs: Runs, wakeups: Wakeups, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("run_job", CATCHING_UP, "--organization", str(ORGANIZATION_ID), "--include-demo")
    assert capsys.readouterr().out == "test-catching-up succeeded: things 3\n"
    assert (runs.scopes, wakeups) == ([(ORGANIZATION_ID, True)], [])
    (used,) = runs.contexts
    assert (used.actor.kind, used.authorization_source) == (ActorKind.CONSOLE, AuthorizationSource.CONSOLE)
    assert JobRun.objects.get().trigger == "console"


def test_the_command_says_what_failed(runs: Runs) -> None:
    def fail() -> dict[str, int]:
        raise ValueError("no luck")

    runs.act = fail
    with pytest.raises(CommandError, match="ValueError: no luck") as refusal:
        call_command("run_job", CATCHING_UP)
    assert (refusal.value.returncode, JobRun.objects.get().status) == (1, "failed")
    with pytest.raises(CommandError, match="There is no job 'nonsense'"):
        call_command("run_job", "nonsense")


def test_the_job_drain_outbox_drains(
    provider: FakeProvider, wakeups: Wakeups, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = enqueue(), enqueue()
    call_command("run_job", "drain-outbox", "--organization", str(second.organization_id))
    assert (provider.calls, "done 1" in capsys.readouterr().out) == ([second.key], True)
    drain_after_commit()
    assert provider.calls == [second.key, first.key]


def test_a_run_that_goes_on_keeps_its_lease(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_runs, "JOB_RUNS", replace(job_runs.JOB_RUNS, beat=timedelta(milliseconds=20)))
    leases: list[datetime | None] = []

    def wait_for_renewal() -> dict[str, int]:
        while len(set(leases)) < 3:
            leases.append(JobRun.objects.values_list("lease_expires_at", flat=True).get())
            time.sleep(0.005)
        return {}

    runs.act = wait_for_renewal
    run = job_run_request(console_context(), name=CATCHING_UP)
    job_run_execute(JobRunId(run.pk))
    assert leases == sorted(lease for lease in leases if lease is not None)
    run.refresh_from_db()
    assert run.status == "succeeded"


PLACES: list[tuple[Failpoint, int]] = [
    ("jobs.after_claim", 1),
    ("jobs.after_run", 2),  # why every effect of a job needs its own key
    ("jobs.after_finish", 1),
]


@pytest.mark.parametrize(("place", "effect_count"), PLACES)
def test_a_run_killed_at_each_named_place_is_taken_over(
    runs: Runs, effect_table: None, place: Failpoint, effect_count: int
) -> None:
    runs.act = lambda: leave_effect("ran") or {}  # type: ignore[func-returns-value]
    run = job_run_request(staff_context(), name=CATCHING_UP)
    assert dies_at(place, lambda: run_job(str(run.pk)))
    JobRun.objects.filter(status="running").update(lease_expires_at=run.created_at)
    run_job(str(run.pk))
    run.refresh_from_db()
    assert run.status == "succeeded"
    assert len(effects()) == effect_count


@pytest.mark.prove
def test_a_killed_run_is_not_taken_over_before_its_lease_ends(runs: Runs, effect_table: None) -> None:
    runs.act = lambda: effect_then_wait(60)
    for number in range(1, size(small=2, full=20) + 1):
        run = job_run_request(staff_context(), name=CATCHING_UP)
        process = started(partial(run_job, str(run.pk)))
        while len(effects()) < number:
            time.sleep(0.005)
        assert job_run_execute(JobRunId(run.pk)) is None
        kill(process)
        assert job_run_execute(JobRunId(run.pk)) is None
        run.refresh_from_db()
        assert (run.status, run.attempts) == ("running", 1)
