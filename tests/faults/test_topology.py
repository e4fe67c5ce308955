"""Two machines of everything before a database that fails over again and again (spec 14, Topology; spec 11, P15)."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from django.db import connection

from apps.core import clock
from apps.core.models import JobRun
from apps.credits.models import CreditEntry
from apps.payments.models import WebhookEvent
from tests.core.elsewhere import elsewhere
from tests.credits.cast import Place, assert_sound, make_place
from tests.factories.tenants import make_token
from tests.faults.brokers import Broker, RabbitMQ, Valkey
from tests.faults.clusters import Pair
from tests.faults.poolers import PgBouncer, pgbouncer_program, server_socket_folder
from tests.faults.stacks import Stack, fresh_stack, wait_until
from tests.faults.test_deliveries_survive import SECRET, post
from tests.faults.test_failover import Caller
from tests.faults.web_servers import asked_until_answered

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

SEED = 15
CONSUMERS = 3


@dataclass(frozen=True, slots=True)
class Variant:
    """What stands between the machines and their work, and how many failovers it has to go through."""

    broker: Callable[[], Broker]
    is_pooled: bool
    failovers: int


VARIANTS = {
    "Valkey": Variant(Valkey, is_pooled=False, failovers=20),
    "Valkey and PgBouncer": Variant(Valkey, is_pooled=True, failovers=5),
    "RabbitMQ and PgBouncer": Variant(RabbitMQ, is_pooled=True, failovers=5),
}


@dataclass(frozen=True, slots=True)
class Node:
    """The web server of one machine, as `asked_until_answered` takes it."""

    stack: Stack

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.stack.port}"

    def kill_web(self) -> None:
        """Kill -9; its launcher starts another one."""
        with contextlib.suppress(AssertionError, ProcessLookupError):  # it is being started
            os.killpg(self.stack.program("granian"), signal.SIGKILL)


@dataclass(slots=True)
class Load:
    """Products and a provider that never give up: what was answered 2xx, and when."""

    nodes: list[Node]
    place: Place
    token: str
    over: threading.Event = field(default_factory=threading.Event)
    consumed: dict[str, str] = field(default_factory=dict)
    delivered: list[str] = field(default_factory=list)
    written_at: list[float] = field(default_factory=list)
    allowed_at: list[float] = field(default_factory=list)

    def said(self) -> str:
        """The end of what the machines wrote."""
        return "\n".join(node.stack.said()[-3_000:] for node in self.nodes)

    def consume(self) -> None:
        account = {"type": "organization", "id": str(self.place.organization.pk)}
        for nodes in self._turns():
            key = uuid.uuid4().hex
            body = {"account": account, "operation": "unit", "quantity": "1", "outcome": "succeeded"}
            body |= {"idempotency_key": key, "run_id": key}
            answer = self._asked(nodes, "credits:consume", body)
            assert answer.status_code in {200, 201}, answer.text
            self.consumed[key] = answer.json()["entry_id"]
            self.written_at.append(time.monotonic())

    def authorize(self) -> None:
        account = {"type": "organization", "id": str(self.place.organization.pk)}
        for nodes in self._turns():
            answer = self._asked(nodes, "credits:authorize", {"account": account, "operation": "unit", "quantity": "1"})
            assert answer.status_code == 200, answer.text
            assert answer.json()["decision"] == "allow"
            self.allowed_at.append(time.monotonic())
            time.sleep(0.02)

    def deliver(self) -> None:
        for nodes in self._turns():
            event_id = f"evt_{uuid.uuid4().hex}"
            turn = itertools.cycle(nodes)
            wait_until(partial(self._is_taken, turn, event_id), self.said)
            self.delivered.append(event_id)
            time.sleep(0.05)

    def _is_taken(self, turn: Iterator[Node], event_id: str) -> bool:
        return post(next(turn).stack, event_id) == 200

    def _turns(self) -> Iterator[list[Node]]:
        """Each request goes first to the next node, until it is over; what was begun is brought to its end."""
        for number in itertools.count():
            if self.over.is_set():
                return
            yield self.nodes if number % 2 else self.nodes[::-1]

    def _asked(self, nodes: list[Any], path: str, body: dict[str, Any]) -> Any:
        return asked_until_answered(nodes, self.token, path, body)[0]


@pytest.fixture
def pair(transactional_db: None) -> Iterator[Pair]:
    pair = Pair()
    try:
        pair.start(f"host={server_socket_folder()} user=postgres")
        with elsewhere(**pair.place, OPTIONS={"target_session_attrs": "read-write"}):
            yield pair
    finally:
        pair.clear()


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> Variant:
    return VARIANTS[request.param]


@pytest.fixture
def broker(variant: Variant) -> Iterator[Broker]:
    broker = variant.broker()
    yield broker
    broker.kill()


@pytest.fixture
def pooler(variant: Variant, pair: Pair) -> Iterator[PgBouncer | None]:
    """Led to the primary; None where the machines ask both servers which one takes writes."""
    if not variant.is_pooled:
        yield None
        return
    own = connection.settings_dict
    pooler = PgBouncer(
        pgbouncer_program(), own["NAME"], own["USER"], {"default_pool_size": "20", "server_login_retry": "1"}
    )
    pooler.lead_to(pair.primary.port)
    yield pooler
    pooler.close()


@pytest.fixture
def nodes(pair: Pair, broker: Broker, pooler: PgBouncer | None) -> Iterator[list[Node]]:
    """Two machines, each with web, workers and beat, before the same database and broker."""
    own = connection.settings_dict
    database = pooler.url if pooler else pair.url(own["USER"], own["NAME"])
    settings = {"DATABASE_URL": database, "CELERY_BROKER_URL": broker.url, "STRIPE_WEBHOOK_SECRETS": SECRET}
    with fresh_stack(**settings) as first, fresh_stack(**settings) as second:
        for stack in (first, second):
            stack.start()
        yield [Node(first), Node(second)]


def without_row(answered: dict[str, str]) -> list[str]:
    """The keys that were answered 2xx and have no row, or another one, on the server that takes writes now."""
    rows = CreditEntry.objects.filter(kind="consumption").values_list("idempotency_key", "pk")
    there = {key: str(pk) for key, pk in rows}
    return [key for key, entry_id in answered.items() if there.get(key) != entry_id]


def until_first(moments: list[float], since: float, said: Callable[[], str]) -> float:
    """Seconds from then until the first answer after it."""
    wait_until(lambda: bool(moments) and moments[-1] > since, said)
    return next(moment for moment in moments if moment > since) - since


@dataclass(slots=True)
class Seconds:
    """How long each failover kept whom waiting."""

    until_read: list[float] = field(default_factory=list)
    until_written: list[float] = field(default_factory=list)
    after_standby: list[float] = field(default_factory=list)

    def measure(self, pair: Pair, pooler: PgBouncer | None, load: Load) -> None:
        """One failover: promote, bring the killed server back as the standby, and wait for an answer after each."""
        killed = time.monotonic()
        pair.fail_over()
        if pooler:
            pooler.lead_to(pair.primary.port)
        self.until_read.append(until_first(load.allowed_at, time.monotonic(), load.said))
        pair.bring_back()
        back = time.monotonic()
        self.after_standby.append(until_first(load.written_at, back, load.said))
        self.until_written.append(back - killed + self.after_standby[-1])


@contextlib.contextmanager
def under_load(load: Load) -> Iterator[None]:
    """Clients of all kinds at work; whatever they have begun is answered in the end."""
    kinds = [*([load.consume] * CONSUMERS), load.authorize, load.deliver]
    with ThreadPoolExecutor(len(kinds)) as threads:
        running = [threads.submit(kind) for kind in kinds]
        try:
            yield
            assert not [one for one in running if one.done()]
        finally:
            load.over.set()
        for one in running:
            one.result()


@pytest.mark.prove(
    "P15 the database fails over under load, broker emptied, web nodes killed: each 2xx is there exactly once",
    control="without a synchronous standby a lost row is found",
)
def test_every_answer_has_its_row_on_the_promoted_server(
    variant: Variant,
    pair: Pair,
    broker: Broker,
    pooler: PgBouncer | None,
    nodes: list[Node],
    record_property: Callable[[str, object], None],
) -> None:
    place = make_place(whole_credits=10_000_000)
    load, seconds = Load(nodes, place, make_token(place.product)), Seconds()
    chance = random.Random(SEED)  # noqa: S311 - it need not be secret, it must repeat
    with under_load(load):
        for number, node in zip(range(variant.failovers), itertools.cycle(nodes), strict=False):
            time.sleep(chance.uniform(0.5, 2))
            seconds.measure(pair, pooler, load)
            if number % 2:
                broker.kill()
                broker.start()
            node.kill_web()
            wait_until(node.stack.answers, load.said)
    connection.close()  # it led to a server that was killed
    check_rows(load)
    check_workers(load)
    assert_sound()
    record_property(
        "measured", f"{variant.failovers} failovers, {len(load.consumed):,} charges, {len(load.delivered):,} events"
    )
    record_property("measured", f"reads back {max(seconds.until_read):.1f} s after a promotion at most")
    record_property(
        "measured",
        f"no writes for {min(seconds.until_written):.1f} to {max(seconds.until_written):.1f} s, "
        f"of which at most {max(seconds.after_standby):.1f} s after the standby was back",
    )


def check_rows(load: Load) -> None:
    """Each key and each event is there exactly once."""
    assert without_row(load.consumed) == []
    assert CreditEntry.objects.filter(kind="consumption").count() == len(load.consumed)
    events = Counter(WebhookEvent.objects.values_list("event_id", flat=True))
    assert events == Counter(load.delivered)


def check_workers(load: Load) -> None:
    """Workers and beat came back by themselves: what waits is worked through, and a fresh slot is run."""
    since = clock.now()
    wait_until(lambda: JobRun.objects.filter(created_at__gt=since, status="succeeded").exists(), load.said)
    wait_until(lambda: not WebhookEvent.objects.filter(status__in=["received", "processing"]).exists(), load.said)


def test_control_without_a_synchronous_standby_an_answered_write_is_lost(pair: Pair) -> None:
    caller = Caller(make_place(whole_credits=10))
    for server, name in ((pair.primary, "synchronous_standby_names"), (pair.standby, "primary_conninfo")):
        server.ask(f"ALTER SYSTEM SET {name} = ''")
        server.ask("SELECT pg_reload_conf()")
    wait_until(lambda: pair.primary.ask("SELECT count(*) FROM pg_stat_replication") == 0)
    answered = {"key": caller.consume("key").json()["entry_id"]}
    assert without_row(answered) == []
    pair.fail_over()
    connection.close()
    assert without_row(answered) == ["key"]
