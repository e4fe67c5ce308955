"""Tests of apps.core.observability."""

from __future__ import annotations
