"""Records of reporting. Rollups can be computed again from the ledger and the billing records; reports are kept."""

from __future__ import annotations

from apps.reporting.models.reports import DailyReport, ReportRecipient, ReportSchedule
from apps.reporting.models.rollups import ConnectorRollup, CreditRollup, RollupState

__all__ = ["ConnectorRollup", "CreditRollup", "DailyReport", "ReportRecipient", "ReportSchedule", "RollupState"]
