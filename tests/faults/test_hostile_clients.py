"""Clients that are silent or slow, hundreds at a time, stop nobody: not the products, not the people, not the probe."""

from __future__ import annotations

import itertools
import resource
import secrets
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from billing_site.launcher import places
from billing_site.launcher.children import WEB_OPTIONS
from tests.benchmarks.signed_events import SECRET, SignedEvents
from tests.credits.cast import Place, make_place
from tests.factories.tenants import make_token
from tests.faults.crowds import Crowd
from tests.faults.web_servers import database_url
from tests.sizes import IS_FULL, size
from tests.web.servers import PLAIN_OPTIONS, head, serving

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]

SOCKETS = size(small=50, full=200)
GOOD_REQUESTS = size(small=100, full=1_000)
HEALTH_SECONDS = 1.0
CLIENTS = 8
_LARGE = "hostile.txt"
Ask = Callable[[int], requests.Response]


def kinds(token: str) -> dict[str, bytes]:
    """What the clients of each kind send before they fall silent."""
    bearer = {"Authorization": f"Bearer {token}", "Content_Type": "application/json"}
    post = "POST /api/v1/internal/credits:consume"
    return {
        "silent from the start": b"",
        "a header without its end": b"POST /sign-in/ HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        "a webhook of one byte": head("POST /webhooks/stripe", Content_Length="1000") + b"{",
        "a form of one byte": head("POST /sign-in/", Content_Length="1000") + b"u",
        "a call with a valid token": head(post, Content_Length="1000", **bearer) + b"{",
        "half of a large webhook": head("POST /webhooks/orb", Content_Length="1000000") + b" " * 300_000,
        "a chunk without its end": head("POST /webhooks/stripe", Transfer_Encoding="chunked") + b"5\r\nhel",
        "a body that was asked for": head("POST /webhooks/stripe", Content_Length="1000", Expect="100-continue"),
        "a large file unread": head(f"GET /static/{_LARGE}"),
        "a part of a file unread": head(f"GET /static/{_LARGE}", Range="bytes=1000-"),
        "idle after an answer": head("GET /healthz"),
    }


@dataclass(slots=True)
class Report:
    """What the good clients saw meanwhile."""

    answered: int
    unanswered: int
    slowest_health: float


@pytest.fixture
def place() -> Place:
    return make_place(whole_credits=100_000)


@pytest.fixture(autouse=True)
def _many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def product(options: Sequence[str], application: str) -> Iterator[int]:
    """Two workers, as `make run` starts them, with a large file to serve."""
    large = places.state_folder() / "static" / _LARGE
    large.write_bytes(b"0123456789abcdef" * 500_000)
    environment = {"DATABASE_URL": database_url(), "STRIPE_WEBHOOK_SECRETS": SECRET}
    try:
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "log"
            with serving(application, log, options=options, workers=2, environment=environment) as port:
                yield port
    finally:
        large.unlink()


def good_requests(port: int, place: Place, token: str) -> list[Ask]:
    """What honest clients ask, each time something new; each is answered with 2xx or an assertion fails."""
    address = f"http://127.0.0.1:{port}"
    bearer = {"Authorization": f"Bearer {token}"}
    run = {"account": {"type": "organization", "id": str(place.organization.pk)}, "operation": "unit", "quantity": "1"}
    events = SignedEvents("invoice.paid")
    lock = threading.Lock()

    def consume(seconds: int) -> requests.Response:
        key = {"idempotency_key": uuid.uuid4().hex, "run_id": secrets.token_hex(8), "outcome": "succeeded"}
        url = f"{address}/api/v1/internal/credits:consume"
        return requests.post(url, json={**run, **key}, headers=bearer, timeout=seconds)

    def authorize(seconds: int) -> requests.Response:
        url = f"{address}/api/v1/internal/credits:authorize"
        return requests.post(url, json=run, headers=bearer, timeout=seconds)

    def webhook(seconds: int) -> requests.Response:
        with lock:
            body, headers = events.fresh()
        headers["Content-Type"] = "application/json"
        return requests.post(f"{address}/webhooks/stripe", data=body, headers=headers, timeout=seconds)

    def page(seconds: int) -> requests.Response:
        return requests.get(f"{address}/sign-in/", timeout=seconds)

    return [consume, authorize, webhook, page]


def besieged(port: int, place: Place, kinds: dict[str, bytes], *, good: int, patience: int) -> Report:
    """Hold so many sockets of each kind open, and ask what honest clients ask."""
    asks = good_requests(port, place, make_token(place.product))
    with Crowd(port, kinds, SOCKETS) as crowd, ThreadPoolExecutor(CLIENTS) as clients:
        crowd.wait_until_complete()
        with _probing(port, patience) as slowest_health:
            one = itertools.cycle(asks)
            answers = list(clients.map(lambda ask: _status(ask, patience), [next(one) for _ in range(good)]))
            report = Report(sum(map(_is_good, answers)), answers.count(None), slowest_health())
    assert set(answers) <= {200, 201, None}
    return report


def _status(ask: Ask, seconds: int) -> int | None:
    try:
        return ask(seconds).status_code
    except requests.RequestException:
        return None


def _is_good(status: int | None) -> bool:
    return status in {200, 201}


@contextmanager
def _probing(port: int, patience: int) -> Iterator[Callable[[], float]]:
    """Ask for the service's health all the while; how long the slowest answer took."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.probe", str(port), str(patience)],
        cwd=places.PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as probe:
        yield lambda: float(probe.communicate()[0])


@pytest.mark.prove(
    "silent and slow clients of eleven kinds: good requests answered, the probe within a second",
    size=GOOD_REQUESTS,
    control="without the front nobody is answered",
)
def test_everybody_else_is_answered(place: Place) -> None:
    with product(WEB_OPTIONS, "billing_site.rsgi:application") as port:
        report = besieged(port, place, kinds(make_token(place.product)), good=GOOD_REQUESTS, patience=60)
    assert (report.answered, report.unanswered) == (GOOD_REQUESTS, 0)
    if IS_FULL:
        assert report.slowest_health < HEALTH_SECONDS, report


@pytest.mark.parametrize("kind", ["a webhook of one byte", "a large file unread"])
def test_control_without_the_front_nobody_is(place: Place, kind: str) -> None:
    with product(PLAIN_OPTIONS, "billing_site.wsgi:application") as port:
        only = {kind: kinds(make_token(place.product))[kind]}
        report = besieged(port, place, only, good=CLIENTS, patience=3)
    assert report.unanswered > 0
    assert report.slowest_health >= HEALTH_SECONDS
