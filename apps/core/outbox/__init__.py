"""The outbox: calls to the outside, written with their cause, made by workers (spec 04, Outbox).

Write with `outbox_enqueue`; carry out with `outbox_drain`; add a kind with a handler (`@outbox_handler`) in the app's
`outbox_handlers.py`.
"""

from __future__ import annotations

from apps.core.outbox.handlers import (
    Delivery,
    OutboxError,
    OutboxHandler,
    OutboxWait,
    kinds,
    outbox_handler,
    waiting_kinds,
    waiting_reason,
)
from apps.core.outbox.services import outbox_alarming, outbox_dismiss, outbox_enqueue, outbox_retry, outbox_wake
from apps.core.outbox.worker import outbox_drain

__all__ = [
    "Delivery",
    "OutboxError",
    "OutboxHandler",
    "OutboxWait",
    "kinds",
    "outbox_alarming",
    "outbox_dismiss",
    "outbox_drain",
    "outbox_enqueue",
    "outbox_handler",
    "outbox_retry",
    "outbox_wake",
    "waiting_kinds",
    "waiting_reason",
]
