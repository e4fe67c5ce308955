"""Records of reporting: all of them can be computed again from the ledger and the billing records."""

from __future__ import annotations

from apps.reporting.models.rollups import ConnectorRollup, CreditRollup, RollupState

__all__ = ["ConnectorRollup", "CreditRollup", "RollupState"]
