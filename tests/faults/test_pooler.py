"""The product behind a real PgBouncer in transaction mode (spec 14, Topology).

The program is what COUNTINGHOUSE_PGBOUNCER names, or the one on PATH if it is new enough, or one that is built once.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from django.db import connection

from apps.credits.models import CreditEntry
from billing_site.launcher.places import PROJECT
from billing_site.queues import JOBS
from tests.core.tampering import grow
from tests.credits.cast import Place, assert_sound, make_place
from tests.factories.tenants import make_token
from tests.faults.poolers import PgBouncer, pgbouncer_program, version_of
from tests.faults.stacks import wait_until
from tests.faults.web_servers import WebServer
from tests.sizes import size

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]

CALLS = size(small=300, full=10_000)
CLIENTS = 8
SEED = 26
# Fewer server connections than threads, so that each call may get another one.
POOL = {"default_pool_size": "5", "server_round_robin": "1"}


def forgetful_program() -> str | None:
    """The system's own PgBouncer, where that is an old one."""
    found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return found if found and version_of(found) < (1, 21) else None


@pytest.fixture(scope="session")
def program() -> str:
    return pgbouncer_program()


def names() -> tuple[str, str]:
    found = connection.settings_dict
    return str(found["NAME"]), str(found["USER"])


@pytest.fixture
def pooler(program: str) -> Iterator[PgBouncer]:
    pooler = PgBouncer(program, *names(), POOL)
    yield pooler
    pooler.close()


@dataclass(frozen=True, slots=True)
class Product:
    """A product that calls one server after the other."""

    servers: list[WebServer]
    place: Place
    token: str

    @property
    def account(self) -> dict[str, str]:
        return {"type": "organization", "id": str(self.place.organization.pk)}

    def call(self, number: int) -> tuple[str, int]:
        """One of the kinds of calls, chosen by its number; its kind and the answer's status."""
        chance = random.Random(SEED * CALLS + number)  # noqa: S311 - it need not be secret, it must repeat
        kind = chance.choice(list(KINDS))
        method, path, body = KINDS[kind](self)
        server = self.servers[number % len(self.servers)]
        answer = requests.request(
            method,
            f"{server.address}/api/v1/internal/{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=60,
        )
        return kind, answer.status_code


Call = tuple[str, str, Any]


def _run(product: Product) -> dict[str, Any]:
    key = uuid.uuid4().hex
    return {"idempotency_key": key, "run_id": key, "operation": "unit", "quantity": "1", "outcome": "succeeded"}


KINDS: dict[str, Callable[[Product], Call]] = {
    "authorize": lambda product: (
        "POST",
        "credits:authorize",
        {"account": product.account, "operation": "unit", "quantity": "1"},
    ),
    "consume": lambda product: ("POST", "credits:consume", {"account": product.account, **_run(product)}),
    "batch": lambda product: (
        "POST",
        "credits:consume-batch",
        {"items": [{"account": product.account, **_run(product)} for _ in range(5)]},
    ),
    "balance": lambda product: ("GET", f"accounts/organization/{product.place.organization.pk}/balance", None),
    "entries": lambda product: ("GET", f"accounts/organization/{product.place.organization.pk}/entries", None),
    "user": lambda product: (
        "POST",
        "users:upsert",
        {"id": str(uuid.uuid4()), "email": f"{uuid.uuid4().hex}@example.com", "name": "Ann"},
    ),
}


def manage(pooler: PgBouncer, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env={**os.environ, "DATABASE_URL": pooler.url},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.prove(
    "no error behind PgBouncer with two web workers, and in every job",
    size=CALLS,
    control="a PgBouncer that loses prepared statements is refused at the start",
)
def test_mixed_calls_and_every_job_go_well(pooler: PgBouncer) -> None:
    place = make_place(whole_credits=1_000_000)
    for _ in range(3):
        grow(None, 50)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(CLIENTS) as clients:
        servers = [WebServer(Path(folder), pooler.url, "billing_site.rsgi") for _ in range(2)]
        try:
            for server in servers:
                server.start()
            for server in servers:
                server.wait_until_up()
            product = Product(servers, place, make_token(place.product))
            answers = Counter(clients.map(product.call, range(CALLS)))
            said = "".join(server.said() for server in servers)
        finally:
            for server in servers:
                server.kill()
    print(f"{CALLS} calls: {dict(answers)}")
    wrong = {answer: count for answer, count in answers.items() if answer[1] not in {200, 201}}
    assert wrong == {}, said[-4_000:]
    consumed = answers["consume", 201] + answers["consume", 200] + 5 * answers["batch", 200]
    assert CreditEntry.objects.filter(kind="consumption").count() == consumed
    for name in sorted(JOBS):
        done = manage(pooler, "run_job", name, "--include-demo")
        assert done.returncode == 0, f"{name}: {done.stderr}"
    assert_sound()


def test_the_check_takes_it(pooler: PgBouncer) -> None:
    done = manage(pooler, "check", "--database", "default")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", ["switched off", "old"])
def test_a_pooler_that_loses_statements_is_refused_at_each_start(program: str, kind: str) -> None:
    old = forgetful_program()
    if kind == "old" and old is None:
        return  # this machine's own PgBouncer is a new one; the other case stands for all
    options = POOL | ({"max_prepared_statements": "0"} if kind == "switched off" else {})
    pooler = PgBouncer(program if kind == "switched off" else str(old), *names(), options)
    try:
        checked = manage(pooler, "check", "--database", "default")
        assert checked.returncode != 0
        assert "DATABASE_URL leads through a pooler that loses prepared statements" in checked.stderr
        assert "Traceback" not in checked.stderr
        migrated = manage(pooler, "migrate")
        assert "DATABASE_URL leads through a pooler" in migrated.stderr
        with tempfile.TemporaryDirectory() as folder:
            server = WebServer(Path(folder), pooler.url, "billing_site.rsgi")
            server.start()
            try:
                wait_until(lambda: "DATABASE_URL leads through a pooler" in server.said(), server.said)
                assert not server.is_up()
            finally:
                server.kill()
    finally:
        pooler.close()
