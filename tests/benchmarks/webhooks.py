"""Our inbox as dj-stripe is measured: signed events through Django's test client, in one process.

Whole middleware and all, and a kind of event that we handle: it is stored and its hint goes to the broker.
"""

from __future__ import annotations

import http
from collections.abc import Callable

from django.conf import settings
from django.test import Client

from apps.payments.models import WebhookEvent
from tests.benchmarks.peers import Peer
from tests.benchmarks.signed_events import SECRET, SignedEvents
from tests.benchmarks.turns import rate

NEW, DUPLICATE = "webhook, new", "webhook, duplicate"
PEER_NEW, PEER_DUPLICATE = "dj-stripe webhook, new", "dj-stripe webhook, duplicate"
ROWS, PEER_ROWS = "rows of a duplicate", "rows of a duplicate of dj-stripe"


class Inbox:
    """POST /webhooks/stripe."""

    def __init__(self) -> None:
        settings.WEBHOOK_SECRETS = {**settings.WEBHOOK_SECRETS, "stripe": [SECRET]}
        self._client = Client(headers={"host": "localhost"})
        self._events = SignedEvents("invoice.paid")
        self._post(*self._events.known())

    def _post(self, body: bytes, headers: dict[str, str]) -> None:
        answer = self._client.post("/webhooks/stripe", body, content_type="application/json", headers=headers)
        if answer.status_code != http.HTTPStatus.OK:
            raise RuntimeError(f"The inbox answered {answer.status_code}: {answer.content.decode()}")

    def new(self, seconds: float) -> float:
        """Accepted a second."""
        return rate(lambda: self._post(*self._events.fresh()), seconds)

    def duplicate(self, seconds: float) -> float:
        """Duplicates answered a second."""
        return rate(lambda: self._post(*self._events.known()), seconds)


def sides(peer: Peer, add: Callable[[str, float], None]) -> dict[str, Callable[[float], float]]:
    """What is measured, by name; `add` takes how many rows a duplicate leaves, on either side."""
    inbox = Inbox()

    def counted(name: str, act: Callable[[float], float], count: Callable[[], int]) -> Callable[[float], float]:
        def measure(seconds: float) -> float:
            before = count()
            reached = act(seconds)
            add(name, round((count() - before) / max(1.0, reached * seconds), 1))
            return reached

        return measure

    return {
        NEW: inbox.new,
        DUPLICATE: counted(ROWS, inbox.duplicate, WebhookEvent.objects.count),
        PEER_NEW: lambda seconds: peer.rate("new", seconds),
        PEER_DUPLICATE: counted(PEER_ROWS, lambda seconds: peer.rate("duplicate", seconds), peer.rows),
    }
