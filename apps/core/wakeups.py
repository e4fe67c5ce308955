"""Wake-ups of workers: messages that save waiting and may be lost, because every fact is in the database."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from functools import partial

from celery import current_app
from django.conf import settings
from django.db import transaction

from apps.core import clock
from apps.core.unavailability import end_if_interrupted

logger = logging.getLogger(__name__)


def wake_after_commit(task: str, *arguments: str, job: str = "") -> None:
    """Send the task once the transaction is committed, or at once outside one. Several alike become one."""
    hook = partial(send_wakeup, task, *arguments, job=job)
    waiting = transaction.get_connection().run_on_commit
    if not any(isinstance(other, partial) and other.args == hook.args for _, other, *_ in waiting):
        transaction.on_commit(hook)


def send_wakeup(task: str, *arguments: str, job: str = "") -> bool:
    """Send the task now. False when the broker does not take it: then a sweep will find the work.

    Each task has its queue; the run of a `job` goes to the queue of that job.

    A broker that is away makes the sender wait for the connection, so that after a loss this process sends nothing for
    a while: requests must not become slow because of a message that saves waiting.
    """
    if _silence.lasts():
        return False
    try:
        current_app.send_task(task, args=list(arguments), retry=False, **(settings.JOB_ROUTE(job) if job else {}))
    except Exception as error:
        # A broker has many ways to refuse: it is away, full, read-only, still loading. None is worth a request.
        end_if_interrupted(error)
        _silence.begin()
        logger.warning("wakeup_lost", exc_info=True, extra={"task": task})
        return False
    return True


class _Silence:
    """How long this process sends no wake-ups. Threads may race for it: one message more or less is no matter."""

    LASTS = timedelta(seconds=15)

    def __init__(self) -> None:
        self._until: datetime | None = None

    def begin(self) -> None:
        self._until = clock.real_now() + self.LASTS

    def end(self) -> None:
        self._until = None

    def lasts(self) -> bool:
        return self._until is not None and clock.real_now() < self._until


_silence = _Silence()


def end_silence() -> None:
    """Send wake-ups again at once: for a process that knows the broker to be back."""
    _silence.end()
