"""Fixtures of the connectors' tests."""

from __future__ import annotations

from tests.connectors.google_cast import configured as configured  # noqa: PLC0414
from tests.connectors.google_cast import google as google  # noqa: PLC0414
from tests.connectors.web import web as web  # noqa: PLC0414 - a fixture for every folder below
