"""Work queues in tables: a row has one worker at a time, whoever races, comes late or is killed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.db.models import F, Q
from django.test.utils import CaptureQueriesContext

from apps.core import clock
from apps.core.jobs.runs import JOB_RUNS
from apps.core.leases import error_text
from apps.core.models import JobRun, OutboxItem
from apps.core.outbox.worker import OUTBOX
from tests.core.outbox import enqueue, make_due
from tests.core.processes import kill, started
from tests.core.threads import at_once
from tests.sizes import size

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("wakeups")]

WORKERS = 8
ROWS = size(small=40, full=1_000)
KILLS = size(small=5, full=50)
Claim = Callable[[], list[OutboxItem]]


def read_then_write() -> list[OutboxItem]:
    """The control: what is due is read without a lock, and claimed after that."""
    found = list(OutboxItem.objects.filter(status="pending").order_by("next_attempt_at")[:3])
    time.sleep(0.01)
    for item in found:
        OutboxItem.objects.filter(pk=item.pk).update(
            status="in_progress", attempts=F("attempts") + 1, lease_expires_at=clock.now() + OUTBOX.lease
        )
    return found


def race(claim: Claim) -> Counter[object]:
    """How often each row was claimed by workers that go on until nothing is due."""

    def work(number: int) -> list[object]:
        return [row.pk for rows in iter(claim, []) for row in rows]

    taken: Counter[object] = Counter()
    for result in at_once(WORKERS, work):
        assert not isinstance(result, Exception), result
        taken.update(result)
    return taken


@pytest.mark.prove(
    "each row of a queue is claimed once", size=ROWS, control="a claim that reads, then writes, is caught"
)
def test_workers_that_race_claim_each_row_once() -> None:
    rows = {enqueue().pk for _ in range(ROWS)}
    assert race(lambda: OUTBOX.claim(limit=3)) == dict.fromkeys(rows, 1)
    assert set(OutboxItem.objects.values_list("status", "attempts")) == {("in_progress", 1)}


def test_control_a_claim_that_reads_and_then_writes_takes_rows_twice() -> None:
    rows = {enqueue().pk for _ in range(ROWS)}
    with pytest.raises(AssertionError):
        assert race(read_then_write) == dict.fromkeys(rows, 1)


def test_one_statement_claims_several_in_their_order_and_no_more() -> None:
    rows = [enqueue().pk for _ in range(5)]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        claimed = OUTBOX.claim(limit=3)
    assert [row.pk for row in claimed] == rows[:3]
    assert sum("UPDATE" in query["sql"] for query in queries) == 1
    assert [(row.status, row.attempts) for row in claimed] == [("in_progress", 1)] * 3
    assert [row.pk for row in OUTBOX.claim(limit=3)] == rows[3:]
    assert OUTBOX.claim(limit=3) == []


def test_what_a_dead_worker_left_comes_first_and_only_after_its_lease() -> None:
    left, waiting = enqueue(), enqueue()
    assert OUTBOX.claim()[0].pk == left.pk
    OutboxItem.objects.filter(pk=left.pk).update(lease_expires_at=clock.now())
    assert [(row.pk, row.attempts) for row in OUTBOX.claim(limit=2)] == [(left.pk, 2), (waiting.pk, 1)]


def test_only_rows_that_the_condition_names_are_claimed() -> None:
    mine, _ = enqueue(), enqueue()
    assert [row.pk for row in OUTBOX.claim(limit=9, where=Q(pk=mine.pk))] == [mine.pk]
    assert OUTBOX.claim(limit=9, where=Q(kind__in=[])) == []


def test_one_of_many_workers_claims_a_named_row() -> None:
    row = enqueue()
    claimed = at_once(WORKERS, lambda number: OUTBOX.claim_row(row.pk, last_error="again"))
    (winner,) = [result for result in claimed if isinstance(result, OutboxItem)]
    assert (winner.attempts, winner.last_error, claimed.count(None)) == (1, "again", WORKERS - 1)


def test_who_comes_late_writes_nothing() -> None:
    enqueue()
    (late,) = OUTBOX.claim()
    make_due()
    (ours,) = OUTBOX.claim()
    assert not OUTBOX.release(late, "done", finished_at=clock.now())
    assert not OUTBOX.renew(late)
    assert OUTBOX.release(ours, "parked", finished_at=clock.now(), last_error="no")
    assert not OUTBOX.renew(ours)
    assert OutboxItem.objects.values_list("status", "attempts", "last_error", "lease_expires_at").get() == (
        ("parked", 2, "no", None)
    )


def test_a_requeued_row_waits_until_it_is_due() -> None:
    enqueue()
    (row,) = OUTBOX.claim()
    assert OUTBOX.release(row, "pending", next_attempt_at=clock.now() + timedelta(minutes=1))
    assert OUTBOX.claim() == []
    make_due()
    assert OUTBOX.claim()[0].attempts == 2


@pytest.mark.slow
def test_a_kept_row_is_not_taken_over_and_a_row_without_its_worker_is() -> None:
    queue = replace(OUTBOX, lease=timedelta(seconds=0.5), beat=timedelta(seconds=0.05))
    enqueue()
    (row,) = queue.claim()
    with queue.keep(row):
        ends_at = time.monotonic() + 1
        while time.monotonic() < ends_at:
            assert queue.claim() == []
            time.sleep(0.02)
    time.sleep(0.6)
    assert queue.claim()[0].attempts == 2


@pytest.mark.prove("rows of killed workers are claimed again", size=KILLS, control="a row that is kept stays")
def test_rows_of_killed_workers_are_claimed_again() -> None:
    queue = replace(OUTBOX, lease=timedelta(seconds=0.3), beat=timedelta(seconds=0.05))
    for _ in range(ROWS):
        enqueue()

    def work() -> None:
        for (row,) in iter(queue.claim, []):
            with queue.keep(row):
                time.sleep(0.005)
                assert queue.release(row, "done", finished_at=clock.now())

    for _ in range(KILLS):
        process = started(work)
        time.sleep(0.05)
        kill(process)
    for _ in _until(lambda: not OutboxItem.objects.exclude(status="done").exists()):
        work()
    assert OutboxItem.objects.filter(status="done", lease_expires_at=None).count() == ROWS


def test_a_sweep_finds_what_nobody_took_and_what_a_dead_worker_left() -> None:
    states = [("queued", -1), ("queued", 60), ("running", -1), ("running", 60)]
    runs = [run_of(status, clock.now() + timedelta(seconds=seconds)) for status, seconds in states]
    assert set(JOB_RUNS.overdue()) == {runs[0], runs[2]}
    # One that nobody has claimed yet starts at once; whose lease lasts is somebody's.
    assert [JOB_RUNS.claim_row(run.pk) is not None for run in runs] == [True, True, True, False]


def test_an_error_is_kept_without_secrets_and_not_endless() -> None:
    assert error_text("key sk_live_abc\x00 refused") == "key [redacted] refused"
    assert len(error_text("x" * 5_000)) == 2_000


def run_of(status: str, lease_expires_at: datetime) -> JobRun:
    return JobRun.objects.create(
        name="made-up",
        slot=f"{status} {lease_expires_at}",
        status=status,
        trigger="console",
        actor_label="x",
        role="system",
        authorization_source="console",
        request_id="r",
        created_at=clock.now(),
        lease_expires_at=lease_expires_at,
    )


def _until(is_done: Callable[[], bool]) -> Iterator[None]:
    for _ in range(200):
        if is_done():
            return
        yield
        time.sleep(0.02)
    raise AssertionError("not done in time")
