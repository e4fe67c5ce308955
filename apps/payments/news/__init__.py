"""Reads providers' events and objects: strict about what we use, blind to all else, so that they may add to it."""

from __future__ import annotations

from typing import Any

from apps.payments.contracts import EventNews
from apps.payments.news.orb import read_orb_event
from apps.payments.news.stripe import read_stripe_event
from apps.subscriptions.enums import Provider

_READERS = {Provider.STRIPE: read_stripe_event, Provider.ORB: read_orb_event}


def read_event(provider: Provider, body: dict[str, Any]) -> EventNews:
    """The event that the body is; raises `MalformedRequestError` naming the first field that can't be taken."""
    return _READERS[provider](body)
