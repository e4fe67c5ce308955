"""A small Orb that remembers what it ingested: keys, amendments, deprecated events, refusals, limits and lost answers.

It runs as a server in a thread; what it keeps is plain data that a test may look at. As Orb's reference says, a key is
taken once, a request with a refused event is answered 400, and a deprecated event can't be sent again.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.http_server import QuietHandler, serve

Event = dict[str, Any]
_OK, _BAD, _MISSING, _TOO_LARGE, _TOO_MANY, _BROKEN = 200, 400, 404, 413, 429, 500
_MOST_EVENTS = 500


@dataclass
class OrbFake:
    """The state. `faults` are taken one a request: `drop` carries it out and says nothing, `500` and `429` do neither.

    `refuse` names why an event is refused; `takes_the_others`: whether the rest of such a request is taken.
    """

    events: dict[str, Event] = field(default_factory=dict)
    deprecated: set[str] = field(default_factory=set)
    # How often each key was taken as a new one.
    taken: dict[str, int] = field(default_factory=dict)
    requests: list[tuple[str, str, int]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    refuse: Callable[[Event], str] = field(default=lambda event: "")
    refuse_amendment: Callable[[str], str] = field(default=lambda key: "")
    takes_the_others: bool = False
    most_events: int = _MOST_EVENTS
    # The times of the backfills by their ids; which of them take no more events.
    backfills: dict[str, tuple[str, str]] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    # What occurred before then is taken within a backfill alone.
    takes_since: str = ""
    retry_after: int = 40
    base: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def billed(self) -> dict[str, Event]:
        """What counts, by its key."""
        return {key: event for key, event in self.events.items() if key not in self.deprecated}

    def answer(self, method: str, path: str, body: Any, query: str = "") -> tuple[int, Any]:
        """One request."""
        parts = [unquote(part) for part in path.strip("/").split("/")]
        with self.lock:
            self.requests.append((method, path, len(body.get("events", ()))))
            fault = self.faults.pop(0) if self.faults else ""
            if fault in {"500", "429"}:
                return int(fault), {"title": "not now"}
            status, reply = self._carried_out(method, parts, body, query)
            return (0, {}) if fault == "drop" else (status, reply)

    def _carried_out(self, method: str, parts: list[str], body: Any, query: str) -> tuple[int, Any]:
        if parts == ["ingest"]:
            backfill = parse_qs(query).get("backfill_id", [""])[0]
            return self._ingest(body["events"], backfill)
        if parts == ["events", "backfills"]:
            return (
                self._open(body)
                if method == "POST"
                else (_OK, {"data": [self._backfill(key) for key in self.backfills]})
            )
        if parts == ["events", "search"]:
            found = [self._row(key) for key in body["event_ids"] if key in self.events]
            return _OK, {"data": found}
        if method == "PUT" and parts[0] == "events" and parts[1] in self.events:
            return self._amend(parts, body)
        return _MISSING, {"title": "Event not found"}

    def _open(self, body: Any) -> tuple[int, Any]:
        assert body["replace_existing_events"] is False
        begin, end = body["timeframe_start"], body["timeframe_end"]
        if any(begin < last and first < end for key, (first, last) in self.backfills.items() if key not in self.closed):
            return _BAD, {"title": "Overlaps another backfill"}
        key = f"bf_{len(self.backfills)}"
        self.backfills[key] = (begin, end)
        return _OK, self._backfill(key)

    def _backfill(self, key: str) -> dict[str, Any]:
        begin, end = self.backfills[key]
        status = "reflected" if key in self.closed else "pending"
        times = {"timeframe_start": begin, "timeframe_end": end}
        return {"id": key, "status": status, "replace_existing_events": False, "customer_id": None, **times}

    def _ingest(self, events: list[Event], backfill: str) -> tuple[int, Any]:
        if backfill and (backfill not in self.backfills or backfill in self.closed):
            return _BAD, {"title": "This backfill takes no events"}
        if len(events) > self.most_events:
            return _TOO_LARGE, {"title": f"At most {self.most_events} events"}
        failed = [(event, said) for event in events if (said := self._refusal(event, backfill))]
        names = {event["idempotency_key"] for event, _ in failed}
        if not failed or self.takes_the_others:
            for event in events:
                self._take(event) if event["idempotency_key"] not in names else None
        rows = [{"idempotency_key": event["idempotency_key"], "validation_errors": [said]} for event, said in failed]
        return (_BAD if failed else _OK), {"validation_failed": rows}

    def _refusal(self, event: Event, backfill: str) -> str:
        if backfill:
            begin, end = self.backfills[backfill]
            if not begin <= event["timestamp"] < end:
                return "This event is outside of the backfill's time"
        elif event["timestamp"] < self.takes_since:
            return "This event is older than the grace period"
        if event["idempotency_key"] in self.deprecated:
            return "This event was deprecated"
        return self.refuse(event)

    def _take(self, event: Event) -> None:
        key = event["idempotency_key"]
        if key in self.events:
            return
        self.events[key] = {name: value for name, value in event.items() if name != "idempotency_key"}
        self.taken[key] = self.taken.get(key, 0) + 1

    def _amend(self, parts: list[str], body: Any) -> tuple[int, Any]:
        key = parts[1]
        said = self.refuse_amendment(key)
        if said:
            return _BAD, {"title": "Constraint violation", "detail": said}
        if parts[-1] == "deprecate":
            self.deprecated.add(key)
        else:
            known = self.events[key]
            assert (body["timestamp"], body["external_customer_id"]) == (
                known["timestamp"],
                known["external_customer_id"],
            )
            self.events[key] = body
        return _OK, {"amended": key}

    def _row(self, key: str) -> Event:
        return {"id": key, "deprecated": key in self.deprecated, **self.events[key]}


@contextmanager
def running(fake: OrbFake) -> Iterator[OrbFake]:
    """The fake as a server; `fake.base` is its address."""
    with serve(_handler(fake)) as port:
        fake.base = f"http://127.0.0.1:{port}/v1"
        yield fake


def _handler(fake: OrbFake) -> type[BaseHTTPRequestHandler]:
    class Handler(QuietHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            try:
                body = json.loads(self.rfile.read(length) or b"{}")
            except ValueError:
                self.close_connection = True  # killed in the middle of its request
                return
            address = urlsplit(self.path)
            status, reply = fake.answer(self.command, address.path.removeprefix("/v1"), body, address.query)
            if not status:
                self.close_connection = True
                return
            text = json.dumps(reply).encode()
            try:
                self.send_response(status)
                if status == _TOO_MANY:
                    self.send_header("Retry-After", str(fake.retry_after))
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
            except OSError:
                self.close_connection = True  # nobody waits for the answer any more

        do_GET = do_POST = do_PUT = _serve

    return Handler
