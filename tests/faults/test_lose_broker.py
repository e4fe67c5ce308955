"""Workers that lose their broker, at whatever moment, take tasks again once it is back (spec 14, Topology)."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
import redis
from celery import current_app

from apps.connectors.models import Connector, SyncRun
from apps.connectors.sync.queue import RUN_TASK
from apps.connectors.sync.requests import sync_request
from billing_site import queues
from billing_site.launcher.places import PROJECT
from tests.connectors.cast import id_of, make_active_workspace, make_connector
from tests.contexts import console_context
from tests.faults.brokers import Valkey
from tests.faults.stacks import Stack, fresh_stack, wait_until
from tests.faults.web_servers import database_url

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

PROCESSES = next(worker.processes for worker in queues.WORKERS if queues.SYNCS in worker.queues)


@pytest.fixture
def broker() -> Iterator[Valkey]:
    broker = Valkey()
    yield broker
    broker.kill()


@pytest.fixture
def stack(broker: Valkey) -> Iterator[Stack]:
    """A stack on the broker, over the test's database."""
    with fresh_stack(DATABASE_URL=database_url(), CELERY_BROKER_URL=broker.url) as stack:
        stack.start()
        yield stack


@pytest.fixture
def connector() -> Connector:
    """A connector whose syncs succeed, and ask nobody outside."""
    return make_connector(make_active_workspace(is_demo=True), provider="demo")


def ask(connector: Connector) -> SyncRun:
    """A run in the database; no message is sent for it."""
    [answer, *_] = sync_request(console_context(), connector_id=id_of(connector))
    return answer.run


def send(broker: Valkey, run: SyncRun, count: int) -> None:
    with current_app.connection_for_write(broker.url) as connection:
        for _ in range(count):
            current_app.send_task(RUN_TASK, args=[str(run.pk)], connection=connection)


@contextlib.contextmanager
def every_process_busy(stack: Stack, broker: Valkey, run: SyncRun) -> Iterator[None]:
    """Each process of the syncs waits for the row of the run, and takes as many tasks as it may."""
    waiting = "wait_event_type = 'Lock' AND query LIKE '%connectors_syncrun%'"
    with psycopg.connect(database_url()) as holder, psycopg.connect(database_url(), autocommit=True) as watcher:
        holder.execute("SELECT FROM connectors_syncrun WHERE id = %s FOR UPDATE", [run.pk])
        send(broker, run, PROCESSES)
        busy = f"SELECT count(*) FROM pg_stat_activity WHERE {waiting}"
        wait_until(lambda: watcher.execute(busy).fetchone() == (PROCESSES,), stack.said)
        yield


def is_over(run: SyncRun) -> Callable[[], bool]:
    return lambda: SyncRun.objects.filter(pk=run.pk, finished_at__isnull=False).exists()


def log_of(stack: Stack) -> str:
    return (stack.state / "logs" / "worker-syncs.log").read_text(encoding="utf-8")


def assert_takes_tasks(stack: Stack, broker: Valkey, connector: Connector) -> None:
    following = ask(connector)
    send(broker, following, 1)
    wait_until(is_over(following), lambda: log_of(stack)[-4_000:])


def test_tasks_that_end_while_the_broker_is_away(stack: Stack, broker: Valkey, connector: Connector) -> None:
    """What they acknowledge reaches nobody. A worker that waited for it would never have room for a task again."""
    run = ask(connector)
    with every_process_busy(stack, broker, run):
        broker.kill()
        time.sleep(1)  # the workers notice it before their tasks end
    wait_until(is_over(run), stack.said)
    broker.start()
    assert_takes_tasks(stack, broker, connector)


def test_connections_that_are_reset_again_and_again(stack: Stack, broker: Valkey, connector: Connector) -> None:
    for is_busy in (False, True):
        run = ask(connector)
        with every_process_busy(stack, broker, run) if is_busy else contextlib.nullcontext():
            for _ in range(6):
                with contextlib.closing(redis.Redis.from_url(broker.url)) as server:
                    for kind in ("normal", "pubsub"):
                        server.client_kill_filter(_type=kind, skipme=True)
                time.sleep(0.3)  # less than it takes to connect again and to look for tasks
        send(broker, run, 1)
        wait_until(is_over(run), lambda: log_of(stack)[-4_000:])
        assert_takes_tasks(stack, broker, connector)


@pytest.mark.parametrize(
    ("broker_url", "takes_commands"),
    [
        ("redis://127.0.0.1:1/0", "True"),
        ("rediss://127.0.0.1:1/0", "True"),
        ("amqp://guest@127.0.0.1:1//", "False"),
        ("amqps://guest@127.0.0.1:1//", "False"),
        ("pyamqp://guest@127.0.0.1:1//", "False"),
    ],
)
def test_workers_take_commands_unless_two_of_one_name_would_fight_for_the_queue(
    broker_url: str, takes_commands: str
) -> None:
    program = "from django.conf import settings; print(settings.CELERY_WORKER_ENABLE_REMOTE_CONTROL)"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "billing_site.settings", "CELERY_BROKER_URL": broker_url}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == takes_commands
