"""What a consumption answers: credits_answer_rest, credits_answer_of, credits_answer."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from apps.core.amounts import MICRO
from apps.credits.models import CreditEntry
from apps.credits.services import overdraft_set
from apps.tenants.enums import BillingMode
from tests.contexts import console_context
from tests.credits.cast import consumption, make_place
from tests.credits.test_book_what_happened import open_hold, set_mode
from tests.credits.test_consume_at_edges import BOTH, Consume

pytestmark = pytest.mark.django_db


def in_database(call: str, *values: int | UUID) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {call}", values)
        (found,) = cursor.fetchone()
    return json.loads(found) if isinstance(found, str) else found


@pytest.mark.parametrize(("held", "overdraft"), [(0, 0), (3, 0), (0, 4), (3, 4)])
@pytest.mark.parametrize("balance", [10, -2])
def test_what_an_entry_does_not_tell(balance: int, held: int, overdraft: int) -> None:
    rest = in_database("credits_answer_rest(%s, %s, %s)", balance, held, overdraft)
    available = balance - held + overdraft
    assert rest == ({"held": held, "available": available} if held or overdraft else None)


@BOTH
@pytest.mark.parametrize("mode", [BillingMode.CENTRAL, BillingMode.SHADOW])
def test_the_answer_to_a_run_tells_who_decided_and_what_is_left(consume: Consume, mode: BillingMode) -> None:
    place = make_place(whole_credits=10)
    overdraft_set(console_context(), account_id=place.organization.pk, limit=4 * MICRO, reason="a good customer")
    open_hold(place, operation="unit", quantity=3 * MICRO)
    set_mode(place, mode)
    is_local = mode == BillingMode.SHADOW
    item = consumption(place, operation="unit", quantity=2 * MICRO, local_charge=MICRO if is_local else None)
    answer = consume(place, item).body
    charged = 0 if is_local else 2 * MICRO
    assert answer == {
        "entry_id": answer["entry_id"],
        "charged": charged,
        "balance": 10 * MICRO - charged,
        "held": 3 * MICRO,
        "available": 11 * MICRO - charged,
        "category": "regular",
        "billable": True,
        "policy_version": 1,
        "late": False,
        **({"decided_by": "local", "shadow_charge": 2 * MICRO} if is_local else {}),
    }
    entry = CreditEntry.objects.get(pk=str(answer["entry_id"]))
    assert in_database("credits_answer(e) FROM credits_creditentry e WHERE e.id = %s", entry.pk) == answer
    assert consume(place, item).body == answer
