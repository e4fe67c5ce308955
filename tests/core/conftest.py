"""Fixtures of the core's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from celery import current_app
from django.db import connection

from apps.core.wakeups import end_silence
from tests.core.outbox import CallHandler, FakeProvider
from tests.core.outbox import effects as effects_so_far


@pytest.fixture
def effect_table(transactional_db: None) -> Iterator[None]:
    """The table `test_effect` without any unique key, so that an effect that happens twice shows twice."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE test_effect (name text)")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE test_effect")


@pytest.fixture
def effects(effect_table: None) -> Callable[[], int]:
    """The number of effects so far."""
    return lambda: len(effects_so_far())


@pytest.fixture
def provider(effect_table: None) -> Iterator[FakeProvider]:
    """The provider that the handler of `test.call` calls."""
    CallHandler.provider = FakeProvider()
    yield CallHandler.provider
    CallHandler.provider = FakeProvider(missing="No test uses it now.")


@pytest.fixture
def wakeups(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[str, ...]]]:
    """What was sent to the workers: name and arguments of each task."""
    sent: list[tuple[str, tuple[str, ...]]] = []

    def send_task(name: str, args: list[str], **_: object) -> None:
        sent.append((name, tuple(args)))

    end_silence()
    monkeypatch.setattr(current_app, "send_task", send_task)
    return sent
