"""Every test of payments has the providers' signing secrets, and no broker to wait for."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from tests.payments.cast import SECRETS


@pytest.fixture(autouse=True)
def webhook_secrets(settings: Settings) -> None:
    settings.WEBHOOK_SECRETS = SECRETS
