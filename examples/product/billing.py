"""The calls to Countinghouse, with the standard library alone."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

Body = dict[str, Any]
_TRIES = 3
_SECONDS = 10
# The server can't answer now, or asks for a slower pace.
_WORTH_REPEATING = {429, 500, 502, 503, 504}


class UnreachableError(Exception):
    """Countinghouse gave no answer, however often it was asked."""


@dataclass
class Countinghouse:
    """The internal API at an address, as one product sees it.

    `unsent` are reports that still have to be sent, in their order. A real product keeps them in its database, written
    in the transaction that makes the news, so that none is lost when the process ends.
    """

    base_url: str
    token: str = field(repr=False)
    unsent: list[tuple[str, str, Body | None]] = field(default_factory=list)

    def call(self, method: str, path: str, body: Body | None = None) -> tuple[int, Body]:
        """The status and the body; a refusal is an answer too. Raises `UnreachableError`.

        Every call can be repeated as it stands: an upsert says what is, and a charge has its idempotency key.
        """
        for tries_left in reversed(range(_TRIES)):
            try:
                status, pause, answer = self._send(method, path, body)
            except OSError as error:
                if not tries_left:
                    raise UnreachableError(str(error)) from error
                pause = 0.2
            else:
                if status not in _WORTH_REPEATING and answer.get("code") != "idempotency_key_in_flight":
                    return status, answer
            if tries_left:
                time.sleep(pause)
        raise UnreachableError(f"{method} {path}")

    def report(self, method: str, path: str, body: Body | None = None) -> list[int]:
        """Send this after all that is unsent; the statuses of what was sent now. What can't be sent waits.

        A refusal (4xx) is not sent again: it would be refused again. Its problem says what to mend.
        """
        self.unsent.append((method, path, body))
        statuses: list[int] = []
        while self.unsent:
            try:
                status, answer = self.call(*self.unsent[0])
            except UnreachableError:
                break
            if status >= HTTPStatus.BAD_REQUEST:
                print(f"refused: {self.unsent[0][1]}: {answer.get('detail')}", flush=True)
            statuses.append(status)
            del self.unsent[0]
        return statuses

    def _send(self, method: str, path: str, body: Body | None) -> tuple[int, float, Body]:
        """Status, seconds to wait where it is worth repeating, and the body."""
        asked = urllib.request.Request(  # noqa: S310 - the address is our own setting
            f"{self.base_url}/api/v1/internal/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(asked, timeout=_SECONDS) as answer:  # noqa: S310
                text = answer.read()
                return answer.status, 0, json.loads(text) if text else {}
        except urllib.error.HTTPError as refusal:
            with refusal:
                is_problem = refusal.headers.get_content_type() == "application/problem+json"
                problem = json.loads(refusal.read()) if is_problem else {}
                return refusal.code, min(5, int(refusal.headers.get("Retry-After", "1"))), problem
