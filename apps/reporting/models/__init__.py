"""Records of reporting: all but reports and the revenue of past days can be computed again from other records."""

from __future__ import annotations

from apps.reporting.models.alerts import AlertSettings, AlertThreshold
from apps.reporting.models.books import (
    BooksCheck,
    BooksStatement,
    ContradictionKind,
    PaymentContradiction,
    PlatformBooks,
)
from apps.reporting.models.reports import DailyReport, RepairedDay, ReportRecipient, ReportSchedule
from apps.reporting.models.revenue import OrganizationRevenue, RevenueDay, RevenueTotal
from apps.reporting.models.rollups import ConnectorRollup, CreditRollup, RollupState
from apps.reporting.models.runways import AccountRunway
from apps.reporting.models.sheets import ReportSheet

__all__ = [
    "AccountRunway",
    "AlertSettings",
    "AlertThreshold",
    "BooksCheck",
    "BooksStatement",
    "ConnectorRollup",
    "ContradictionKind",
    "CreditRollup",
    "DailyReport",
    "OrganizationRevenue",
    "PaymentContradiction",
    "PlatformBooks",
    "RepairedDay",
    "ReportRecipient",
    "ReportSchedule",
    "ReportSheet",
    "RevenueDay",
    "RevenueTotal",
    "RollupState",
]
