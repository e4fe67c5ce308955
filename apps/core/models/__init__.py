"""Records of the core's machinery."""

from __future__ import annotations

from apps.core.models.audit import AuditChain, AuditEntry
from apps.core.models.clock import ClockShift
from apps.core.models.idempotency import IdempotencyRecord
from apps.core.models.jobs import JobRun
from apps.core.models.marks import PurgeMark
from apps.core.models.outbox import OutboxItem

__all__ = ["AuditChain", "AuditEntry", "ClockShift", "IdempotencyRecord", "JobRun", "OutboxItem", "PurgeMark"]
