"""Appends to the audit log."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from uuid import UUID

from django.db import transaction

from apps.core import clock
from apps.core.audit.chain import GENESIS_HASH, EntryContent, entry_hash
from apps.core.audit.secrecy import redact_text, without_secrets
from apps.core.audit_events import AuditEvent
from apps.core.canonical import Plain, plain
from apps.core.context import ExecutionContext
from apps.core.ids import AuditTarget
from apps.core.models import AuditChain, AuditEntry


def audit_append(
    context: ExecutionContext,
    event: AuditEvent,
    target: AuditTarget,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    reason: str = "",
) -> AuditEntry:
    """Record one change, in the transaction that makes it.

    The entry goes to the chain of the target's organization, else of the context's organization, else of the platform.
    The chain stays locked until the transaction ends, so append last; a service that changes several organizations goes
    through them in the order of their ids.

    Raises `RuntimeError` outside a transaction, `NotCanonicalError` for a value without a canonical form (a float),
    `SecretInAuditError` for a field that holds a secret. All three are mistakes in our code.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError(f"audit_append({event.name}) outside a transaction: the change could be kept without it.")
    plain_before = without_secrets(plain(before or {}, "before"), "before")
    plain_after = without_secrets(plain(after or {}, "after"), "after")
    chain = audit_chain_for_update(target.organization_id or context.organization_id)
    entry = _entry(context, event, target, chain, before=plain_before, after=plain_after, reason=redact_text(reason))
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


def _entry(
    context: ExecutionContext,
    event: AuditEvent,
    target: AuditTarget,
    chain: AuditChain,
    *,
    before: Plain,
    after: Plain,
    reason: str,
) -> AuditEntry:
    content = EntryContent(
        id=uuid.uuid4(),
        organization_id=chain.organization_id,
        sequence=chain.last_sequence + 1,
        event=event.name,
        actor_kind=context.actor.kind.value,
        actor_id=context.actor.id,
        actor_label=context.actor.label,
        role=context.role.value,
        authorization_source=context.authorization_source.value,
        target_type=target.kind,
        target_id=str(target.id),
        workspace_id=target.workspace_id or context.workspace_id,
        reason=reason,
        before=before,
        after=after,
        request_id=context.request_id,
        recorded_at=clock.now(),
        previous_hash=chain.last_hash,
    )
    values = {name: getattr(content, name) for name in EntryContent.__dataclass_fields__}
    return AuditEntry(**values, hash=entry_hash(content))
