"""Typed identifiers: one `NewType` an entity, so that a workspace id can't be passed for an organization id.

Every id is a UUID in the database and its lower-case text form on the wire (spec 09, HTTP).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType
from uuid import UUID

OrganizationId = NewType("OrganizationId", UUID)
WorkspaceId = NewType("WorkspaceId", UUID)
UserId = NewType("UserId", UUID)
MembershipId = NewType("MembershipId", UUID)
ProductId = NewType("ProductId", UUID)
ServiceTokenId = NewType("ServiceTokenId", UUID)
AuditEntryId = NewType("AuditEntryId", UUID)
OutboxItemId = NewType("OutboxItemId", UUID)
JobRunId = NewType("JobRunId", UUID)
ReconciliationRunId = NewType("ReconciliationRunId", UUID)
MembershipDriftId = NewType("MembershipDriftId", UUID)

# Free text: taken over from the caller's X-Request-ID when it is well-formed, else made by us.
RequestId = NewType("RequestId", str)


@dataclass(frozen=True, slots=True)
class AuditTarget:
    """The record that an audit entry is about, with its tenant. Models have one as `audit_target`."""

    kind: str
    id: UUID | str
    organization_id: UUID | None = None
    workspace_id: UUID | None = None
