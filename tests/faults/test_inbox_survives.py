"""The database stopped in mid-burst: every 200 has its row, any other delivery is harmless when repeated (spec 11)."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import signal
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from billing_site.launcher import places
from tests.faults.stacks import Stack, migrated_stack, wait_until
from tests.sizes import size

pytestmark = pytest.mark.faults

SECRET = "whsec_of_a_fault_test"
EVENTS = size(small=400, full=10_000)
POSTERS = 8


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A stack of its own whose database keeps what it committed, and to which the test has a direct line."""
    with migrated_stack(DJANGO_ENV="development", STRIPE_WEBHOOK_SECRETS=SECRET) as stack:
        monkeypatch.setenv("COUNTINGHOUSE_STATE_DIR", str(stack.state))
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


def stored() -> list[str]:
    """The ids of the events in the inbox, each as often as it stands there."""
    host = parse_qs(urlsplit(places.database_url()).query)["host"][0]
    with psycopg.connect(host=host, user="countinghouse", dbname="countinghouse") as connection:
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
    stack.start()
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
