"""What comes in and what goes out, while a running stack is killed piece by piece (spec 11).

The database stopped in mid-burst: every 200 has its row, any other delivery is harmless when repeated. Web, worker,
beat and launcher killed in turn, and the broker flushed: every outbox row is carried out once.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg
import pytest
import redis

from apps.core.leases import QUEUES
from apps.core.outbox.worker import OUTBOX
from billing_site.launcher import places
from tests.faults.stacks import PATIENCE_SECONDS, Stack, migrated_stack, wait_until
from tests.sizes import size

pytestmark = pytest.mark.faults

SECRET = "whsec_of_a_fault_test"
EVENTS = size(small=400, full=10_000)
POSTERS = 8


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


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A running stack whose database keeps what it committed, and to whose engines the tests have a direct line.

    Every test that takes it leaves it running.
    """
    with (
        migrated_stack(DJANGO_ENV="development", STRIPE_WEBHOOK_SECRETS=SECRET) as stack,
        pytest.MonkeyPatch.context() as patched,
    ):
        patched.setenv("COUNTINGHOUSE_STATE_DIR", str(stack.state))
        stack.start()
        yield stack


def post(stack: Stack, event_id: str) -> int:
    """Deliver one signed event; the status of the answer, 0 where none came."""
    body = json.dumps({"id": event_id, "type": "plan.created", "created": 1, "data": {"object": {}}}).encode()
    stamp = int(time.time())
    digest = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"Host": "localhost", "Stripe-Signature": f"t={stamp},v1={digest}"}
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=30)
    try:
        connection.request("POST", "/webhooks/stripe", body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def connected() -> psycopg.Connection[Any]:
    """The URL's query names the folder of PostgreSQL's socket."""
    host = parse_qs(urlsplit(places.database_url()).query)["host"][0]
    return psycopg.connect(host=host, user="countinghouse", dbname="countinghouse")


def stored() -> list[str]:
    """The ids of the events in the inbox, each as often as it stands there."""
    with connected() as connection:
        return [row[0] for row in connection.execute("SELECT event_id FROM payments_webhookevent").fetchall()]


def without_row(answers: Iterable[tuple[str, int]], rows: Iterable[str]) -> list[str]:
    """The events that were answered 200 and are not there."""
    there = set(rows)
    return [event_id for event_id, status in answers if status == http.HTTPStatus.OK and event_id not in there]


def stop_database(stack: Stack) -> None:
    [keeper] = [line for line in stack.processes() if "launcher.keeper postgres" in line]
    os.kill(int(keeper.split()[0]), signal.SIGKILL)


def is_back() -> bool:
    try:
        stored()
    except psycopg.Error:
        return False
    return True


@pytest.mark.prove("database stopped in mid-burst: every 200 has its row", size=EVENTS, control="a lost row is found")
def test_every_200_has_its_row_though_the_database_stops_in_mid_burst(stack: Stack) -> None:
    events = [f"evt_{number}" for number in range(EVENTS)]
    with ThreadPoolExecutor(POSTERS) as threads:
        burst = [threads.submit(post, stack, event_id) for event_id in events]
        wait_until(lambda: sum(one.done() for one in burst) > EVENTS // 3, stack.said)
        stop_database(stack)
        answers = [(event_id, one.result()) for event_id, one in zip(events, burst, strict=True)]
    wait_until(is_back, stack.said)
    wait_until(lambda: post(stack, "evt_after") == http.HTTPStatus.OK, stack.said)
    statuses = {status for _, status in answers}
    assert statuses <= {http.HTTPStatus.OK, http.HTTPStatus.SERVICE_UNAVAILABLE}
    assert http.HTTPStatus.SERVICE_UNAVAILABLE in statuses, "the burst went on while the database was away"
    assert without_row(answers, stored()) == []
    for event_id, _ in answers:
        assert post(stack, event_id) == http.HTTPStatus.OK
    assert sorted(stored()) == sorted([*events, "evt_after"])


def test_control_a_lost_row_is_found() -> None:
    assert without_row([("evt_1", 200), ("evt_2", 200), ("evt_3", 503)], ["evt_1"]) == ["evt_2"]


def test_tests_wait_longer_than_any_lease() -> None:
    """Else a worker that is killed in the middle of a call fails the test, and only then."""
    sweep_and_call = timedelta(minutes=2)
    assert QUEUES
    for queue in QUEUES.values():
        assert queue.lease + sweep_and_call <= timedelta(seconds=PATIENCE_SECONDS), queue.name


def enqueue(stack: Stack, batch: str) -> None:
    done = stack.manage("shell", "-c", ENQUEUE.format(count=MESSAGES_A_FAULT, batch=batch))
    assert done.returncode == 0, done.stderr


def flush_broker() -> None:
    """Everything that the broker knows is gone: messages, and what workers hold unacknowledged."""
    path = unquote(urlsplit(places.broker_url().replace("redis+socket", "unix")).path)
    redis.Redis(unix_socket_path=path).flushall()


def statuses() -> Counter[str]:
    """How many e-mails stand where."""
    with connected() as connection:
        query = "SELECT status, count(*) FROM core_outboxitem WHERE kind = 'email.send' GROUP BY status"
        return Counter(dict(connection.execute(query).fetchall()))


def end_leases_before(restarted: datetime) -> None:
    """End at once what killed workers had claimed, where the system would wait for the end of the lease."""
    with connected() as connection:
        claimed_before = "status = 'in_progress' AND lease_expires_at < %s"
        moved = f"UPDATE core_outboxitem SET lease_expires_at = now() WHERE {claimed_before}"
        connection.execute(moved, [restarted + OUTBOX.lease])


def delivered(stack: Stack) -> Counter[str]:
    """How often each message was written, by the key that it carries."""
    texts = [path.read_text(encoding="utf-8") for path in (stack.state / "mail").glob("*")]
    return Counter(key for text in texts for key in re.findall(r"^X-Idempotency-Key: (\S+)", text, re.MULTILINE))


@pytest.mark.prove("whatever is killed, each call to the outside is carried out once", size=MESSAGES_A_FAULT)
def test_every_call_to_the_outside_is_carried_out_once_whatever_is_killed(stack: Stack) -> None:
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
    restarted = datetime.now(UTC)
    stack.start()
    end_leases_before(restarted)

    expected = MESSAGES_A_FAULT * (len(VICTIMS) + 1)
    wait_until(lambda: statuses()["done"] == expected, lambda: f"{statuses()} {stack.said()}")
    assert statuses() == {"done": expected}
    counts = delivered(stack)
    assert len(counts) == expected, "each row reached the outside"
    # A kill between the call and its record repeats the call, with the same key; the row is still done once.
    print(f"{expected} rows done once; {sum(counts.values()) - expected} calls repeated with their own key")
