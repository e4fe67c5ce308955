"""Reversals give a charge back to the grants that paid it, once; adjustments take what staff decide (spec 05)."""

from __future__ import annotations

from uuid import UUID

from django.db.models import F

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, NotFoundError, UnprocessableError
from apps.core.idempotency import Answer, idempotent
from apps.core.ids import AuditTarget
from apps.credits import events
from apps.credits.contracts import scope_of
from apps.credits.enums import EntryKind, Owned
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant, GrantBurn, UncoveredCharge
from apps.credits.ownership import require_own
from apps.credits.refusals import InsufficientCreditsError, above, unknown_entry
from apps.credits.services.accounts import (
    CHARGES,
    Posted,
    account_apply_due,
    account_for_update,
    expire_unheld,
    floor_refresh,
    next_due_refresh,
    pay_debts,
    post,
)


def entry_reverse(
    context: ExecutionContext, *, entry_id: UUID, key: str, reason: str, amount: int | None = None
) -> Answer:
    """Give a charge back, or `amount` micro-credits of it; once, never more than was charged.

    It goes to what no grant had paid yet, then to the grants that paid, the last credits paid first. What goes back
    to a grant that has expired expires with it. Raises `NotFoundError`, `ConflictError` for a second reversal, and
    `UnprocessableError` for more than was charged or for an entry that is no charge.
    """
    return idempotent(
        scope=scope_of(context),
        key=key,
        operation="credits.reverse",
        body={"entry_id": entry_id, "reason": reason, "amount": amount},
        perform=lambda: _reverse(context, entry_id, key, reason, amount),
    )


def credit_adjust(context: ExecutionContext, *, account_id: UUID, key: str, amount: int, reason: str) -> Answer:
    """Take `amount` micro-credits from the account for a reason. To give, grant an adjustment.

    Raises `InsufficientCreditsError` where the floor does not allow it, `UnprocessableError` without a reason.
    """
    return idempotent(
        scope=scope_of(context),
        key=key,
        operation="credits.adjust",
        body={"account_id": account_id, "amount": amount, "reason": reason},
        perform=lambda: _adjust(context, account_id, key, amount, reason),
    )


def _reverse(context: ExecutionContext, entry_id: UUID, key: str, reason: str, amount: int | None) -> Answer:
    entry = CreditEntry.objects.filter(pk=entry_id).first()
    if entry is None:
        raise unknown_entry(entry_id)
    require_own(context, Owned.ENTRY, entry.pk, entry.product_id)
    account_apply_due(context, account_id=entry.account_id)
    account_for_update(entry.account_id)
    given = -entry.amount if amount is None else amount
    _guard(entry, given)
    now = clock.now()
    posted = post(
        context,
        account_id=entry.account_id,
        kind=EntryKind.REVERSAL,
        amount=given,
        at=now,
        product_id=entry.product_id,
        operation=entry.operation,
        category=entry.category,
        workspace_id=entry.workspace_id,
        reversal_of_id=entry.pk,
        policy_version=entry.policy_version,
        idempotency_key=key,
        reason=reason,
    )
    _give_back(entry, posted, given)
    pay_debts(entry.account_id)
    expire_unheld(context, account_id=entry.account_id, at=now)
    floor_refresh(entry.account_id)
    next_due_refresh(entry.account_id, now)
    audit_append(
        context,
        events.CREDITS_REVERSED,
        AuditTarget("credit_entry", entry.pk, entry.account_id),
        after={"reversal_id": posted.id, "amount": given, "idempotency_key": key},
        reason=reason,
    )
    return Answer(201, _values_after(entry.account_id, posted, {"reversal_of": str(entry.pk), "reversed": given}))


def _guard(entry: CreditEntry, given: int) -> None:
    if EntryKind(entry.kind) not in CHARGES or entry.amount == 0:
        what = "charged nothing" if EntryKind(entry.kind) in CHARGES else f"is no charge but of the kind {entry.kind}"
        raise UnprocessableError(
            f"The entry {entry.pk} {what}, so there is nothing to give back.",
            code="nothing_to_reverse",
            title="Nothing to give back",
        )
    if CreditEntry.objects.filter(reversal_of=entry).exists():
        raise ConflictError(
            f"The entry {entry.pk} was reversed already; a charge is given back once.",
            code="already_reversed",
            title="Reversed already",
        )
    if given > -entry.amount:
        raise above("amount", given, -entry.amount, "what was charged", remedy="Give back at most that.")


def _give_back(entry: CreditEntry, posted: Posted, given: int) -> None:
    left = given
    debt = UncoveredCharge.objects.filter(pk=entry.pk, amount_left__gt=0).first()
    if debt is not None:
        forgiven = min(left, debt.amount_left)
        UncoveredCharge.objects.filter(pk=entry.pk).update(amount_left=F("amount_left") - forgiven)
        left -= forgiven
    # The last credits paid come back first: what stays is what a charge smaller by that much would have burned.
    for burn in GrantBurn.objects.filter(entry=entry).order_by("-pk"):
        back = min(left, burn.amount)
        if back:
            GrantBurn.objects.create(entry_id=posted.id, grant_id=burn.grant_id, amount=-back)
            CreditGrant.objects.filter(pk=burn.grant_id).update(remaining=F("remaining") + back)
            left -= back


def _adjust(context: ExecutionContext, account_id: UUID, key: str, amount: int, reason: str) -> Answer:
    if not reason.strip():
        raise UnprocessableError("Say why; the ledger and the audit log keep it.")
    account_apply_due(context, account_id=account_id)
    account = account_for_update(account_id)
    if account is None:
        raise NotFoundError(f"There is no account {account_id}.")
    if amount > account.balance - account.held + account.overdraft_limit:
        raise InsufficientCreditsError("The account does not hold as much. Take less, or raise the overdraft limit.")
    now = clock.now()
    posted = post(
        context,
        account_id=account_id,
        kind=EntryKind.ADJUSTMENT,
        amount=-amount,
        at=now,
        idempotency_key=key,
        reason=reason,
    )
    audit_append(
        context,
        events.CREDITS_ADJUSTED,
        AuditTarget("credit_entry", posted.id, account_id),
        after={"amount": -amount, "idempotency_key": key},
        reason=reason,
    )
    return Answer(201, _values_after(account_id, posted, {"amount": -amount}))


def _values_after(account_id: UUID, posted: Posted, values: dict[str, str | int]) -> dict[str, str | int]:
    account = CreditAccount.objects.get(pk=account_id)
    available = account.balance - account.held + account.overdraft_limit
    balance = {"balance": account.balance, "held": account.held, "available": available}
    return {"entry_id": str(posted.id), **values, **balance}
