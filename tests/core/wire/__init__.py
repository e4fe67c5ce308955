"""Tests of apps.core.wire."""

from __future__ import annotations
