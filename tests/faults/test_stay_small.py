"""Web and worker need no more memory after many requests and jobs than after the first of them (spec 14).

What is asked differs each time, in what a process could remember: keys, tokens, paths, addresses, senders' ids.
"""

from __future__ import annotations

import json
import os
import secrets
import uuid
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from apps.core.enums import AuthorizationSource
from apps.core.ids import JobRunId
from apps.core.jobs import job_run_request
from apps.core.jobs.runs import job_run_execute
from tests.benchmarks.load import request_bytes, run
from tests.contexts import console_context
from tests.core.processes import started
from tests.credits.cast import Place, make_place
from tests.factories.tenants import make_token
from tests.faults.web_servers import database_url
from tests.sizes import size
from tests.web.servers import PLAIN_OPTIONS, serving

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

REQUESTS = size(small=3_000, full=100_000)
JOB_RUNS = size(small=100, full=1_000)
CONNECTIONS = 8
MOST_GROWTH = 12_000_000
JOBS = ("sweep-inbox", "refresh-rollups", "drain-outbox", "sweep-syncs", "refresh-figures")
_API = "/api/v1/internal"


def memory_of(pid: int) -> int:
    """The bytes of the process that are in memory, its children's with them."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    resident = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return resident + sum(memory_of(int(child)) for child in children)


def requests_of(place: Place, token: str) -> Iterator[bytes]:
    """Requests of all kinds in turn, none like another."""
    account = {"type": "organization", "id": str(place.organization.pk)}
    asked = {"account": account, "operation": "unit", "quantity": "1"}
    for number in count():
        key = uuid.uuid4().hex
        consume = {**asked, "idempotency_key": key, "run_id": key, "outcome": "succeeded"}
        yield request_bytes(f"{_API}/credits:consume", json.dumps(consume).encode(), token)
        yield request_bytes(f"{_API}/credits:authorize", json.dumps(asked).encode(), token)
        unknown = {**asked, "account": {**account, "id": str(uuid.uuid4())}, "operation": f"operation_{number}"}
        yield request_bytes(f"{_API}/credits:authorize", json.dumps(unknown).encode(), token)
        bad = f"chp_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"
        yield request_bytes(f"{_API}/credits:authorize", json.dumps(asked).encode(), bad)
        yield request_bytes(f"/nothing/{key}?{key}={key}", b"", method="GET")
        yield request_bytes("/webhooks/stripe", json.dumps({"id": f"evt_{key}"}).encode())
        yield request_bytes("/sign-in/", b"", method="GET")


def growth(port: int, pid: int, next_request: Callable[[], bytes], requests: int) -> int:
    """The bytes by which the server grows from a third of the requests to all of them."""
    done, first = 0, 0
    while done < requests:
        done += sum(run(port, 0.2, CONNECTIONS, next_request).statuses.values())
        if not first and done >= requests / 3:
            first = memory_of(pid)
    return memory_of(pid) - first


def server_on(port: int) -> int:
    """The process that serves the port, which is our child."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text(encoding="ascii").split()
    lines = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    return next(pid for pid, line in lines.items() if f"--port={port}".encode() in line)


@pytest.mark.prove(
    "the web server needs no more memory after many requests, none like another",
    size=REQUESTS,
    control="a server that keeps each path is caught",
)
def test_the_web_server(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    place = make_place(whole_credits=1_000_000)
    turns = requests_of(place, make_token(place.product))
    environment = {"DATABASE_URL": database_url(), "LOG_LEVEL": "WARNING", "API_RATE_LIMIT_PER_MINUTE": "100000000"}
    with serving("billing_site.rsgi:application", tmp_path / "log", environment=environment) as port:
        pid = server_on(port)
        grown = growth(port, pid, lambda: next(turns), REQUESTS)
        record_property("measured", f"{memory_of(pid) / 1e6:,.0f} MB, of which {grown / 1e6:,.1f} came after a third")
    assert grown < MOST_GROWTH


def test_control_a_server_that_keeps_each_path_is_caught(tmp_path: Path) -> None:
    place = make_place()
    turns = requests_of(place, "none")
    with serving("tests.web.leaky:application", tmp_path / "log", options=PLAIN_OPTIONS) as port:
        assert growth(port, server_on(port), lambda: next(turns), 12_000) > MOST_GROWTH


@pytest.mark.prove("a worker needs no more memory after many jobs", size=JOB_RUNS)
def test_a_worker(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    sizes = tmp_path / "sizes"

    def work() -> None:
        measured = []
        for number in range(JOB_RUNS):
            asked = job_run_request(console_context(), name=JOBS[number % len(JOBS)])
            done = job_run_execute(JobRunId(asked.pk), source=AuthorizationSource.CONSOLE)
            assert done is not None
            assert done.status == "succeeded", done.error
            measured.append(memory_of(os.getpid()))
        sizes.write_text(json.dumps([measured[JOB_RUNS // 3], measured[-1]]), encoding="ascii")

    make_place(whole_credits=100)
    worker = started(work)
    worker.join()
    assert worker.exitcode == 0
    first, last = json.loads(sizes.read_text(encoding="ascii"))
    record_property("measured", f"{last / 1e6:,.0f} MB, of which {(last - first) / 1e6:,.1f} came after a third")
    assert last - first < MOST_GROWTH
