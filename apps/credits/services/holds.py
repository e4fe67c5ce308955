"""Holds: captured or released once, extended until they end (spec 05, Calls)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import Count, F, Max, Sum

from apps.core import clock
from apps.core.amounts import format_micro
from apps.core.canonical import Plain, moment_text
from apps.core.context import ExecutionContext
from apps.core.enums import UsageCategory
from apps.core.idempotency import Answer, idempotent
from apps.core.ids import OrganizationId
from apps.credits.contracts import AccountRef, CreditFacts, Question, scope_of
from apps.credits.enums import AccountType, DisagreementClass, EntryKind, HoldStatus, Owned
from apps.credits.models import CreditAccount, Hold
from apps.credits.ownership import require_own
from apps.credits.refusals import InsufficientCreditsError, above, hold_refusal, unknown_outcome
from apps.credits.rules.allocation import affordable, available
from apps.credits.rules.decision import booking_warnings
from apps.credits.rules.pricing import Price, charge_for, free_left, split_free
from apps.credits.selectors.policies import known_terms
from apps.credits.services.accounts import (
    Posted,
    account_apply_due,
    account_for_update,
    expire_unheld,
    next_due_refresh,
    post,
    return_free,
    use_free,
)
from apps.credits.services.authorization import LONGEST_HOLD, credit_facts
from apps.tenants.closing_rules import OpenItem
from apps.tenants.enums import BillingMode


@dataclass(frozen=True, slots=True)
class CaptureParams:
    """How much of the hold was used: a quantity, an amount in micro-credits, or neither for all of it.

    `local_charge` is what the product charged itself, in micro-credits.
    """

    outcome: str
    quantity: int | None = None
    amount: int | None = None
    allow_more: bool = False
    local_charge: int | None = None

    def body(self) -> dict[str, object]:
        """What must be equal for two requests to be the same: the fields of the first release."""
        return {name: getattr(self, name) for name in ("outcome", "quantity", "amount", "allow_more")}


@dataclass(frozen=True, slots=True)
class _Usage:
    """What a capture charges, and how much of the free quantity it takes. `shadow` is our price of a local charge."""

    charge: int
    quantity: int
    free: int
    category: str
    is_billable: bool
    shadow: int | None = None


def hold_capture(context: ExecutionContext, *, hold_id: UUID, key: str, params: CaptureParams) -> Answer:
    """Charge what was used and free the rest of the hold, once; by the policy and the month of its opening.

    It has happened: membership, lifecycle and balance only give warnings. Raises `ConflictError` for a hold that has
    ended, `UnprocessableError` for more than is held and for an unknown outcome, and with `allow_more`
    `InsufficientCreditsError` for more than is affordable.
    """
    return idempotent(
        scope=scope_of(context),
        key=key,
        operation="holds.capture",
        body={"hold_id": hold_id, "wish": params.body()},
        younger={"local_charge": params.local_charge},
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


def hold_extend(context: ExecutionContext, *, hold_id: UUID, key: str, ttl: timedelta) -> Answer:
    """Let the hold end so long from now, at most 24 hours after its opening and never earlier than it would.

    Raises `ConflictError` for a hold that has ended.
    """
    return idempotent(
        scope=scope_of(context),
        key=key,
        operation="holds.extend",
        body={"hold_id": hold_id, "ttl_seconds": int(ttl.total_seconds())},
        perform=lambda: _extend(context, hold_id, ttl),
    )


def open_holds(organization_id: OrganizationId) -> list[OpenItem]:
    """What an organization that is to be closed has promised still; its account stays locked, so that no hold comes."""
    account_for_update(organization_id)
    running = Hold.objects.filter(account=organization_id, status=HoldStatus.OPEN, expires_at__gt=clock.now())
    found = running.aggregate(count=Count("pk"), amount=Sum("amount"), last=Max("expires_at"))
    if not found["count"]:
        return []
    what = "1 hold" if found["count"] == 1 else f"{found['count']:,} holds"
    until = f"{found['last']:%-d %B, %H:%M} UTC"
    fact = f"{what} of {format_micro(found['amount'])} credits, open until {until} at the latest"
    return [OpenItem("open_holds", fact, f"credit_account:{organization_id}")]


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
    question = Question(
        AccountRef(AccountType.ORGANIZATION, hold.account_id),
        hold.operation,
        hold.quantity,
        user_id=hold.acting_user_id,
        workspace_id=hold.workspace_id,
    )
    # What was reserved is this run's to take, of the month and at the price of the hold's opening.
    return_free(hold)
    facts = credit_facts(hold.product_id, question, now, at=hold.created_at)
    terms = known_terms(hold.product_id, facts.policy_id) if facts.policy_id else None
    price = terms.prices.get(hold.operation) if terms else None
    if price is not None and not price.knows(params.outcome):
        raise unknown_outcome(params.outcome, price)
    used = _usage_of(hold, facts, price, params)
    is_local = params.local_charge is not None and (hold.billing_mode or facts.billing_mode) != BillingMode.CENTRAL
    if is_local:
        used = _Usage(0, used.quantity, 0, used.category, used.is_billable, shadow=used.charge)
    else:
        _guard(hold, facts, params, used)
    posted = _post(context, hold, used, params, key, now, facts.free_month if used.free else None)
    use_free(hold.account_id, hold.product_id, hold.operation, facts.free_month, used.free)
    _end(context, hold, HoldStatus.CAPTURED, now)
    warnings = booking_warnings(facts, question, now)
    _note_drift(hold, posted, used, params, warnings)
    if params.local_charge is not None and not is_local:
        warnings.append("local_charge_ignored")
    values: dict[str, Plain] = {"entry_id": str(posted.id), "hold_id": str(hold.pk), "charged": used.charge}
    balance = _balance_values(CreditAccount.objects.get(pk=hold.account_id))
    values |= {"category": used.category, "billable": used.is_billable}
    if is_local:
        values |= {"decided_by": "local", "shadow_charge": used.shadow}
    return Answer(201, {**values, **balance, "policy_version": hold.policy_version, "warnings": [*warnings]})


def _post(
    context: ExecutionContext,
    hold: Hold,
    used: _Usage,
    params: CaptureParams,
    key: str,
    now: datetime,
    month: date | None,
) -> Posted:
    is_local = used.shadow is not None
    return post(
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
        free_month=month,
        outcome=params.outcome,
        category=used.category,
        is_billable=used.is_billable,
        acting_user_id=hold.acting_user_id,
        workspace_id=hold.workspace_id,
        hold_id=hold.pk,
        policy_version=hold.policy_version,
        local_charge=params.local_charge if is_local else None,
        shadow_charge=used.shadow,
        idempotency_key=key,
    )


def _release(context: ExecutionContext, hold_id: UUID) -> Answer:
    hold, now = _open_hold(context, hold_id), clock.now()
    CreditAccount.objects.filter(pk=hold.account_id).update(held=F("held") - hold.amount)
    return_free(hold)
    _end(context, hold, HoldStatus.RELEASED, now)
    account = CreditAccount.objects.get(pk=hold.account_id)
    return Answer(200, {"hold_id": str(hold.pk), "released": hold.amount, **_balance_values(account)})


def _extend(context: ExecutionContext, hold_id: UUID, ttl: timedelta) -> Answer:
    hold, now = _open_hold(context, hold_id), clock.now()
    ends = max(hold.expires_at, min(now + ttl, hold.created_at + LONGEST_HOLD))
    Hold.objects.filter(pk=hold.pk).update(expires_at=ends)
    next_due_refresh(hold.account_id, now)
    return Answer(200, {"hold_id": str(hold.pk), "amount": hold.amount, "expires_at": moment_text(ends)})


def _usage_of(hold: Hold, facts: CreditFacts, price: Price | None, params: CaptureParams) -> _Usage:
    quantity = params.quantity or hold.quantity
    is_billable = price is None or price.bills(params.outcome)
    if facts.category_override:
        return _Usage(0, quantity, 0, facts.category_override, is_billable)
    if not is_billable:
        return _Usage(0, quantity, 0, UsageCategory.REGULAR.value, is_billable)
    if params.quantity is None or price is None:
        # What the hold reserved, or an amount of the product's own choice: the free part goes first.
        charge = hold.amount if params.amount is None else params.amount
        return _Usage(charge, quantity, hold.free_quantity, _category(quantity, hold.free_quantity), is_billable)
    left = free_left(price, facts.free_used)
    free, _ = split_free(quantity, left)
    return _Usage(charge_for(price, quantity, free_left=left), quantity, free, _category(quantity, free), is_billable)


def _category(quantity: int, free: int) -> str:
    return (UsageCategory.FREE if free == quantity else UsageCategory.REGULAR).value


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
    left = available(facts.balance, facts.held, facts.overdraft_limit)
    if not affordable(used.charge, left, released=hold.amount):
        raise InsufficientCreditsError(
            "The credits do not suffice for more than was held. Grant more, or capture at most the held amount."
        )


def _note_drift(hold: Hold, posted: Posted, used: _Usage, params: CaptureParams, warnings: list[str]) -> None:
    """A line on the drift page for each warning, and where the product charged another price than ours."""
    differs = used.shadow is not None and used.shadow != params.local_charge
    lines = [*warnings, *([DisagreementClass.AMOUNT.value] if differs else [])]
    if not lines:
        return
    charge = used.charge if used.shadow is None else used.shadow
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT credits_note_drift(line, %s, e, %s, %s) FROM credits_creditentry e, unnest(%s::text[]) line"
            " WHERE e.id = %s",
            [hold.product_id, posted.balance, charge, lines, posted.id],
        )


def _end(context: ExecutionContext, hold: Hold, status: HoldStatus, now: datetime) -> None:
    Hold.objects.filter(pk=hold.pk).update(status=status, ended_at=now)
    # What the hold had kept from expiring may go now.
    expire_unheld(context, account_id=hold.account_id, at=now)
    next_due_refresh(hold.account_id, now)


def _balance_values(account: CreditAccount) -> dict[str, int]:
    return {"balance": account.balance, "held": account.held, "available": account.available}
