"""Payment rules: pure, no Django records, no clock (spec 04)."""

from __future__ import annotations
