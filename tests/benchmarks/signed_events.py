"""Events as Stripe sends them, about a published invoice, signed. For either side of a ratio; needs only Python."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import time
from pathlib import Path

SECRET = "whsec_of_the_bench"
_PUBLISHED = Path(__file__).resolve().parent.parent / "counterparts" / "stripe_resources.json"


class SignedEvents:
    """Bodies and headers; each body is another event, or the same one over and over."""

    def __init__(self, kind: str) -> None:
        resources = json.loads(_PUBLISHED.read_text(encoding="utf-8"))["resources"]
        event = {**resources["event"], "type": kind, "api_version": "2025-09-30.clover"}
        event |= {"id": "evt_number", "created": int(time.time()), "data": {"object": resources["invoice"]}}
        self._whole = json.dumps(event)
        self._numbers = itertools.count(1)

    def fresh(self) -> tuple[bytes, dict[str, str]]:
        """One that nobody has seen."""
        return self._signed(f"evt_{next(self._numbers):012}")

    def known(self) -> tuple[bytes, dict[str, str]]:
        """The same as ever, signed anew as Stripe does."""
        return self._signed("evt_000000000000")

    def _signed(self, name: str) -> tuple[bytes, dict[str, str]]:
        body = self._whole.replace("evt_number", name).encode()
        stamp = int(time.time())
        digest = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        return body, {"Stripe-Signature": f"t={stamp},v1={digest}"}
