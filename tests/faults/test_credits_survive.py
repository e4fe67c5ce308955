"""The web process is killed at every step of a consumption, and the client repeats its key (spec 11, P3 and P11)."""

from __future__ import annotations

import random
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Count

from apps.core.amounts import MICRO
from apps.core.failpoints import Failpoint
from apps.credits.models import CreditEntry
from apps.credits.services.accounts import account_for_update
from tests.credits.cast import Place, assert_sound, make_place
from tests.factories.tenants import make_token
from tests.faults.stacks import wait_until
from tests.faults.web_servers import WebServer, asked_once, asked_until_answered, is_in_flight
from tests.sizes import size

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]

KILLS = size(small=6, full=200)
SEED = 4
CLIENTS = 4
FULL_ACCOUNT = 10_000
CONSUME = "credits:consume"


@dataclass(slots=True)
class Scene:
    """Two web servers before one database, as behind a load balancer, and a product that consumes."""

    servers: list[WebServer]
    place: Place
    token: str
    clients: ThreadPoolExecutor
    chance: random.Random
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    repeats: int = 0

    def run(self, key: str) -> dict[str, Any]:
        account = {"type": "organization", "id": str(self.place.organization.pk)}
        body = {"account": account, "operation": "unit", "quantity": "1", "outcome": "succeeded"}
        return {"idempotency_key": key, "run_id": key, **body}

    def warm_up(self, server: WebServer) -> None:
        """Once it has charged something it knows the policy, and its next statement charges at once."""
        server.wait_until_up()
        self._one([server], uuid.uuid4().hex)

    def ask(self, victim: WebServer) -> list[Future[None]]:
        """Several clients consume at once, each first at the victim, each with a key of its own."""
        order = [victim, *(server for server in self.servers if server is not victim)]
        return [self.clients.submit(self._one, order, uuid.uuid4().hex) for _ in range(CLIENTS)]

    def _one(self, order: list[WebServer], key: str) -> None:
        answer, tries = asked_until_answered(order, self.token, CONSUME, self.run(key))
        assert answer.status_code in {200, 201}, answer.text
        again, _ = asked_until_answered(order[::-1], self.token, CONSUME, self.run(key))
        assert again.status_code == 200
        assert {**answer.json(), "replayed": True} == again.json()
        self.answers[key] = again.json()
        self.repeats += tries - 1


@pytest.fixture
def scene() -> Iterator[Scene]:
    place = make_place(whole_credits=FULL_ACCOUNT)
    chance = random.Random(SEED)  # noqa: S311 - it need not be secret, it must repeat
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(CLIENTS) as clients:
        servers = [WebServer(Path(folder)) for _ in range(2)]
        try:
            for server in servers:
                server.start()
            yield Scene(servers, place, make_token(place.product), clients, chance)
        finally:
            for server in servers:
                server.kill()


def at_failpoint(name: Failpoint, scene: Scene, victim: WebServer) -> None:
    victim.die_at(name)
    asked = scene.ask(victim)
    victim.wait_until_dead()
    _finish(victim, asked)


def in_the_statement(scene: Scene, victim: WebServer) -> None:
    """Killed while PostgreSQL carries out the statement, which goes on without anybody to answer to."""
    with transaction.atomic():
        account_for_update(scene.place.organization.pk)
        asked = scene.ask(victim)
        wait_until(lambda: victim.waiting() > 0)
        victim.kill()
    _finish(victim, asked)


def at_a_random_point(scene: Scene, victim: WebServer) -> None:
    asked = scene.ask(victim)
    time.sleep(scene.chance.uniform(0, 0.03))
    victim.kill()
    _finish(victim, asked)


def _finish(victim: WebServer, asked: list[Future[None]]) -> None:
    victim.start()
    for future in asked:
        future.result()


STEPS: tuple[Callable[[Scene, WebServer], None], ...] = (
    partial(at_failpoint, "credits.before_statement"),
    in_the_statement,
    partial(at_failpoint, "credits.after_statement"),
    at_a_random_point,
)


def charged_twice() -> list[str]:
    """The runs that were charged more than once."""
    runs = CreditEntry.objects.filter(kind="consumption").values("run_id").annotate(charges=Count("pk"))
    return list(runs.filter(charges__gt=1).values_list("run_id", flat=True))


@pytest.mark.prove(
    "P3 kill -9 of the web process at every step of a consume, the client repeats its key: one charge each",
    size=KILLS,
    control="a client that makes a new key at each repetition is charged twice",
)
def test_killed_at_every_step_each_key_is_charged_once(scene: Scene) -> None:
    for number in range(KILLS):
        victim = scene.servers[number % 2]
        scene.warm_up(victim)
        STEPS[number % len(STEPS)](scene, victim)
    assert len(scene.answers) == KILLS * (CLIENTS + 1)
    charges = CreditEntry.objects.filter(kind="consumption")
    booked = {entry.idempotency_key: str(entry.pk) for entry in charges}
    assert booked == {key: answer["entry_id"] for key, answer in scene.answers.items()}
    assert charges.count() == len(scene.answers)
    assert charged_twice() == []
    assert scene.place.account.balance == (FULL_ACCOUNT - len(scene.answers)) * MICRO
    assert_sound()
    print(f"web: {KILLS} kills, seed {SEED}, {len(scene.answers)} keys, {scene.repeats} repetitions, one charge each")


def test_a_key_in_flight_says_so_and_is_recovered_when_its_holder_is_killed(scene: Scene) -> None:
    victim, other = scene.servers
    for server in scene.servers:
        server.wait_until_up()
    body = scene.run("run")
    with transaction.atomic():
        account_for_update(scene.place.organization.pk)
        asked = scene.clients.submit(asked_once, victim, scene.token, CONSUME, body)
        wait_until(lambda: victim.waiting() > 0)
        before = asked_once(other, scene.token, CONSUME, body)
        victim.kill()
        assert asked.result() is None
        during = asked_once(other, scene.token, CONSUME, body)
    assert before is not None
    assert is_in_flight(before)
    assert during is not None
    assert is_in_flight(during)
    answer, _ = asked_until_answered([other], scene.token, CONSUME, body)
    assert answer.status_code in {200, 201}
    assert scene.place.account.balance == (FULL_ACCOUNT - 1) * MICRO
    assert charged_twice() == []
    assert_sound()


def test_control_a_client_that_makes_a_new_key_each_time_is_charged_twice(scene: Scene) -> None:
    victim, other = scene.servers
    for server in scene.servers:
        scene.warm_up(server)
    victim.die_at("credits.after_statement")
    assert asked_once(victim, scene.token, CONSUME, scene.run("run")) is None
    answer = asked_once(other, scene.token, CONSUME, {**scene.run("run"), "idempotency_key": "another"})
    assert answer is not None
    assert answer.status_code == 201
    assert charged_twice() == ["run"]
