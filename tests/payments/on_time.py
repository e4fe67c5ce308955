"""Deliveries at the time of their events: what is late by months gives owners three days from now (spec 04)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import time_machine

from tests.payments.cast import deliver as deliver_now


def deliver(*events: Mapping[str, Any], provider: str = "stripe") -> None:
    """Deliver the events when the last of them happens, and work through the inbox."""
    with time_machine.travel(max(_moment_of(event) for event in events), tick=False):
        deliver_now(*events, provider=provider)


def _moment_of(event: Mapping[str, Any]) -> datetime:
    if "created" in event:
        return datetime.fromtimestamp(event["created"], tz=UTC)
    found = datetime.fromisoformat(event["created_at"])
    return found if found.tzinfo else found.replace(tzinfo=UTC)
