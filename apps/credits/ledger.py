"""Posting to the ledger from Python, by the function that a consumption uses; what burns grants, and pays debts."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import F

from apps.core.audit.secrecy import redact_text
from apps.core.canonical import plain
from apps.core.context import ExecutionContext
from apps.credits.enums import EntryKind
from apps.credits.models import CreditGrant, GrantBurn, UncoveredCharge

_POST = (
    "SELECT (a).balance, (a).held, (a).overdraft_limit FROM (SELECT credits_post("
    "jsonb_populate_record(NULL::credits_creditentry, %s::jsonb), %s, %s) AS a) posted"
)
CHARGES = frozenset({EntryKind.CONSUMPTION, EntryKind.CAPTURE, EntryKind.ADJUSTMENT})
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


@dataclass(frozen=True, slots=True)
class Posted:
    """An entry that was just written, and the account after it."""

    id: UUID
    balance: int
    held: int
    overdraft_limit: int

    @property
    def available(self) -> int:
        return self.balance - self.held + self.overdraft_limit


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
    """Write one entry of the account, which the caller has locked and settled. A charge burns grants in their order.

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
    with connection.cursor() as cursor:
        cursor.execute("SELECT credits_burn(%s)", [list(account_ids)])


def pay_debts(account_id: UUID) -> None:
    """Let the live grants, in burn order, pay the oldest charges that no grant has paid yet."""
    live = CreditGrant.objects.filter(account_id=account_id, is_spent=False)
    grants = list(live.order_by("priority", F("expires_at").asc(nulls_last=True), "created_at", "pk"))
    debts = UncoveredCharge.objects.filter(account_id=account_id, amount_left__gt=0).order_by("sequence")
    for debt in debts if grants else ():
        left = debt.amount_left
        while left and grants:
            taken = min(left, grants[0].remaining)
            grants[0].remaining -= taken
            left -= taken
            GrantBurn.objects.create(entry_id=debt.entry_id, grant=grants[0], amount=taken)
            grants[0].save(update_fields=["remaining"])
            if grants[0].remaining == 0:
                grants.pop(0)
        UncoveredCharge.objects.filter(pk=debt.pk).update(amount_left=left)
        if not grants:
            return
