"""Our own Orb account: customers by our organization's id, and objects as they are (spec 04)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.conf import settings

from apps.core.outgoing import Answer, Call
from apps.payments.contracts import ObjectKind
from apps.payments.providers.contract import LONGEST_CALL_SECONDS, ProviderCallError, call_provider

API_BASE = "https://api.withorb.com/v1"
_NOT_FOUND, _BAD_REQUEST = 404, 400
_ALREADY_THERE = frozenset({400, 409})
_PATHS = {
    ObjectKind.CUSTOMER: "customers",
    ObjectKind.SUBSCRIPTION: "subscriptions",
    ObjectKind.INVOICE: "invoices",
}


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

    def list_events(self, since: datetime) -> Iterator[dict[str, Any]]:
        """Nothing: Orb has no list of the webhooks that it sent."""
        return iter(())

    def _call(self, path: str, *, key: str = "", body: dict[str, Any] | None = None) -> Answer:
        call = Call(
            f"{self._base}/{path}",
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
