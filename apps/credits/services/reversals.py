"""Reversals give a charge back to the grants that paid it, in parts; adjustments take what staff decide (spec 05)."""

from __future__ import annotations

from datetime import UTC, date
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
from apps.credits.enums import CHARGES, EntryKind, Owned
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant, GrantBurn, UncoveredCharge
from apps.credits.ownership import require_own
from apps.credits.refusals import InsufficientCreditsError, above, unknown_entry
from apps.credits.rules.allocation import affordable, reversal_order
from apps.credits.rules.months import month_of
from apps.credits.selectors.ledger import left_to_reverse, payments_of
from apps.credits.services.accounts import (
    Posted,
    account_apply_due,
    account_for_update,
    expire_unheld,
    floor_refresh,
    next_due_refresh,
    pay_debts,
    post,
    use_free,
)
from apps.tenants.services.refusals import require_open


def entry_reverse(
    context: ExecutionContext, *, entry_id: UUID, key: str, reason: str, amount: int | None = None
) -> Answer:
    """Give back what is left of a charge, or `amount` micro-credits of it; never more than was charged in all.

    It goes to what no grant had paid yet, then to the grants that paid, the last credits paid first; with the last of
    it the free quantity goes back to its month. What goes back to a grant that has ended lapses with it, and the answer
    says how much. Raises `NotFoundError`, `ForbiddenError` for another product's entry, `ConflictError` where nothing
    is left, and `UnprocessableError` for more than is left or for an entry that is no charge.
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
        perform=lambda: adjustment_store(context, account_id=account_id, key=key, amount=amount, reason=reason),
    )


def _reverse(context: ExecutionContext, entry_id: UUID, key: str, reason: str, amount: int | None) -> Answer:
    entry = CreditEntry.objects.filter(pk=entry_id).first()
    if entry is None:
        raise unknown_entry(entry_id)
    require_own(context, Owned.ENTRY, entry.pk, entry.product_id)
    account_apply_due(context, account_id=entry.account_id)
    account_for_update(entry.account_id)
    require_open(entry.account_id)
    left, free = left_to_reverse(entry)
    given = left if amount is None else amount
    _guard(entry, given, left, free)
    # Free units are a run's first, so they come back last: with all that was paid.
    free = free if given == left else 0
    posted, now = _post(context, entry, key, reason, given, free), clock.now()
    touched = _give_back(entry, posted, given)
    use_free(entry.account_id, entry.product_id, entry.operation, _free_month(entry), -free)
    pay_debts(entry.account_id)
    expired = expire_unheld(context, account_id=entry.account_id, at=now)
    lapsed = sum(min(back, expired.get(grant_id, 0)) for grant_id, back in touched.items())
    floor_refresh(entry.account_id)
    next_due_refresh(entry.account_id, now)
    audit_append(
        context,
        events.CREDITS_REVERSED,
        AuditTarget("credit_entry", entry.pk, entry.account_id),
        after={"reversal_id": posted.id, "amount": given, "free_quantity": free, "idempotency_key": key},
        reason=reason,
    )
    values: dict[str, str | int] = {"reversal_of": str(entry.pk), "reversed": given, "lapsed": lapsed}
    return Answer(
        201,
        _values_after(entry.account_id, posted, {**values, "free_quantity_returned": free, "remaining": left - given}),
    )


def _post(context: ExecutionContext, entry: CreditEntry, key: str, reason: str, given: int, free: int) -> Posted:
    return post(
        context,
        account_id=entry.account_id,
        kind=EntryKind.REVERSAL,
        amount=given,
        at=clock.now(),
        product_id=entry.product_id,
        operation=entry.operation,
        quantity=free,
        free_quantity=free,
        free_month=_free_month(entry) if free else None,
        category=entry.category,
        workspace_id=entry.workspace_id,
        reversal_of_id=entry.pk,
        policy_version=entry.policy_version,
        idempotency_key=key,
        reason=reason,
    )


def _free_month(entry: CreditEntry) -> date:
    """The month whose free quantity it took; entries of the first release took that of their UTC month."""
    return entry.free_month or month_of(entry.recorded_at, UTC)


def _guard(entry: CreditEntry, given: int, left: int, free: int) -> None:
    is_charge = EntryKind(entry.kind) in CHARGES
    if not is_charge or (entry.amount == 0 and entry.free_quantity == 0):
        what = "charged nothing" if is_charge else f"is no charge but of the kind {entry.kind}"
        raise UnprocessableError(
            f"The entry {entry.pk} {what}, so there is nothing to give back.",
            code="nothing_to_reverse",
            title="Nothing to give back",
        )
    if left == 0 and free == 0:
        raise ConflictError(
            f"The entry {entry.pk} was given back in full already.",
            code="already_reversed",
            title="Reversed already",
        )
    if given > left:
        what = "what was charged" if left == -entry.amount else "what is left of the charge"
        raise above("amount", given, left, what, remedy="Give back at most that.")


def _give_back(entry: CreditEntry, posted: Posted, given: int) -> dict[UUID, int]:
    """Give the amount back to those who paid; how much by grant."""
    unpaid, payments, returned = payments_of(entry)
    forgiven, parts = reversal_order(given, unpaid=unpaid, payments=payments, returned=returned)
    if forgiven:
        UncoveredCharge.objects.filter(pk=entry.pk).update(amount_left=F("amount_left") - forgiven)
    touched: dict[UUID, int] = {}
    for grant_id, back in parts:
        GrantBurn.objects.create(entry_id=posted.id, grant_id=grant_id, amount=-back)
        CreditGrant.objects.filter(pk=grant_id).update(remaining=F("remaining") + back)
        touched[grant_id] = touched.get(grant_id, 0) + back
    return touched


def adjustment_store(
    context: ExecutionContext, *, account_id: UUID, key: str, amount: int, reason: str, force: bool = False
) -> Answer:
    """Take credits in the caller's transaction, who sees to it that it happens once. Raises as `credit_adjust`.

    With `force` it is booked as a debt where the account does not hold as much.
    """
    if not reason.strip():
        raise UnprocessableError("Say why; the ledger and the audit log keep it.")
    account_apply_due(context, account_id=account_id)
    account = account_for_update(account_id)
    if account is None:
        raise NotFoundError(f"There is no account {account_id}.")
    require_open(account_id)
    if not force and not affordable(amount, account.available):
        raise InsufficientCreditsError("The account does not hold as much. Take less, or raise the overdraft limit.")
    now = clock.now()
    posted = post(
        context,
        account_id=account_id,
        kind=EntryKind.ADJUSTMENT,
        amount=-amount,
        at=now,
        force=force,
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
    balance = {"balance": account.balance, "held": account.held, "available": account.available}
    return {"entry_id": str(posted.id), **values, **balance}
