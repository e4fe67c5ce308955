"""Sample data: computed, labelled, the same for ever (spec 02, Demo tenants)."""

from __future__ import annotations

import socket

import pytest

from apps.connectors.contracts import Month, Secret
from apps.connectors.enums import CredentialKind
from apps.connectors.providers.demo import DemoProvider
from apps.connectors.providers.registry import open_provider
from tests.connectors.providers.stand_in import KEY, MONTH, StandIn

STAND_IN = StandIn(provider="demo", external_ids=tuple(f"demo-{MONTH}-{day:02d}" for day in range(1, 28)))


def test_every_record_says_that_it_is_sample_data() -> None:
    for number in range(1, 13):
        page = DemoProvider(None, {}).fetch_month(Month(2026, number))
        assert all(record.description.startswith("Sample data") for record in page.records)
        assert all(record.occurred_at.month == number for record in page.records)


@pytest.mark.parametrize("name", ["stripe", "orb", "usage_feed"])
def test_in_a_demo_every_provider_is_this_one_and_nothing_leaves(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("A socket was opened.")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    provider = open_provider(name, Secret(CredentialKind.API_KEY, KEY), {}, is_demo=True)
    assert isinstance(provider, DemoProvider)
    assert provider.check().reached
    assert provider.fetch_month(MONTH).records
