"""Our own Orb account: customers by our organization's id, and objects as they are (spec 04)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.conf import settings

from apps.core.audit.secrecy import redact_text
from apps.core.canonical import moment_text
from apps.core.moments import read_iso_moment
from apps.core.outgoing import Answer, Call
from apps.payments.contracts import ObjectKind
from apps.payments.providers.contract import LONGEST_CALL_SECONDS, EventPage, ProviderCallError, call_provider

API_BASE = "https://api.withorb.com/v1"
_NOT_FOUND, _BAD_REQUEST = 404, 400
_LONGEST_SENTENCE = 500
_ALREADY_THERE = frozenset({400, 409})
_PATHS = {
    ObjectKind.CUSTOMER: "customers",
    ObjectKind.SUBSCRIPTION: "subscriptions",
    ObjectKind.INVOICE: "invoices",
}


class RefusedBatchError(ProviderCallError):
    """Orb refused a request of events whole, such as one that is too large."""


class OrbApi:
    """Orb with one API key. Each method raises `ProviderCallError` and nothing else."""

    def __init__(self, api_key: str, base: str = "") -> None:
        self._key = api_key
        self._base = (base or API_BASE).rstrip("/")

    def create_customer(self, *, key: str, organization_id: UUID, name: str, email: str) -> str:
        """Make the organization's customer; answers its id. Orb keeps external ids unique: there can't be a second."""
        body = {"external_customer_id": str(organization_id), "name": name, "email": email}
        answer = self._call("customers", key=key, body=body)
        if answer.status in _ALREADY_THERE:
            known = self.find_customer(organization_id)
            if known is not None:
                return known
        return str(_object_in(answer)["id"])

    def update_customer(self, *, key: str, customer_id: str, email: str) -> None:
        """Set the customer's address."""
        path = f"customers/{quote(customer_id, safe='')}"
        _object_in(self._call(path, key=key, method="PUT", body={"email": email}))

    def find_customer(self, organization_id: UUID) -> str | None:
        """The customer whose external id is the organization's; None when there is none."""
        answer = self._call(f"customers/external_customer_id/{organization_id}")
        return None if answer.status == _NOT_FOUND else str(_object_in(answer)["id"])

    def fetch_object(self, kind: ObjectKind, external_id: str) -> dict[str, Any] | None:
        """The object as Orb has it; None when it knows none, or can't be asked for that kind."""
        if kind not in _PATHS:
            return None
        answer = self._call(f"{_PATHS[kind]}/{quote(external_id, safe='')}")
        return None if answer.status == _NOT_FOUND else _object_in(answer)

    def list_events(self, since: datetime, *, until: datetime, after: str = "") -> EventPage:
        """Nothing: Orb has no list of the webhooks that it sent."""
        return EventPage()

    def open_backfill(self, *, key: str, since: datetime, until: datetime) -> str:
        """Let events of this time in, however old they are, beside what Orb has; answers the backfill's id.

        At most 31 days. Orb takes events for it for a day, and shows them when that day is over. It keeps no two open
        backfills whose times overlap, so that one that is open for the very same time is taken.
        """
        times = {"timeframe_start": moment_text(since), "timeframe_end": moment_text(until)}
        answer = self._call("events/backfills", key=key, body={**times, "replace_existing_events": False})
        if answer.status in _ALREADY_THERE:
            rows = _json_of(self._call("events/backfills")).get("data")
            for row in rows if isinstance(rows, list) else ():
                if _is_open_for(row, since, until):
                    return str(row["id"])
            raise ProviderCallError(f"Orb answered {answer.status}: {_sentence(answer)}", is_permanent=True)
        return str(_object_in(answer)["id"])

    def ingest(self, events: Sequence[Mapping[str, Any]], *, backfill: str = "") -> dict[str, str]:
        """Send events, each with its key; answers what Orb refused: the event's key, and why.

        An event whose key Orb knows is passed over there. Orb takes nothing of a request in which one event is wrong,
        or all but that one: whatever is not refused has to be sent again after a refusal. Raises `RefusedBatchError`
        where the whole request was refused, and no event is named.
        """
        path = f"ingest?backfill_id={quote(backfill, safe='')}" if backfill else "ingest"
        answer = self._call(path, body={"events": list(events)})
        refused = _refused_events(answer)
        if answer.status >= _BAD_REQUEST and not refused:
            raise RefusedBatchError(f"Orb answered {answer.status}: {_sentence(answer)}", is_permanent=True)
        return refused

    def amend(self, key: str, event: Mapping[str, Any]) -> bool:
        """Put the event in the place of the one with this key; False where Orb knows none."""
        return self._amended(self._call(f"events/{quote(key, safe='')}", method="PUT", body=dict(event)))

    def deprecate(self, key: str) -> bool:
        """Take the event out of what is billed; False where Orb knows none."""
        return self._amended(self._call(f"events/{quote(key, safe='')}/deprecate", method="PUT", body={}))

    def _amended(self, answer: Answer) -> bool:
        if answer.status == _NOT_FOUND:
            return False
        if answer.status >= _BAD_REQUEST:
            raise ProviderCallError(f"Orb answered {answer.status}: {_sentence(answer)}", is_permanent=True)
        return True

    def find_events(self, keys: Sequence[str], *, since: datetime, until: datetime) -> dict[str, dict[str, Any]]:
        """The events that Orb has of these keys, at most 500, within a time that their timestamps lie in."""
        body = {
            "event_ids": list(keys),
            "timeframe_start": moment_text(since),
            "timeframe_end": moment_text(until),
        }
        answer = self._call("events/search", body=body)
        if answer.status >= _BAD_REQUEST:
            raise ProviderCallError(f"Orb answered {answer.status}: {_sentence(answer)}", is_permanent=True)
        rows = _json_of(answer).get("data")
        if not isinstance(rows, list):
            raise ProviderCallError("Orb answered with something that is no list of events.", is_unknown=True)
        return {str(row["id"]): row for row in rows if isinstance(row, dict) and "id" in row}

    def _call(self, path: str, *, key: str = "", method: str = "", body: dict[str, Any] | None = None) -> Answer:
        call = Call(
            f"{self._base}/{path}",
            method=method,
            headers={"Idempotency-Key": key} if key else {},
            secret_headers={"Authorization": f"Bearer {self._key}"},
            json=body,
            is_guarded=False,  # the address is the operator's
            seconds=LONGEST_CALL_SECONDS,
        )
        return call_provider("Orb", call)


def orb_api() -> OrbApi | None:
    """Orb with the key of the settings; None while there is none."""
    key = settings.ORB_API_KEY
    return OrbApi(key, settings.ORB_API_BASE) if key else None


def _json_of(answer: Answer) -> dict[str, Any]:
    """The answer's object; empty where it holds none."""
    try:
        found = json.loads(answer.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _sentence(answer: Answer) -> str:
    """What Orb says of it, short, for staff."""
    body = _json_of(answer)
    said = body.get("detail") or body.get("title") or "no reason"
    return redact_text(str(said))[:_LONGEST_SENTENCE]


def _is_open_for(row: object, since: datetime, until: datetime) -> bool:
    if not isinstance(row, dict) or row.get("status") != "pending" or row.get("replace_existing_events"):
        return False
    if row.get("customer_id") or "id" not in row:
        return False
    try:
        times = (read_iso_moment(str(row["timeframe_start"])), read_iso_moment(str(row["timeframe_end"])))
    except (KeyError, ValueError):
        return False
    return times == (since, until)


def _refused_events(answer: Answer) -> dict[str, str]:
    rows = _json_of(answer).get("validation_failed")
    refused = {}
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and isinstance(row.get("idempotency_key"), str):
            reasons = row.get("validation_errors")
            said = "; ".join(str(reason) for reason in reasons) if isinstance(reasons, list) else ""
            refused[row["idempotency_key"]] = redact_text(said or "no reason")[:_LONGEST_SENTENCE]
    return refused


def _object_in(answer: Answer) -> dict[str, Any]:
    if answer.status >= _BAD_REQUEST:
        raise ProviderCallError(f"Orb answered {answer.status}.", is_permanent=True)
    try:
        found = json.loads(answer.body)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("id"), str):
        raise ProviderCallError("Orb answered with something that is no object of its own.", is_unknown=True)
    return found
