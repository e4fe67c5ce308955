"""Records of the connectors app: fields and constraints, no rules."""

from __future__ import annotations

from apps.connectors.models.authorizations import AuthorizationAttempt
from apps.connectors.models.connectors import Connector
from apps.connectors.models.credentials import ConnectorCredential
from apps.connectors.models.month_totals import MonthTotal
from apps.connectors.models.records import BillingRecord, ChangedMonth, RecordAdjustment
from apps.connectors.models.syncs import MonthState, SeenRecords, SyncRun
from apps.connectors.models.timeline import ConnectorEvent

__all__ = [
    "AuthorizationAttempt",
    "BillingRecord",
    "ChangedMonth",
    "Connector",
    "ConnectorCredential",
    "ConnectorEvent",
    "MonthState",
    "MonthTotal",
    "RecordAdjustment",
    "SeenRecords",
    "SyncRun",
]
