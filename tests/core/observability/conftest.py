"""The fixtures of these tests."""

from __future__ import annotations

from tests.connectors.web import web

__all__ = ["web"]
