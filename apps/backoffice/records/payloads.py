"""What providers sent, as staff see it: in its own order, without secrets and personal data."""

from __future__ import annotations

import json
from typing import Any

from apps.core.audit.secrecy import names_secret, redact_text
from apps.core.texts import UNSTORABLE
from apps.payments.models import WebhookEvent
from apps.payments.providers.parsing import UnreadableError, read_stored
from apps.payments.selectors.inbox import has_lost_body

# Persons, and addresses that open without a sign-in: nobody needs them to see why an event failed.
_PRIVATE = frozenset(
    {
        "email", "phone", "address", "shipping", "name", "description", "customer_email", "customer_name",
        "customer_phone", "customer_address", "customer_shipping", "customer_details", "billing_details",
        "hosted_invoice_url", "invoice_pdf", "receipt_url", "receipt_email", "url", "client_secret",
    }
)  # fmt: skip
_HIDDEN = "(hidden)"


def redact_payload(value: Any, name: str = "") -> Any:
    """Hide secrets and personal data in the payload, at any depth."""
    if value not in (None, "") and name and (name in _PRIVATE or names_secret(name)):
        return _HIDDEN
    if isinstance(value, dict):
        return {key: redact_payload(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [redact_payload(inner) for inner in value]
    return redact_text(value) if isinstance(value, str) else value


def shown_body(event: WebhookEvent) -> str:
    """The body in the provider's own order, without what nobody needs to see."""
    if has_lost_body(event):
        return "What old events said is not kept."
    try:
        body = event.payload if event.body is None else read_stored(bytes(event.body))
    except UnreadableError:
        return "It is nested too deep to be shown."
    shown = json.dumps(redact_payload(body), indent=2, ensure_ascii=False, default=str)
    return UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", shown)
