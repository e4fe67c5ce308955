"""The gate of the internal API: lifecycle, payment config, the end of a grace period (spec 09, Gate)."""

from __future__ import annotations
