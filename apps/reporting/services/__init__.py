"""The only code that writes rollups: lock the organization's position, compute, move the position."""

from __future__ import annotations

from apps.reporting.services.rollups import rollups_rebuild, rollups_refresh

__all__ = ["rollups_rebuild", "rollups_refresh"]
