"""Accounts: made with their organization, locked before every change, kept up to date, and posted to.

`account_apply_due` lets charges burn their grants and does what has come due: it posts grants that begin, releases
holds that ended, and expires grants. The jobs call it, and so does whatever shows or changes grants and every decision
that finds `next_due_at` passed, so that a beat that stands still changes nothing. An expiry takes only what is left of
the grant and is not promised to an open hold; the rest goes when the hold ends.

What falls due is the scheduler's doing, whoever's request finds it: nobody gets an entry in their name by looking.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Min, Q

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.audit.secrecy import redact_text
from apps.core.canonical import plain
from apps.core.context import ExecutionContext, system_context
from apps.core.enums import AuthorizationSource
from apps.core.ids import OrganizationId
from apps.credits import events
from apps.credits.enums import CHARGES, EntryKind, HoldStatus
from apps.credits.models import CreditAccount, CreditGrant, GrantBurn, Hold, UncoveredCharge
from apps.credits.rules.allocation import allocate, available

_POST = (
    "SELECT (a).balance, (a).held, (a).overdraft_limit FROM (SELECT credits_post("
    "jsonb_populate_record(NULL::credits_creditentry, %s::jsonb), %s, %s) AS a) posted"
)
_DEFAULTS = {
    "operation": "",
    "quantity": 0,
    "free_quantity": 0,
    "outcome": "",
    "category": "",
    "is_billable": False,
    "is_late": False,
    "run_id": "",
    "idempotency_key": "",
    "reason": "",
}


@transaction.atomic
def credit_account_create(context: ExecutionContext, *, organization_id: OrganizationId) -> CreditAccount:
    """Make the account of a new organization, in the transaction that makes the organization; one each."""
    account = CreditAccount.objects.create(organization_id=organization_id, created_at=clock.now())
    audit_append(
        context, events.CREDIT_ACCOUNT_CREATED, account.audit_target, after={"balance": 0, "overdraft_limit": 0}
    )
    return account


def account_for_update(account_id: UUID) -> CreditAccount | None:
    """Lock the account until the transaction ends."""
    return CreditAccount.objects.select_for_update(no_key=True).filter(pk=account_id).first()


@transaction.atomic
def account_apply_due(context: ExecutionContext, *, account_id: UUID) -> dict[str, int]:
    """Bring the account up to now: its charges burn, what is due happens.

    Returns how many holds were released, grants begun and grants expired.
    """
    now = clock.now()
    context = _of_schedule(context, account_id)
    account = account_for_update(account_id)
    counts = {"holds_released": 0, "grants_begun": 0, "grants_expired": 0}
    if account is not None and account.burned_sequence < account.last_sequence:
        burn([account_id])
    if account is None or account.next_due_at is None or account.next_due_at > now:
        return counts
    counts["holds_released"] = _release_due(account, now)
    for grant in _beginning(account_id, now):
        grant_begin(context, grant=grant, at=now)
        counts["grants_begun"] += 1
    counts["grants_expired"] = len(_expire_due(context, account_id, now))
    next_due_refresh(account_id, now)
    return counts


@transaction.atomic
def accounts_burn(context: ExecutionContext, *, account_ids: Iterable[UUID]) -> int:
    """Let what the accounts were charged since the last time burn their grants; how many of them had been charged."""
    behind = CreditAccount.objects.filter(pk__in=account_ids, burned_sequence__lt=F("last_sequence"))
    found = list(behind.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
    burn(found)
    return len(found)


def grant_begin(context: ExecutionContext, *, grant: CreditGrant, at: datetime) -> UUID:
    """Post the grant's entry and let it pay what no grant has paid yet. The account is locked."""
    entry = post(
        context,
        account_id=grant.account_id,
        kind=EntryKind.GRANT,
        amount=grant.amount,
        at=at,
        grant_id=grant.pk,
        product_id=grant.product_id,
        idempotency_key=grant.idempotency_key,
    )
    CreditGrant.objects.filter(pk=grant.pk).update(is_posted=True, remaining=grant.amount)
    pay_debts(grant.account_id)
    floor_refresh(grant.account_id)
    return entry.id


def next_due_refresh(account_id: UUID, now: datetime) -> None:
    """Note when something of the account comes due next."""
    grants = CreditGrant.objects.filter(account_id=account_id)
    hold = Hold.objects.filter(account_id=account_id, status=HoldStatus.OPEN).aggregate(at=Min("expires_at"))["at"]
    moments = [
        hold,
        grants.filter(is_posted=False, voided_at__isnull=True).aggregate(at=Min("effective_at"))["at"],
        grants.filter(is_spent=False, expires_at__gt=now).aggregate(at=Min("expires_at"))["at"],
    ]
    due = min((moment for moment in moments if moment is not None), default=None)
    CreditAccount.objects.filter(pk=account_id).update(next_due_at=due)


def floor_refresh(account_id: UUID) -> None:
    """Bring the floor back up as far as the debts allow, never above minus the overdraft limit."""
    account = CreditAccount.objects.get(pk=account_id)
    floor = min(-account.overdraft_limit, account.balance - account.held)
    if floor != account.floor:
        CreditAccount.objects.filter(pk=account_id).update(floor=floor)


def expire_unheld(context: ExecutionContext, *, account_id: UUID, at: datetime) -> dict[UUID, int]:
    """Expire what a hold had kept from expiring and keeps no longer; how much by grant. The account is locked."""
    return _expire_due(_of_schedule(context, account_id), account_id, at)


def _of_schedule(context: ExecutionContext, account_id: UUID) -> ExecutionContext:
    """The scheduler's context for what falls due; the request id still leads to the request that found it."""
    return system_context(
        AuthorizationSource.SCHEDULER,
        name="settle-accounts",
        request_id=context.request_id,
        organization_id=OrganizationId(account_id),
        is_demo=context.is_demo,
    )


def _release_due(account: CreditAccount, now: datetime) -> int:
    holds = list(Hold.objects.filter(account=account, status=HoldStatus.OPEN, expires_at__lte=now))
    Hold.objects.filter(pk__in=[hold.pk for hold in holds]).update(status=HoldStatus.EXPIRED, ended_at=now)
    CreditAccount.objects.filter(pk=account.pk).update(held=F("held") - sum(hold.amount for hold in holds))
    for hold in holds:
        return_free(hold)
    return len(holds)


def use_free(account: UUID | None, product: UUID | None, operation: str, month: date | None, quantity: int) -> None:
    """Count so much of the month's free quantity as used; less than 0 gives it back. The account is locked."""
    if quantity:
        values = [account, product, operation, month, quantity]
        with connection.cursor() as cursor:
            cursor.execute("SELECT credits_use_free(%s, %s, %s, %s, %s)", values)


def return_free(hold: Hold) -> None:
    """Give back what an ended hold had reserved of a month's free quantity."""
    use_free(hold.account_id, hold.product_id, hold.operation, hold.free_month, -hold.free_quantity)


def _beginning(account_id: UUID, now: datetime) -> list[CreditGrant]:
    waiting = CreditGrant.objects.filter(account_id=account_id, is_posted=False, voided_at__isnull=True)
    grants = waiting.filter(effective_at__lte=now)
    return list(grants.order_by("effective_at", "created_at", "pk"))


def _expire_due(context: ExecutionContext, account_id: UUID, now: datetime) -> dict[UUID, int]:
    expired: dict[UUID, int] = {}
    has_ended = Q(expires_at__lte=now) | Q(voided_at__isnull=False)
    ended = CreditGrant.objects.filter(has_ended, account_id=account_id, is_spent=False)
    for grant in ended.order_by("expires_at", "created_at", "pk"):
        taken = grant_take_rest(context, grant=grant, at=now)
        if taken is None:
            break
        expired[grant.pk] = taken[1]
    return expired


def grant_take_rest(
    context: ExecutionContext, *, grant: CreditGrant, at: datetime, key: str = "", reason: str = ""
) -> tuple[Posted, int] | None:
    """Take what is left of a grant that has ended, but for what open holds stand on; None where that is all of it.

    Its account is locked and its charges have burned. Returns the entry and what it took.
    """
    account = CreditAccount.objects.get(pk=grant.account_id)
    taken = min(grant.remaining, max(account.balance - account.held, 0))
    if taken == 0:
        return None
    kind = EntryKind.EXPIRY if grant.voided_at is None else EntryKind.VOID
    entry = post(
        context,
        account_id=grant.account_id,
        kind=kind,
        amount=-taken,
        at=at,
        grant_id=grant.pk,
        product_id=grant.product_id if key else None,
        idempotency_key=key,
        reason=reason,
    )
    CreditGrant.objects.filter(pk=grant.pk).update(remaining=F("remaining") - taken)
    GrantBurn.objects.create(entry_id=entry.id, grant=grant, amount=taken)
    # Such an entry burns its own grant alone, and has: no later charge may take it for one of those that wait.
    CreditAccount.objects.filter(pk=grant.account_id).update(burned_sequence=F("last_sequence"))
    return entry, taken


@dataclass(frozen=True, slots=True)
class Posted:
    """An entry that was just written, and the account after it."""

    id: UUID
    balance: int
    held: int
    overdraft_limit: int

    @property
    def available(self) -> int:
        return available(self.balance, self.held, self.overdraft_limit)


def post(
    context: ExecutionContext,
    *,
    account_id: UUID,
    kind: EntryKind,
    amount: int,
    at: datetime,
    released: int = 0,
    force: bool = False,
    **values: object,
) -> Posted:
    """Write one entry of the account, which the caller has locked and brought up to date; a charge burns grants.

    `released` is taken off what is held; `force` records a debt though it breaks the floor.
    """
    entry_id = uuid.uuid4()
    entry = {
        **_DEFAULTS,
        "id": entry_id,
        "account_id": account_id,
        "kind": kind.value,
        "amount": amount,
        "actor_label": context.actor.label,
        "request_id": context.request_id,
        "occurred_at": at,
        "recorded_at": at,
        **values,
    }
    entry["reason"] = redact_text(str(entry["reason"]))
    with connection.cursor() as cursor:
        cursor.execute(_POST, [json.dumps(plain(entry)), released, force])
        balance, held, overdraft_limit = cursor.fetchone() or (0, 0, 0)
    if kind in CHARGES:
        burn([account_id])
    return Posted(entry_id, balance, held, overdraft_limit)


def burn(account_ids: Sequence[UUID]) -> None:
    """Let what the locked accounts were charged since the last time burn their grants.

    A consumption leaves that to whoever comes next: it would be a quarter of its cost, and many burn together for far
    less (spec 05, Which grant paid: "at once or settled later in the same order").
    """
    if account_ids:
        with connection.cursor() as cursor:
            cursor.execute("SELECT credits_burn(%s)", [list(account_ids)])


def pay_debts(account_id: UUID) -> None:
    """Let the live grants, in burn order, pay the oldest charges that no grant has paid yet."""
    grants = list(CreditGrant.objects.filter(account_id=account_id, is_spent=False))
    debts = UncoveredCharge.objects.filter(account_id=account_id, amount_left__gt=0).order_by("sequence")
    for debt in debts if grants else ():
        parts, left = allocate(debt.amount_left, grants)
        for grant, taken in parts:
            grant.remaining -= taken
            GrantBurn.objects.create(entry_id=debt.entry_id, grant=grant, amount=taken)
            grant.save(update_fields=["remaining"])
        UncoveredCharge.objects.filter(pk=debt.pk).update(amount_left=left)
        if left:
            return
