"""Stripe (spec 04): its signature, and where the rest of the contract is: `events`, `customers`, `api`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings

from apps.core.moments import MomentError, read_seconds
from apps.payments.contracts import ObjectKind, ObjectSnapshot, ProviderEvent
from apps.payments.providers.contract import BadSignatureError, PaymentProvider, SignedMessage
from apps.payments.providers.stripe.api import StripeApi, stripe_api
from apps.payments.providers.stripe.events import STRIPE_TYPES, parse_event, parse_object, read_time
from apps.subscriptions.enums import Provider

_SECONDS = re.compile(r"[0-9]{1,11}", re.ASCII)


class StripeProvider(PaymentProvider):
    """Stripe, behind the contract."""

    name = Provider.STRIPE
    key_setting = "STRIPE_SECRET_KEY"

    def read_signature(self, headers: Mapping[str, str], body: bytes) -> SignedMessage:
        """`Stripe-Signature: t=<seconds>,v1=<hex>[,v1=<hex>]` over `<t>.<body>`."""
        parts = [part.strip().partition("=") for part in headers.get("Stripe-Signature", "").split(",")]
        times = [value for name, _, value in parts if name == "t"]
        if len(times) != 1 or not _SECONDS.fullmatch(times[0]):
            raise BadSignatureError("The header Stripe-Signature is missing, or has no time.")
        try:
            signed_at = read_seconds(int(times[0]))
        except MomentError as error:
            raise BadSignatureError("The time in the header Stripe-Signature lies beyond all bounds.") from error
        signatures = [value for name, _, value in parts if name == "v1"]
        return SignedMessage(signed_at, times[0].encode() + b"." + body, signatures)

    def hears(self, event_type: str) -> bool:
        return event_type in STRIPE_TYPES

    def read_time(self, body: dict[str, Any]) -> datetime | None:
        return read_time(body)

    def parse_event(self, body: dict[str, Any]) -> ProviderEvent:
        return parse_event(body, is_live=_is_live())

    def parse_object(self, kind: ObjectKind, body: dict[str, Any]) -> ObjectSnapshot:
        return parse_object(kind, body)

    def connect(self) -> StripeApi | None:
        return stripe_api()


def _is_live() -> bool:
    """Whether real money is at stake: by the key; without one, by where we run."""
    key = settings.STRIPE_SECRET_KEY
    return key.startswith(("sk_live_", "rk_live_")) if key else bool(settings.IS_PRODUCTION)


PROVIDER = StripeProvider()
