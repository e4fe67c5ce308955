"""Holds: captured or released once (spec 05, Calls)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import F

from apps.core import clock
from apps.core.canonical import Plain
from apps.core.context import ExecutionContext
from apps.core.enums import UsageCategory
from apps.core.idempotency import Answer, idempotent
from apps.credits.contracts import AccountRef, CreditFacts, Question, scope_of
from apps.credits.enums import AccountType, EntryKind, HoldStatus, Owned
from apps.credits.models import CreditAccount, FreeQuantity, Hold
from apps.credits.ownership import require_own
from apps.credits.refusals import InsufficientCreditsError, above, hold_refusal
from apps.credits.rules.pricing import Price, charge_for, free_left
from apps.credits.selectors.policies import terms_in_force
from apps.credits.services.accounts import account_apply_due, account_for_update, expire_unheld, next_due_refresh, post
from apps.credits.services.authorization import credit_facts


@dataclass(frozen=True, slots=True)
class CaptureParams:
    """How much of the hold was used: a quantity, an amount in micro-credits, or neither for all of it."""

    outcome: str
    quantity: int | None = None
    amount: int | None = None
    allow_more: bool = False

    def body(self) -> dict[str, object]:
        """What must be equal for two requests to be the same."""
        return {name: getattr(self, name) for name in CaptureParams.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class _Usage:
    """What a capture charges, and how much of the free quantity it takes."""

    charge: int
    quantity: int
    free: int
    category: str
    is_billable: bool


def hold_capture(context: ExecutionContext, *, hold_id: UUID, key: str, params: CaptureParams) -> Answer:
    """Charge what was used and free the rest of the hold, once.

    Raises `ConflictError` for a hold that has ended, `UnprocessableError` for more than is held, and with `allow_more`
    `InsufficientCreditsError` for more than is affordable.
    """
    return idempotent(
        scope=scope_of(context),
        key=key,
        operation="holds.capture",
        body={"hold_id": hold_id, "wish": params.body()},
        perform=lambda: _capture(context, hold_id, key, params),
    )


def hold_release(context: ExecutionContext, *, hold_id: UUID, key: str) -> Answer:
    """Free what is held, once. Raises `ConflictError` for a hold that has ended."""
    return idempotent(
        scope=scope_of(context),
        key=key,
        operation="holds.release",
        body={"hold_id": hold_id},
        perform=lambda: _release(context, hold_id),
    )


def hold_of(hold_id: UUID) -> Hold | None:
    """The hold, to read."""
    return Hold.objects.filter(pk=hold_id).first()


def _open_hold(context: ExecutionContext, hold_id: UUID) -> Hold:
    """The open hold, its account locked and up to date."""
    hold = hold_of(hold_id)
    if hold is None:
        raise hold_refusal("unknown", hold_id)
    require_own(context, Owned.HOLD, hold.pk, hold.product_id)
    account_for_update(hold.account_id)
    account_apply_due(context, account_id=hold.account_id)
    hold.refresh_from_db()
    if hold.status != HoldStatus.OPEN or hold.expires_at <= clock.now():
        raise hold_refusal(hold.status, hold_id)
    return hold


def _capture(context: ExecutionContext, hold_id: UUID, key: str, params: CaptureParams) -> Answer:
    hold, now = _open_hold(context, hold_id), clock.now()
    question = Question(AccountRef(AccountType.ORGANIZATION, hold.account_id), hold.operation, hold.quantity)
    facts = credit_facts(hold.product_id, question, now)
    used = _usage_of(hold, facts, params, now)
    _guard(hold, facts, params, used)
    posted = post(
        context,
        account_id=hold.account_id,
        kind=EntryKind.CAPTURE,
        amount=-used.charge,
        at=now,
        released=hold.amount,
        product_id=hold.product_id,
        operation=hold.operation,
        quantity=used.quantity,
        free_quantity=used.free,
        outcome=params.outcome,
        category=used.category,
        is_billable=used.is_billable,
        acting_user_id=hold.acting_user_id,
        workspace_id=hold.workspace_id,
        hold_id=hold.pk,
        policy_version=facts.policy_version or hold.policy_version,
        idempotency_key=key,
    )
    _count_free(hold, used, now)
    _end(context, hold, HoldStatus.CAPTURED, now)
    values: dict[str, Plain] = {"entry_id": str(posted.id), "hold_id": str(hold.pk), "charged": used.charge}
    balance = _balance_values(CreditAccount.objects.get(pk=hold.account_id))
    values |= {"category": used.category, "billable": used.is_billable}
    return Answer(201, {**values, **balance, "policy_version": facts.policy_version or hold.policy_version})


def _release(context: ExecutionContext, hold_id: UUID) -> Answer:
    hold, now = _open_hold(context, hold_id), clock.now()
    CreditAccount.objects.filter(pk=hold.account_id).update(held=F("held") - hold.amount)
    _end(context, hold, HoldStatus.RELEASED, now)
    account = CreditAccount.objects.get(pk=hold.account_id)
    return Answer(200, {"hold_id": str(hold.pk), "released": hold.amount, **_balance_values(account)})


def _usage_of(hold: Hold, facts: CreditFacts, params: CaptureParams, now: datetime) -> _Usage:
    terms = terms_in_force(hold.product_id, now)
    price = terms.prices.get(hold.operation) if terms else None
    quantity = params.quantity or hold.quantity
    is_billable = price is None or price.bills(params.outcome)
    if facts.category_override:
        return _Usage(0, quantity, 0, facts.category_override, is_billable)
    if not is_billable:
        return _Usage(0, quantity, 0, UsageCategory.REGULAR.value, is_billable)
    if params.amount is not None or price is None or params.quantity is None:
        charge = hold.amount if params.amount is None else params.amount
        return _Usage(charge, quantity, 0, UsageCategory.REGULAR.value, is_billable)
    return _price_usage(price, quantity, free_left(price, facts.free_used))


def _price_usage(price: Price, quantity: int, left: int) -> _Usage:
    free = min(quantity, left)
    category = UsageCategory.FREE if free == quantity else UsageCategory.REGULAR
    charge = charge_for(price, quantity, free_left=left)
    return _Usage(charge, quantity, free, category.value, is_billable=True)


def _guard(hold: Hold, facts: CreditFacts, params: CaptureParams, used: _Usage) -> None:
    if used.charge <= hold.amount:
        return
    if not params.allow_more:
        raise above(
            "amount" if params.amount is not None else "quantity",
            used.charge,
            hold.amount,
            "what is held",
            remedy="Capture at most that, or send allow_more: true.",
        )
    if used.charge > facts.available + hold.amount:
        raise InsufficientCreditsError(
            "The credits do not suffice for more than was held. Grant more, or capture at most the held amount."
        )


def _count_free(hold: Hold, used: _Usage, now: datetime) -> None:
    if not used.free:
        return
    counter, _ = FreeQuantity.objects.get_or_create(
        account_id=hold.account_id,
        product_id=hold.product_id,
        operation=hold.operation,
        month=now.date().replace(day=1),
        defaults={"used": 0},
    )
    FreeQuantity.objects.filter(pk=counter.pk).update(used=F("used") + used.free)


def _end(context: ExecutionContext, hold: Hold, status: HoldStatus, now: datetime) -> None:
    Hold.objects.filter(pk=hold.pk).update(status=status, ended_at=now)
    # What the hold had kept from expiring may go now.
    expire_unheld(context, account_id=hold.account_id, at=now)
    next_due_refresh(hold.account_id, now)


def _balance_values(account: CreditAccount) -> dict[str, int]:
    available = account.balance - account.held + account.overdraft_limit
    return {"balance": account.balance, "held": account.held, "available": available}
