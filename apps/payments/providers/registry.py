"""Finds a payment provider by name: its parsers, and its API where a key is configured (spec 04)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol

from apps.payments.contracts import EventNews, ObjectKind, ObjectNews
from apps.payments.providers.orb.events import read_orb_event, read_orb_object
from apps.payments.providers.stripe.events import read_stripe_event, read_stripe_object
from apps.subscriptions.enums import Provider


class ProviderApi(Protocol):
    """What we ask of a provider. Both raise what their client raises; nobody calls them inside a transaction."""

    def object_now(self, kind: ObjectKind, external_id: str) -> dict[str, Any] | None:
        """The object as the provider's API answers it; None when it knows none."""
        ...

    def events_since(self, moment: datetime) -> Iterable[dict[str, Any]]:
        """Every event since then that the provider still knows, in the form of its webhooks."""
        ...


_OBJECT_READERS = {Provider.STRIPE: read_stripe_object, Provider.ORB: read_orb_object}
_apis: dict[Provider, Callable[[], ProviderApi | None]] = {}


def register_api(provider: Provider, api: Callable[[], ProviderApi | None]) -> None:
    """Say how to get at the provider; the callable answers None while no key is configured."""
    _apis[provider] = api


def api_of(provider: Provider) -> ProviderApi | None:
    """The provider to ask; None while no key is configured."""
    found = _apis.get(provider)
    return found() if found else None


def ask(provider: Provider, kind: ObjectKind, external_id: str) -> ObjectNews | None:
    """The object as it is now; None when the provider knows none, or can't be asked."""
    api = api_of(provider)
    answer = api.object_now(kind, external_id) if api else None
    return _OBJECT_READERS[provider](kind, answer) if answer is not None else None


@contextmanager
def answered_by(provider: Provider, api: ProviderApi | None) -> Iterator[None]:
    """While the block runs, ask this one instead; None: as if no key were configured."""
    before = _apis.get(provider)
    _apis[provider] = lambda: api
    try:
        yield
    finally:
        if before is None:
            del _apis[provider]
        else:
            _apis[provider] = before


_EVENT_READERS = {Provider.STRIPE: read_stripe_event, Provider.ORB: read_orb_event}


def read_event(provider: Provider, body: dict[str, Any]) -> EventNews:
    """The event that the body is; raises `MalformedRequestError` naming the first field that can't be taken."""
    return _EVENT_READERS[provider](body)
