"""Entries, grants and holds as `read_bodies` describes them: a serializer would take ten times as long a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.core.amounts import format_micro
from apps.core.context import ExecutionContext
from apps.core.wire.values import format_time
from apps.credits.enums import GrantState
from apps.credits.models import CreditEntry, CreditGrant, Hold
from apps.credits.ownership import owns
from apps.credits.selectors.records import grant_owners, product_slugs, state_of

_HIDDEN_OF_ENTRY = dict.fromkeys(
    (
        *("operation", "quantity", "free_quantity", "category", "billable", "outcome", "user_id", "workspace_id"),
        *("run_id", "hold_id", "grant_id", "reversal_of", "policy_version", "idempotency_key", "late"),
        *("decided_by", "shadow_charge", "local_charge"),
    )
)
_HIDDEN_OF_GRANT = dict.fromkeys(("granted_by", "note", "idempotency_key"))
_HIDDEN_OF_HOLD = dict.fromkeys(("operation", "quantity", "user_id", "workspace_id", "policy_version"))


def entries_values(context: ExecutionContext, entries: Sequence[CreditEntry]) -> list[dict[str, Any]]:
    """Each entry as the caller may see it; two statements more, however many there are."""
    slugs, owners = product_slugs(entry.product_id for entry in entries), grant_owners(entries)
    return [_entry_values(context, entry, slugs, owners) for entry in entries]


def _entry_values(
    context: ExecutionContext, entry: CreditEntry, slugs: Mapping[UUID, str], owners: Mapping[UUID, UUID | None]
) -> dict[str, Any]:
    # What the scheduler books of a grant's end belongs to whoever gave the grant.
    owner = entry.product_id or (owners.get(entry.grant_id) if entry.grant_id else None)
    own = owns(context, owner)
    return {
        "id": str(entry.pk),
        "sequence": entry.sequence,
        "kind": entry.kind,
        "amount": format_micro(entry.amount),
        "balance_after": format_micro(entry.balance_after),
        "product": slugs.get(entry.product_id) if entry.product_id else None,
        "own": own,
        **(_details_of_entry(entry) if own else _HIDDEN_OF_ENTRY),
        "occurred_at": format_time(entry.occurred_at),
        "recorded_at": format_time(entry.recorded_at),
    }


def _details_of_entry(entry: CreditEntry) -> dict[str, Any]:
    return {
        "operation": entry.operation,
        "quantity": format_micro(entry.quantity),
        "free_quantity": format_micro(entry.free_quantity),
        "category": entry.category,
        "billable": entry.is_billable,
        "outcome": entry.outcome,
        "user_id": _id(entry.acting_user_id),
        "workspace_id": _id(entry.workspace_id),
        "run_id": entry.run_id,
        "hold_id": _id(entry.hold_id),
        "grant_id": _id(entry.grant_id),
        "reversal_of": _id(entry.reversal_of_id),
        "policy_version": entry.policy_version,
        "idempotency_key": entry.idempotency_key,
        "late": entry.is_late,
        "decided_by": entry.decided_by,
        "shadow_charge": _amount(entry.shadow_charge),
        "local_charge": _amount(entry.local_charge),
    }


def grant_values(
    context: ExecutionContext, grant: CreditGrant, slugs: Mapping[UUID, str], now: datetime
) -> dict[str, Any]:
    """A grant as the caller may see it."""
    own = owns(context, grant.product_id)
    state = state_of(grant, now)
    details = {
        "granted_by": grant.granted_by,
        "note": grant.note,
        "idempotency_key": grant.idempotency_key,
    }
    return {
        "id": str(grant.pk),
        "grant_type": grant.grant_type,
        "state": state.value,
        "amount": format_micro(grant.amount),
        "remaining": format_micro(grant.amount if state is GrantState.UPCOMING else grant.remaining),
        "priority": grant.priority,
        "effective_at": format_time(grant.effective_at),
        "expires_at": _moment(grant.expires_at),
        "voided_at": _moment(grant.voided_at),
        "created_at": format_time(grant.created_at),
        "product": slugs.get(grant.product_id) if grant.product_id else None,
        "own": own,
        **(details if own else _HIDDEN_OF_GRANT),
    }


def hold_values(context: ExecutionContext, hold: Hold) -> dict[str, Any]:
    """A hold, which comes with its product, as the caller may see it."""
    own = owns(context, hold.product_id)
    details = {
        "operation": hold.operation,
        "quantity": format_micro(hold.quantity),
        "user_id": _id(hold.acting_user_id),
        "workspace_id": _id(hold.workspace_id),
        "policy_version": hold.policy_version,
    }
    return {
        "id": str(hold.pk),
        "account_id": str(hold.account_id),
        "status": hold.status,
        "amount": format_micro(hold.amount),
        "created_at": format_time(hold.created_at),
        "expires_at": format_time(hold.expires_at),
        "ended_at": _moment(hold.ended_at),
        "product": hold.product.slug,
        "own": own,
        **(details if own else _HIDDEN_OF_HOLD),
    }


def _amount(value: int | None) -> str | None:
    return format_micro(value) if value is not None else None


def _id(value: object) -> str | None:
    return str(value) if value is not None else None


def _moment(value: datetime | None) -> str | None:
    return format_time(value) if value is not None else None
