"""The world of reconciliation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from tests.factories.tenants import make_organization, make_product
from tests.tenants.reconciliation.cast import World
from tests.tenants.reconciliation.exports import Export, connect, served


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    settings.OUTBOUND_ALLOWLIST = ["127.0.0.1"]
    acme = make_organization("Acme")
    red = make_product("red", acme)
    with served(Export()) as export:
        connect(red, export)
        yield World(red, acme, export)
