"""Tests that kill real processes."""

from __future__ import annotations
