"""Appends to the audit log."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from apps.core import clock
from apps.core.audit.chain import GENESIS_HASH, EntryContent, entry_hash
from apps.core.audit.secrecy import redact_text, without_secrets
from apps.core.audit_events import AuditEvent
from apps.core.canonical import Plain, plain
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.models import AuditChain, AuditEntry


@dataclass(frozen=True, slots=True)
class _Change:
    """What is recorded, ready to be hashed."""

    event: str
    target_type: str
    target_id: str
    before: Plain
    after: Plain
    reason: str
    organization_id: UUID | None
    workspace_id: UUID | None


def audit_append(  # noqa: PLR0913 - each is a fact of the entry, and all are named
    context: ExecutionContext,
    *,
    event: AuditEvent,
    target_type: str,
    target_id: UUID | str,
    before: Mapping[str, object],
    after: Mapping[str, object],
    reason: str = "",
    organization_id: OrganizationId | None = None,
    workspace_id: WorkspaceId | None = None,
) -> AuditEntry:
    """Record one change, in the transaction that makes it.

    The entry goes to the chain of `organization_id`, else of the context's organization, else of the platform. The
    chain stays locked until the transaction ends, so append last; a service that changes several organizations goes
    through them in the order of their ids.

    Raises `RuntimeError` outside a transaction, `NotCanonicalError` for a value without a canonical form (a float),
    `SecretInAuditError` for a field that holds a secret. All three are mistakes in our code.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError(f"audit_append({event.name}) outside a transaction: the change could be kept without it.")
    change = _Change(
        event=event.name,
        target_type=target_type,
        target_id=str(target_id),
        before=without_secrets(plain(before, "before"), "before"),
        after=without_secrets(plain(after, "after"), "after"),
        reason=redact_text(reason),
        organization_id=organization_id or context.organization_id,
        workspace_id=workspace_id or context.workspace_id,
    )
    chain = audit_chain_for_update(change.organization_id)
    entry = _entry(context, change, chain)
    entry.save(force_insert=True)
    chain.last_sequence, chain.last_hash = entry.sequence, entry.hash
    chain.save(update_fields=["last_sequence", "last_hash"])
    return entry


def audit_chain_for_update(organization_id: UUID | None) -> AuditChain:
    """The chain's head, made when missing, locked until the transaction ends."""
    heads = AuditChain.objects.select_for_update().filter(organization_id=organization_id)
    head = heads.first()
    if head is None:
        # Whoever comes second waits here for the first one's commit, and inserts nothing.
        AuditChain.objects.bulk_create(
            [AuditChain(organization_id=organization_id, last_hash=GENESIS_HASH)], ignore_conflicts=True
        )
        head = heads.get()
    return head


def _entry(context: ExecutionContext, change: _Change, chain: AuditChain) -> AuditEntry:
    content = EntryContent(
        id=uuid.uuid4(),
        organization_id=change.organization_id,
        sequence=chain.last_sequence + 1,
        event=change.event,
        actor_kind=context.actor.kind.value,
        actor_id=context.actor.id,
        actor_label=context.actor.label,
        role=context.role.value,
        authorization_source=context.authorization_source.value,
        target_type=change.target_type,
        target_id=change.target_id,
        workspace_id=change.workspace_id,
        reason=change.reason,
        before=change.before,
        after=change.after,
        request_id=context.request_id,
        recorded_at=clock.now(),
        previous_hash=chain.last_hash,
    )
    values = {name: getattr(content, name) for name in EntryContent.__dataclass_fields__}
    return AuditEntry(**values, hash=entry_hash(content))
