"""Web, worker, beat and launcher killed in turn, and the broker flushed: every outbox row is carried out once."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from functools import partial
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg
import pytest
import redis

from billing_site.launcher import places
from tests.faults.stacks import Stack, migrated_stack, wait_until
from tests.sizes import size

pytestmark = pytest.mark.faults

# NUL stands between the words of a command line: the web server too speaks of --workers.
VICTIMS = ("granian", "\0--queues=outbox\0", "\0--queues=clock,webhooks\0", "\0beat\0")
MESSAGES_A_FAULT = size(small=8, full=100)
ENQUEUE = """
from django.db import transaction
from apps.core.outbox import outbox_enqueue
from apps.tenants.access import console_context
with transaction.atomic():
    for number in range({count}):
        outbox_enqueue(console_context(), kind="email.send", key=f"{batch}-{{number}}", payload={{
            "to": ["ann@example.com"], "subject": "A fault test", "text": "{batch} {{number}}"}})
"""


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A stack of its own, to whose engines the test has a direct line."""
    with migrated_stack() as stack:
        monkeypatch.setenv("COUNTINGHOUSE_STATE_DIR", str(stack.state))
        yield stack


def enqueue(stack: Stack, batch: str) -> None:
    done = stack.manage("shell", "-c", ENQUEUE.format(count=MESSAGES_A_FAULT, batch=batch))
    assert done.returncode == 0, done.stderr


def flush_broker() -> None:
    """Everything that the broker knows is gone: messages, and what workers hold unacknowledged."""
    path = unquote(urlsplit(places.broker_url().replace("redis+socket", "unix")).path)
    redis.Redis(unix_socket_path=path).flushall()


def statuses() -> Counter[str]:
    """How many e-mails stand where. The URL's query names the folder of PostgreSQL's socket."""
    host = parse_qs(urlsplit(places.database_url()).query)["host"][0]
    with psycopg.connect(host=host, user="countinghouse", dbname="countinghouse") as connection:
        query = "SELECT status, count(*) FROM core_outboxitem WHERE kind = 'email.send' GROUP BY status"
        return Counter(dict(connection.execute(query).fetchall()))


def delivered(stack: Stack) -> Counter[str]:
    """How often each message was written, by the key that it carries."""
    texts = [path.read_text(encoding="utf-8") for path in (stack.state / "mail").glob("*")]
    return Counter(key for text in texts for key in re.findall(r"^X-Idempotency-Key: (\S+)", text, re.MULTILINE))


def test_every_call_to_the_outside_is_carried_out_once_whatever_is_killed(stack: Stack) -> None:
    stack.start()
    for victim in VICTIMS:
        enqueue(stack, victim.strip("\0"))
        killed = stack.program(victim)
        os.kill(killed, signal.SIGKILL)
        flush_broker()
        wait_until(partial(stack.is_another, victim, killed), stack.said)
    enqueue(stack, "launcher")
    flush_broker()
    stack.stop(signal.SIGKILL)
    wait_until(lambda: not stack.processes(), lambda: str(stack.processes()))  # it takes everything with it
    stack.start()

    expected = MESSAGES_A_FAULT * (len(VICTIMS) + 1)
    wait_until(lambda: statuses()["done"] == expected, lambda: f"{statuses()} {stack.said()}")
    assert statuses() == {"done": expected}
    counts = delivered(stack)
    assert len(counts) == expected, "each row reached the outside"
    # A kill between the call and its record repeats the call, with the same key; the row is still done once.
    print(f"{expected} rows done once; {sum(counts.values()) - expected} calls repeated with their own key")
