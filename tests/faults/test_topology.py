"""Two machines of everything before a database that fails over again and again (spec 14, Topology; spec 11, P15)."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from django.db import connection

from apps.connectors.models import SyncRun
from apps.core import clock
from apps.core.models import JobRun
from apps.credits.models import CreditEntry
from apps.payments.models import WebhookEvent
from tests.connectors.upstream import stored
from tests.core.elsewhere import elsewhere
from tests.credits.cast import assert_sound, make_place
from tests.faults.brokers import Broker, RabbitMQ, Valkey
from tests.faults.clusters import Pair
from tests.faults.loads import Load, Node, make_load, under_load
from tests.faults.poolers import PgBouncer, pgbouncer_program, server_socket_folder
from tests.faults.stacks import fresh_stack, wait_until
from tests.faults.test_deliveries_survive import SECRET
from tests.faults.test_failover import Caller

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

SEED = 15
RECORDS_A_MONTH = 27


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
    load, seconds = make_load(nodes), Seconds()
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
    since = time.monotonic()
    check_rows(load)
    check_workers(load)
    check_syncs(load)
    record_property("measured", f"everything worked through {time.monotonic() - since:.0f} s after the last of them")
    assert_sound()
    answered = f"{len(load.consumed):,} charges, {len(load.delivered):,} events, {len(load.synced):,} syncs"
    record_property("measured", f"{variant.failovers} failovers, {answered}")
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


def check_syncs(load: Load) -> None:
    """Each run that was promised is there and succeeded; of each month each record is there once."""
    runs = SyncRun.objects.filter(connector=load.connector)
    # What the emptied broker lost is sent again when its time in the queue is over: at once here, not after minutes.
    runs.filter(status="queued").update(lease_expires_at=clock.now())
    wait_until(lambda: not runs.filter(finished_at=None).exists(), load.said)
    succeeded = {str(run.pk): run.month for run in runs.filter(status="succeeded")}
    assert {run_id: succeeded.get(run_id) for run_id in load.synced} == load.synced
    for month in set(load.synced.values()):
        assert len(stored(load.connector.pk, month)) == RECORDS_A_MONTH


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
