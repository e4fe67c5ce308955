"""Orb (spec 04): its signature, and where the rest of the contract is: `events`, `api`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.core.moments import MomentError, read_iso_moment
from apps.payments.contracts import ObjectKind, ObjectSnapshot, ProviderEvent
from apps.payments.providers.contract import BadSignatureError, PaymentProvider, SignedMessage
from apps.payments.providers.orb.api import OrbApi, orb_api
from apps.payments.providers.orb.events import ORB_TYPES, parse_event, parse_object, read_time
from apps.subscriptions.enums import Provider


class OrbProvider(PaymentProvider):
    """Orb, behind the contract."""

    name = Provider.ORB
    key_setting = "ORB_API_KEY"

    def read_signature(self, headers: Mapping[str, str], body: bytes) -> SignedMessage:
        """`X-Orb-Signature: v1=<hex>[,v1=<hex>]` over `v1:<X-Orb-Timestamp>:<body>`."""
        stamp = headers.get("X-Orb-Timestamp", "")
        try:
            signed_at = read_iso_moment(stamp)  # Orb's times are UTC and do not always say so
        except MomentError as error:
            raise BadSignatureError("The header X-Orb-Timestamp is missing or no time.") from error
        parts = [part.strip().partition("=") for part in re.split(r"[,\s]+", headers.get("X-Orb-Signature", ""))]
        signatures = [value for name, _, value in parts if name == "v1"]
        return SignedMessage(signed_at, f"v1:{stamp}:".encode() + body, signatures)

    def hears(self, event_type: str) -> bool:
        return event_type in ORB_TYPES

    def read_time(self, body: dict[str, Any]) -> datetime | None:
        return read_time(body)

    def parse_event(self, body: dict[str, Any]) -> ProviderEvent:
        return parse_event(body)

    def parse_object(self, kind: ObjectKind, body: dict[str, Any]) -> ObjectSnapshot:
        return parse_object(kind, body)

    def connect(self) -> OrbApi | None:
        return orb_api()


PROVIDER = OrbProvider()
