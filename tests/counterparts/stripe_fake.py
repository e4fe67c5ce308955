"""A small Stripe that remembers: about ten endpoints, idempotency keys, faults on order, signed webhooks with retries.

Its objects begin as Stripe's published ones (`stripe_resources.json`), so that they have the current shapes. It runs as
a server in a thread; what it keeps is plain data that a test may look at.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
import itertools
import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.http_server import QuietHandler, serve

RESOURCES: dict[str, Any] = json.loads((Path(__file__).parent / "stripe_resources.json").read_text("utf-8"))[
    "resources"
]
# After how many seconds Stripe tries again, roughly.
RETRY_SCHEDULE = (0, 60, 300, 1_800, 7_200, 18_000, 36_000)
_PREFIXES = {
    "customer": "cus",
    "checkout.session": "cs",
    "billing_portal.session": "bps",
    "invoice": "in",
    "subscription": "sub",
    "event": "evt",
    "price": "price",
}
_OK, _BAD, _MISSING, _CONFLICT, _BROKEN = 200, 400, 404, 409, 500
_LISTED = frozenset({"customers", "subscriptions", "invoices", "payment_methods", "charges", "disputes"})
Reply = tuple[int, dict[str, Any]]
Send = Callable[[bytes, dict[str, str]], int]


@dataclass
class Delivery:
    """One event on its way. `tries` counts; it is over when it was answered with 2xx or the schedule is exhausted."""

    event: dict[str, Any]
    tries: int = 0
    is_done: bool = False

    @property
    def is_open(self) -> bool:
        return not self.is_done and self.tries < len(RETRY_SCHEDULE)


@dataclass
class StripeFake:
    """The state. `faults` are taken one a write: `drop` carries it out and says nothing, `500` does neither."""

    secret: str = "whsec_of_the_fake"
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    is_search_stale: bool = False
    now: int = 1_790_000_000
    base: str = ""
    _answers: dict[str, tuple[str, Reply]] = field(default_factory=dict)
    _in_flight: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    # --- Objects and events ------------------------------------------------------------------------------------------
    def make(self, kind: str, **values: Any) -> dict[str, Any]:
        """A new object in the current shape."""
        thing: dict[str, Any] = copy.deepcopy(RESOURCES[kind])
        thing |= {
            "id": f"{_PREFIXES[kind]}_{next(self._numbers):08}",
            **({"created": self.now} if "created" in thing else {}),
        }
        thing |= values
        self.objects[thing["id"]] = thing
        return thing

    def emit(self, kind: str, thing: Mapping[str, Any]) -> dict[str, Any]:
        """An event about the object as it is now, to be delivered."""
        event: dict[str, Any] = copy.deepcopy(RESOURCES["event"])
        event |= {
            "id": f"evt_{next(self._numbers):08}",
            "type": kind,
            "created": self.now,
            "data": {"object": copy.deepcopy(dict(thing))},
        }
        self.events.append(event)
        self.deliveries.append(Delivery(event))
        return event

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """Every object of a kind, oldest first."""
        return [thing for thing in self.objects.values() if thing["object"] == kind]

    # --- Webhooks ------------------------------------------------------------------------------------------
    def deliver(self, send: Send, *, chance: random.Random, loss: float = 0.0, twice: float = 0.0) -> None:
        """Deliver what is open, shuffled; some get lost, some come twice, and each is tried as often as scheduled."""
        while waiting := [delivery for delivery in self.deliveries if delivery.is_open]:
            chance.shuffle(waiting)
            for delivery in waiting:
                delivery.tries += 1
                if chance.random() < loss:
                    continue
                body, headers = self.signed(delivery.event)
                delivery.is_done = _OK <= send(body, headers) < 300
                if chance.random() < twice:
                    send(body, headers)

    def signed(self, event: Mapping[str, Any], *, at: int | None = None) -> tuple[bytes, dict[str, str]]:
        """The body and the header with which the event is sent."""
        body = json.dumps(event).encode()
        stamp = int(time.time()) if at is None else at
        digest = hmac.new(self.secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        return body, {"Stripe-Signature": f"t={stamp},v1={digest}"}

    # --- Requests -----------------------------------------------------------------------------------------------------
    def write(self, path: str, key: str, body: str) -> Reply:
        """A POST under the idempotency store: the same key is the same answer, another body with it is refused."""
        with self._lock:
            if key in self._in_flight:
                return _CONFLICT, _error("idempotency_error", "in progress")
            known = self._answers.get(key)
            if known is not None:
                same = known[0] == path + body
                return known[1] if same else (_BAD, _error("idempotency_error", "Keys can only be used once"))
            self._in_flight.add(key)
        try:
            fault = self.faults.pop(0) if self.faults else ""
            if fault == "500":
                return _BROKEN, _error("api_error", "broken")
            reply = self._create(path, _tree(body))
            if key:
                self._answers[key] = (path + body, reply)
            return (0, {}) if fault == "drop" else reply
        finally:
            self._in_flight.discard(key)

    def read(self, path: str, query: dict[str, str]) -> Reply:
        """A GET."""
        parts = path.strip("/").split("/")[1:]
        if parts == ["customers", "search"]:
            return _OK, _list([] if self.is_search_stale else self._found(query["query"]))
        if parts == ["prices"]:
            return _OK, _list([one for one in self.of_kind("price") if one["lookup_key"] == query["lookup_keys[0]"]])
        if parts == ["checkout", "sessions"]:
            wanted = {name: query[name] for name in ("customer", "status") if name in query}
            found = self.of_kind("checkout.session")
            return _OK, _list([one for one in found if all(one.get(name) == wanted[name] for name in wanted)])
        if parts == ["events"]:
            return self._event_page(query)
        if parts[0] in _LISTED and parts[-1] in self.objects:
            return _OK, self.objects[parts[-1]]
        return _MISSING, _error("invalid_request_error", "No such object")

    def _create(self, path: str, body: dict[str, Any]) -> Reply:
        if path == "/v1/customers":
            return _OK, self.make("customer", **body)
        if path == "/v1/checkout/sessions":
            url = "https://checkout.stripe.com/c/pay/session"
            return _OK, self.make("checkout.session", **{**body, "url": url, "status": "open"})
        if path == "/v1/billing_portal/sessions":
            return _OK, self.make("billing_portal.session", **body, url="https://billing.stripe.com/p/session")
        return self._change(path, body)

    def _change(self, path: str, body: dict[str, Any]) -> Reply:
        thing = self.objects.get(path.removesuffix("/expire").rpartition("/")[2])
        if thing is None:
            return _MISSING, _error("invalid_request_error", "Unrecognized request URL")
        if path.endswith("/expire"):
            if thing["status"] != "open":
                return _BAD, _error(
                    "invalid_request_error", "Only Checkout Sessions with a status in open can be expired"
                )
            body = {"status": "expired"}
        thing.update(body)
        return _OK, thing

    def _found(self, query: str) -> list[dict[str, Any]]:
        name, _, wanted = query.partition("']:'")
        key = name.partition("['")[2]
        return [one for one in self.of_kind("customer") if one["metadata"].get(key) == wanted.rstrip("'")]

    def _event_page(self, query: dict[str, str]) -> Reply:
        since, limit = int(query.get("created[gte]", 0)), int(query.get("limit", 10))
        until = int(query.get("created[lte]", 2**62))
        newest = [event for event in reversed(self.events) if since <= event["created"] <= until]
        after = query.get("starting_after")
        names = [event["id"] for event in newest]
        if after and after not in {event["id"] for event in self.events}:
            return _BAD, _error("invalid_request_error", f"No such event: '{after}'")
        if after:
            newest = newest[names.index(after) + 1 :]
        return _OK, {**_list(newest[:limit]), "has_more": len(newest) > limit}


def _handler(fake: StripeFake) -> type[BaseHTTPRequestHandler]:
    class Handler(QuietHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            fake.requests.append(("GET", parts.path, ""))
            self._answer(*fake.read(parts.path, dict(parse_qsl(parts.query))))

        def do_POST(self) -> None:
            key = self.headers.get("Idempotency-Key", "")
            fake.requests.append(("POST", self.path, key))
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            self._answer(*fake.write(self.path, key, body))

        def _answer(self, status: int, reply: dict[str, Any]) -> None:
            self.close_connection = True
            if not status:
                return
            body = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

    return Handler


@contextmanager
def running(fake: StripeFake) -> Iterator[StripeFake]:
    """The fake as a server on a free port; `fake.base` is its address."""
    with serve(_handler(fake)) as port:
        fake.base = f"http://127.0.0.1:{port}"
        yield fake


def _list(things: list[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "url": "/v1", "has_more": False, "data": things}


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"type": kind, "message": message}}


def _tree(body: str) -> dict[str, Any]:
    """Stripe's form bodies: `a[b]=1` is a within b."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(body, keep_blank_values=True):
        first, *rest = name.replace("]", "").split("[")
        branch = tree
        for part in rest:
            branch = branch.setdefault(first, {})
            first = part
        branch[first] = value
    return tree
