"""Fixtures of the connectors' tests."""

from __future__ import annotations

from tests.connectors.web import web as web  # noqa: PLC0414 - a fixture for every folder below
