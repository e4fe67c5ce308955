"""The only code that writes records of reporting: rollups, statements, what contradicts, and the revenue of a day."""

from __future__ import annotations

from apps.reporting.services.alerts import balance_alerts_change, balances_follow, runways_look
from apps.reporting.services.books import contradictions_refresh, platform_books_write, statements_write
from apps.reporting.services.revenue import revenue_write
from apps.reporting.services.rollups import rollups_rebuild, rollups_refresh
from apps.reporting.services.runways import runways_keep

__all__ = [
    "balance_alerts_change",
    "balances_follow",
    "contradictions_refresh",
    "platform_books_write",
    "revenue_write",
    "rollups_rebuild",
    "rollups_refresh",
    "runways_keep",
    "runways_look",
    "statements_write",
]
