"""Finds payment providers by name. Each name of `Provider` is the name of a folder here, which declares `PROVIDER`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from apps.payments.contracts import ObjectKind, ObjectSnapshot
from apps.payments.providers.contract import PaymentProvider, ProviderReader
from apps.subscriptions.enums import Provider

_readers: dict[Provider, ProviderReader | None] = {}


def payment_provider(name: Provider) -> PaymentProvider:
    """The provider of that name."""
    provider: PaymentProvider = import_module(f"{__package__}.{name.value}").PROVIDER
    return provider


def provider_reader(name: Provider) -> ProviderReader | None:
    """The provider's API to read from; None while no key is configured."""
    return _readers[name] if name in _readers else payment_provider(name).connect()


def fetch_snapshot(name: Provider, kind: ObjectKind, external_id: str) -> ObjectSnapshot | None:
    """The object as the provider has it now; None when it knows none, or can't be asked."""
    reader = provider_reader(name)
    answer = reader.fetch_object(kind, external_id) if reader else None
    return payment_provider(name).parse_object(kind, answer) if answer is not None else None


@contextmanager
def read_from(name: Provider, reader: ProviderReader | None) -> Iterator[None]:
    """While the block runs, read from this one instead; None: as if no key were configured. For tests."""
    before = dict(_readers)
    _readers[name] = reader
    try:
        yield
    finally:
        _readers.clear()
        _readers.update(before)
