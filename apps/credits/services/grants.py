"""Grants of credits, and the overdraft limit (spec 05, Account, grants, entries)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.enums import MembershipRole, Scope
from apps.core.errors import FieldError, UnprocessableError
from apps.core.idempotency import Answer, idempotent
from apps.core.ids import OrganizationId, UserId
from apps.core.locks import lock_name
from apps.credits import events
from apps.credits.contracts import AccountRef, scope_of
from apps.credits.enums import AccountType, GrantType
from apps.credits.models import CreditAccount, CreditGrant
from apps.credits.refusals import unknown_person
from apps.credits.services.accounts import (
    account_apply_due,
    account_for_update,
    expire_unheld,
    floor_refresh,
    grant_begin,
    next_due_refresh,
)
from apps.tenants.access import personal_facts
from apps.tenants.enums import OrganizationKind
from apps.tenants.models import Organization, User
from apps.tenants.personal_accounts import may_use_personal_account
from apps.tenants.services import organization_upsert
from apps.tenants.services.organizations import OrganizationParams
from apps.tenants.services.refusals import require_open, unknown_organization, unknown_user

DEFAULT_PRIORITY = 100


@dataclass(frozen=True, slots=True)
class GrantParams:
    """What is to be given. `amount` is micro-credits; None takes the default: now, for ever, the middle priority."""

    grant_type: GrantType
    amount: int
    priority: int = DEFAULT_PRIORITY
    effective_at: datetime | None = None
    expires_at: datetime | None = None
    note: str = ""


def credit_grant(context: ExecutionContext, *, key: str, account: AccountRef, params: GrantParams) -> Answer:
    """Give credits once for the key. A person's first grant makes their individual organization and its account.

    They count from `effective_at` on; a grant of the future is posted when it begins. Raises `UnprocessableError` for
    an end that lies in the past or before the beginning, `NotFoundError` for an unknown organization or user.
    """
    # The stored hashes of idempotency keys name the parameters `wish`.
    body = {"account": str(account), "wish": {name: getattr(params, name) for name in GrantParams.__dataclass_fields__}}
    return idempotent(
        scope=scope_of(context),
        key=key,
        operation="credits.grant",
        body=body,
        perform=lambda: grant_store(context, account=account, params=params, key=key),
    )


def grant_store(context: ExecutionContext, *, account: AccountRef, params: GrantParams, key: str) -> Answer:
    """Give credits in the caller's transaction, who sees to it that it happens once. Raises as `credit_grant`."""
    now = clock.now()
    effective_at = params.effective_at or now
    _require_end(params, after=max(effective_at, now))
    account_id = account_open(context, account)
    account_apply_due(context, account_id=account_id)
    account_for_update(account_id)
    require_open(account_id)
    grant = CreditGrant.objects.create(
        id=uuid.uuid4(),
        account_id=account_id,
        grant_type=params.grant_type,
        amount=params.amount,
        remaining=0,
        priority=params.priority,
        effective_at=effective_at,
        expires_at=params.expires_at,
        note=params.note,
        product_id=context.product_id,
        idempotency_key=key,
        granted_by=context.actor.label,
        created_at=now,
    )
    entry_id = None
    if effective_at <= now:
        entry_id = grant_begin(context, grant=grant, at=now)
        # Where a hold had kept an ended grant, these credits now stand for the hold.
        expire_unheld(context, account_id=account_id, at=now)
    next_due_refresh(account_id, now)
    audit_append(
        context,
        events.CREDITS_GRANTED,
        grant.audit_target,
        after={"grant_type": params.grant_type.value, "amount": params.amount, "priority": params.priority}
        | {"effective_at": effective_at, "expires_at": params.expires_at, "idempotency_key": key},
        reason=params.note,
    )
    return _answer(grant, entry_id)


def _require_end(params: GrantParams, *, after: datetime) -> None:
    if params.expires_at is not None and params.expires_at <= after:
        sentence = "The grant would end before it begins. Choose a later expires_at, or none."
        raise UnprocessableError(sentence, errors=[FieldError("expires_at", "in_the_past", sentence)])


def _answer(grant: CreditGrant, entry_id: UUID | None) -> Answer:
    stored = CreditAccount.objects.get(pk=grant.account_id)
    return Answer(
        201,
        {
            "grant_id": str(grant.pk),
            "entry_id": str(entry_id) if entry_id else None,
            "account_id": str(grant.account_id),
            "amount": grant.amount,
            "balance": stored.balance,
            "held": stored.held,
            "available": stored.available,
        },
    )


def account_open(context: ExecutionContext, account: AccountRef) -> UUID:
    """The account; a person's is made where there is none. Raises `NotFoundError` for an unknown one."""
    if account.type is AccountType.ORGANIZATION:
        if not Organization.objects.filter(pk=account.id).exists():
            raise unknown_organization(OrganizationId(account.id))
        return account.id
    require_person(context, account.id)
    lock_name(f"individual-account:{account.id}")
    existing = individual_organization_of(account.id)
    return existing if existing is not None else _individual_organization(context, account.id)


def require_person(context: ExecutionContext, user_id: UUID) -> None:
    """Raise `NotFoundError` `unknown_user` unless a product may use the person's own account; others always may."""
    if context.product_id is None:
        return
    is_identity = Scope.TENANTS_MANAGE in context.scopes
    if not may_use_personal_account(
        personal_facts(context.product_id, UserId(user_id), is_identity_service=is_identity)
    ):
        raise unknown_person(user_id)


def individual_organization_of(user_id: UUID) -> UUID | None:
    """The individual organization that the user owns, the oldest if there are several."""
    owned = Organization.objects.filter(
        kind=OrganizationKind.INDIVIDUAL, memberships__user=user_id, memberships__role=MembershipRole.OWNER
    )
    return owned.order_by("created_at", "pk").values_list("pk", flat=True).first()


def _individual_organization(context: ExecutionContext, user_id: UUID) -> UUID:
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise unknown_user("account.id", UserId(user_id))
    wish = OrganizationParams(
        name=user.name or user.email, kind=OrganizationKind.INDIVIDUAL, owner_user_id=UserId(user_id)
    )
    made = organization_upsert(context, organization_id=OrganizationId(uuid.uuid4()), params=wish)
    return UUID(str(made.record.pk))


@transaction.atomic
def overdraft_set(context: ExecutionContext, *, account_id: UUID, limit: int, reason: str) -> CreditAccount:
    """Let the balance go as far below zero as `limit` micro-credits."""
    account = account_for_update(account_id)
    if account is None:
        raise unknown_organization(OrganizationId(account_id))
    require_open(account_id)
    before, account.overdraft_limit = account.overdraft_limit, limit
    account.floor = min(-limit, account.balance - account.held)
    account.save(update_fields=["overdraft_limit", "floor"])
    floor_refresh(account_id)
    audit_append(
        context,
        events.OVERDRAFT_CHANGED,
        account.audit_target,
        before={"overdraft_limit": before},
        after={"overdraft_limit": limit},
        reason=reason,
    )
    return account
