"""Products and a provider that never give up while machines are killed, and what they were answered."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from apps.connectors.models import Connector
from tests.connectors.cast import make_active_workspace, make_connector
from tests.credits.cast import Place, make_place
from tests.factories.tenants import make_product, make_token
from tests.faults.stacks import Stack, wait_until
from tests.faults.test_deliveries_survive import post
from tests.faults.web_servers import asked_until_answered

CONSUMERS = 3
# Each has the same records for ever.
_MONTHS = [f"{year}-{month:02}" for year in range(2016, 2026) for month in range(1, 13)]


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
    connector: Connector
    token: str
    over: threading.Event = field(default_factory=threading.Event)
    consumed: dict[str, str] = field(default_factory=dict)
    delivered: list[str] = field(default_factory=list)
    synced: dict[str, str] = field(default_factory=dict)
    written_at: list[float] = field(default_factory=list)
    allowed_at: list[float] = field(default_factory=list)

    def said(self) -> str:
        """The end of what the machines wrote, and of each of their logs."""
        logs = sorted(log for node in self.nodes for log in (node.stack.state / "logs").glob("*.log"))
        ends = [f"{log}\n{log.read_text(encoding='utf-8', errors='replace')[-1_500:]}" for log in logs]
        return "\n".join([*(node.stack.said()[-3_000:] for node in self.nodes), *ends])

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

    def sync(self) -> None:
        for nodes, month in zip(self._turns(), itertools.cycle(_MONTHS), strict=False):
            answer = self._asked(nodes, f"connectors/{self.connector.pk}/syncs", {"month": month})
            assert answer.status_code == 202, answer.text
            self.synced |= {run["id"]: month for run in answer.json()["runs"]}
            time.sleep(0.2)

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


def make_load(nodes: list[Node]) -> Load:
    """A product with an organization that never runs out of credits, and a connector of sample data."""
    place = make_place(whole_credits=10_000_000)
    connector = make_connector(make_active_workspace(is_demo=True), provider="demo")
    make_product(place.product.slug, connector.workspace.organization)
    return Load(nodes, place, connector, make_token(place.product))


@contextlib.contextmanager
def under_load(load: Load) -> Iterator[None]:
    """Clients of all kinds at work; whatever they have begun is answered in the end."""
    kinds = [*([load.consume] * CONSUMERS), load.authorize, load.deliver, load.sync]
    with ThreadPoolExecutor(len(kinds)) as threads:
        running = [threads.submit(kind) for kind in kinds]
        try:
            yield
            assert not [one for one in running if one.done()]
        finally:
            load.over.set()
        for one in running:
            one.result()
