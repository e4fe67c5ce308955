"""Typed identifiers of the connectors app."""

from __future__ import annotations

from typing import NewType
from uuid import UUID

ConnectorId = NewType("ConnectorId", UUID)
ConnectorCredentialId = NewType("ConnectorCredentialId", UUID)
SyncRunId = NewType("SyncRunId", UUID)
