"""Void a grant: it ends now, and what is left of it goes (spec 05, Calls)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.canonical import Plain
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError
from apps.core.idempotency import Answer, idempotent
from apps.credits import events
from apps.credits.contracts import scope_of
from apps.credits.enums import Owned
from apps.credits.models import CreditAccount, CreditGrant
from apps.credits.ownership import require_own
from apps.credits.refusals import unknown_grant
from apps.credits.services.accounts import (
    account_apply_due,
    account_for_update,
    floor_refresh,
    grant_take_rest,
    next_due_refresh,
)
from apps.tenants.services.refusals import require_open


def grant_void(context: ExecutionContext, *, grant_id: UUID, key: str, reason: str) -> Answer:
    """End the grant for the reason, once for the key. What was spent of it stays spent.

    What open holds stand on goes when they end. A grant that has not begun never will. Raises `NotFoundError`,
    `ForbiddenError` for another product's grant, `ConflictError` where it was voided before or nothing is left.
    """
    return idempotent(
        scope=scope_of(context),
        key=key,
        operation="grants.void",
        body={"grant_id": grant_id, "reason": reason},
        perform=lambda: _void(context, grant_id, key, reason),
    )


def _void(context: ExecutionContext, grant_id: UUID, key: str, reason: str) -> Answer:
    grant = CreditGrant.objects.filter(pk=grant_id).first()
    if grant is None:
        raise unknown_grant(grant_id)
    require_own(context, Owned.GRANT, grant.pk, grant.product_id)
    account_for_update(grant.account_id)
    require_open(grant.account_id)
    account_apply_due(context, account_id=grant.account_id)
    grant.refresh_from_db()
    _guard(grant)
    now = clock.now()
    before = {"remaining": grant.remaining if grant.is_posted else grant.amount}
    answer = _end(context, grant, now, key, reason)
    audit_append(
        context,
        events.CREDIT_GRANT_VOIDED,
        grant.audit_target,
        before=before,
        after={"voided": answer["voided"], "held_back": answer["held_back"], "idempotency_key": key},
        reason=reason,
    )
    return Answer(200, answer)


def _guard(grant: CreditGrant) -> None:
    if grant.voided_at is not None:
        raise ConflictError(
            f"The grant {grant.pk} was voided already, on {grant.voided_at:%Y-%m-%d}.",
            code="grant_voided",
            title="The grant was voided already",
        )
    if grant.is_posted and grant.remaining == 0:
        raise ConflictError(
            f"Nothing is left of the grant {grant.pk}. To give a charge back that it paid, reverse the charge's entry.",
            code="nothing_to_void",
            title="Nothing is left of the grant",
        )


def _end(context: ExecutionContext, grant: CreditGrant, now: datetime, key: str, reason: str) -> dict[str, Plain]:
    """End the grant; the answer."""
    grant.voided_at = now
    CreditGrant.objects.filter(pk=grant.pk).update(voided_at=now)
    taken = None
    if grant.is_posted:
        taken = grant_take_rest(context, grant=grant, at=now, key=key, reason=reason)
        floor_refresh(grant.account_id)
    next_due_refresh(grant.account_id, now)
    account = CreditAccount.objects.get(pk=grant.account_id)
    gone = (taken[1] if taken else 0) if grant.is_posted else grant.amount
    return {
        "grant_id": str(grant.pk),
        "entry_id": str(taken[0].id) if taken else None,
        "voided": gone,
        "held_back": grant.remaining - gone if grant.is_posted else 0,
        "balance": account.balance,
        "held": account.held,
        "available": account.balance - account.held + account.overdraft_limit,
    }
