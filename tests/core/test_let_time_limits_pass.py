"""A loop over records goes on after an error of one record, and ends where the task or the database ends."""

from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, SimpleNamespace
from typing import Any

import pytest
from celery import current_app
from celery.exceptions import SoftTimeLimitExceeded
from django.db import OperationalError, connection
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import ReadOnlyError

from apps.connectors.contracts import ProviderError
from apps.connectors.sync import engine
from apps.core.ids import JobRunId
from apps.core.jobs import job_run_request
from apps.core.jobs.record_errors import RecordErrors, SomeFailedError
from apps.core.jobs.runs import job_run_execute
from apps.core.leases import Queue
from apps.core.models import JobRun, OutboxItem
from apps.core.outbox.worker import outbox_drain
from apps.core.wakeups import end_silence, send_wakeup
from apps.payments.services import events
from tests.contexts import console_context
from tests.core.jobs import SKIPPING, Runs, declared
from tests.core.outbox import CallHandler, FakeProvider, enqueue

pytestmark = pytest.mark.django_db(transaction=True)


def broken() -> OperationalError:
    return OperationalError("server closed the connection unexpectedly")


INTERRUPTIONS: list[BaseException] = [SoftTimeLimitExceeded(), broken(), KeyboardInterrupt(), SystemExit()]
Fails = Callable[..., Any]


def raising(error: BaseException) -> Fails:
    def fail(*args: object, **kwargs: object) -> Any:
        raise error

    return fail


def over_records(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    apart = RecordErrors("things")
    for number in range(3):
        with apart.record(number):
            raise error
    with pytest.raises(SomeFailedError, match="3 failed"):
        apart.finish()


def over_the_outbox(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    CallHandler.provider = FakeProvider(answer=raising(error))
    enqueue("one")
    enqueue("two")
    try:
        assert outbox_drain(console_context()).retried == 2
    finally:
        CallHandler.provider = FakeProvider()
        assert OutboxItem.objects.filter(status="done").count() == 0


def over_the_inbox(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_process", raising(error))
    monkeypatch.setattr(events, "_fail", lambda event, error: "received")
    waiting: list[Any] = [SimpleNamespace(attempts=1, event_id="evt_1"), SimpleNamespace(attempts=1, event_id="evt_2")]
    monkeypatch.setattr(Queue, "claim", lambda *_, **__: [waiting.pop()] if waiting else [])
    assert events.webhook_inbox_sweep(console_context())["received"] == 2


def over_pages(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    run: Any = SimpleNamespace(month="2026-01", cursor="", pk=uuid.uuid4(), pages=0)
    with pytest.raises(ProviderError):
        engine._fetch_page(run, raising(error))


def in_a_job(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs(act=raising(error))
    monkeypatch.setattr(current_app, "send_task", lambda *_, **__: None)
    with declared(runs, monkeypatch):
        run = job_run_request(console_context(), name=SKIPPING)
        job_run_execute(JobRunId(run.pk))


def with_a_hint(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    end_silence()
    monkeypatch.setattr(current_app, "send_task", raising(error))
    try:
        assert send_wakeup("a task") is False
    finally:
        end_silence()


LOOPS = [over_records, over_the_outbox, over_the_inbox, over_pages, in_a_job, with_a_hint]


@pytest.mark.parametrize("interruption", INTERRUPTIONS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.__name__)
def test_an_interruption_ends_the_loop(
    effect_table: None,
    loop: Callable[[BaseException, pytest.MonkeyPatch], None],
    interruption: BaseException,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(type(interruption)) as passed:
        loop(interruption, monkeypatch)
    assert passed.value is interruption


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.__name__)
def test_control_an_error_of_one_record_does_not(
    effect_table: None, loop: Callable[[BaseException, pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    loop(ValueError("of this record"), monkeypatch)


def test_a_job_that_runs_into_its_time_limit_is_kept_as_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SoftTimeLimitExceeded):
        in_a_job(SoftTimeLimitExceeded(), monkeypatch)
    run = JobRun.objects.get()
    assert (run.status, run.error) == ("failed", "SoftTimeLimitExceeded: SoftTimeLimitExceeded()")


@pytest.mark.parametrize("error", [BrokerError("away"), ReadOnlyError("a replica"), TimeoutError(), OSError("full")])
def test_a_broker_that_takes_no_message_costs_no_request(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    with_a_hint(error, monkeypatch)


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """As a worker's child is told of its soft time limit: by a signal whose handler raises."""

    def tell(number: int, frame: FrameType | None) -> None:
        raise SoftTimeLimitExceeded

    before = signal.signal(signal.SIGALRM, tell)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.slow
def test_a_statement_that_is_interrupted_leaves_no_connection_in_the_middle_of_it() -> None:
    """The failure can be written down at once, on a fresh connection."""
    started = time.monotonic()
    with pytest.raises(SoftTimeLimitExceeded), interrupted_after(0.3), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(20)")
    assert time.monotonic() - started < 10
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
