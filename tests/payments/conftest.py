"""Every test of payments has the providers' signing secrets, and no broker to wait for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.counterparts.orb_fake import OrbFake, running
from tests.payments.cast import SECRETS


@pytest.fixture(autouse=True)
def webhook_secrets(settings: Settings) -> None:
    settings.WEBHOOK_SECRETS = SECRETS


@pytest.fixture
def orb(settings: Settings) -> Iterator[OrbFake]:
    with running(OrbFake()) as fake:
        settings.ORB_API_KEY, settings.ORB_API_BASE = "orb_key", fake.base
        yield fake
