"""Acme, a made-up payment provider: all that a third provider has to bring, in one folder."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from apps.core.moments import read_iso_moment
from apps.payments.contracts import ObjectKind, ObjectSnapshot, ProviderEvent
from apps.payments.enums import CustomerStatus, InvoiceStatus
from apps.payments.providers.contract import PaymentProvider, ProviderApi, SignedMessage
from apps.payments.providers.parsing import ExternalId, IsoTime, ProviderModel, uuid_in, validate
from apps.subscriptions.enums import Provider

NAME = Provider("acme")


class _Object(ProviderModel):
    kind: str
    id: ExternalId
    customer: ExternalId
    our_id: str | None = None
    cents: int = 0


class _Event(ProviderModel):
    id: ExternalId
    type: ExternalId
    at: IsoTime
    object: dict[str, Any]


class AcmeProvider(PaymentProvider):
    """Acme, behind the contract."""

    name = NAME
    key_setting = "ACME_KEY"

    def read_signature(self, headers: Mapping[str, str], body: bytes) -> SignedMessage:
        """`Acme-Signature: <time> <hex>` over `<time>.<body>`."""
        stamp, _, signature = headers.get("Acme-Signature", "").partition(" ")
        signed_at = read_iso_moment(stamp) if stamp else datetime.min.replace(tzinfo=UTC)
        return SignedMessage(signed_at, f"{stamp}.".encode() + body, [signature])

    def parse_event(self, body: dict[str, Any]) -> ProviderEvent:
        event = validate(_Event, body)
        snapshot = self._snapshot(event.object, failed_at=event.at if event.type == "invoice.failed" else None)
        return ProviderEvent(self.name, event.id, event.type, event.at, snapshot)

    def parse_object(self, kind: ObjectKind, body: dict[str, Any]) -> ObjectSnapshot:
        return self._snapshot(body)

    def connect(self) -> ProviderApi | None:
        return None

    def _snapshot(self, body: dict[str, Any], *, failed_at: datetime | None = None) -> ObjectSnapshot:
        found = validate(_Object, body, "object")
        kind = ObjectKind(found.kind)
        fields: dict[str, Any] = {"status": CustomerStatus.ACTIVE}
        if kind is ObjectKind.INVOICE:
            fields = {"status": InvoiceStatus.OPEN, "currency": "EUR", "total_minor": found.cents}
        return ObjectSnapshot(
            kind=kind,
            external_id=found.id,
            customer_id=found.customer,
            organization_id=uuid_in(found.our_id),
            fields=fields,
            firsts={"failed_at": failed_at} if failed_at else {},
        )


PROVIDER = AcmeProvider()
