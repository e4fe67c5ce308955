"""Accounts whose holds have ended are settled in lists (spec 11, Speed)."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.core import clock
from apps.core.amounts import MICRO
from apps.credits.jobs import release_holds
from apps.credits.models import CreditAccount, Hold
from apps.credits.services import account_apply_due, credits_authorize, credits_consume
from apps.credits.services.settling import LIST_SIZE
from tests.contexts import console_context
from tests.credits.cast import Place, assert_sound, consumption, give, make_place
from tests.factories.tenants import make_organization
from tests.sent import statements
from tests.sizes import size

pytestmark = pytest.mark.django_db
START = datetime(2031, 3, 3, 12, tzinfo=UTC)
ACCOUNTS, _SAMPLE = size(small=12, full=2_000), 50


def run_job() -> dict[str, int]:
    return release_holds(console_context(), slot=clock.now(), organization_id=None, include_demo=False)


def with_holds(place: Place, count: int, whole: int) -> list[uuid.UUID]:
    """So many accounts, each with a hold that ends after an hour."""
    ids = [make_organization().pk for _ in range(count)]
    CreditAccount.objects.filter(pk__in=ids).update(
        held=whole * MICRO, floor=-whole * MICRO, next_due_at=START + timedelta(hours=1)
    )
    Hold.objects.bulk_create(
        Hold(
            account_id=account_id,
            product=place.product,
            operation="unit",
            quantity=MICRO,
            amount=whole * MICRO,
            policy_version=1,
            expires_at=START + timedelta(hours=1),
            created_at=START,
        )
        for account_id in ids
    )
    return ids


@pytest.mark.prove("13 accounts settle in lists, many times quicker than one by one", size=ACCOUNTS)
def test_a_list_of_accounts_costs_as_many_statements_as_one() -> None:
    place, counts = make_place(), []
    for count in (1, ACCOUNTS):
        with clock.as_of(START):
            ids = with_holds(place, count, 1)
        with clock.as_of(START + timedelta(hours=2)), statements() as sent:
            began = time.perf_counter()
            done = run_job()
            took = time.perf_counter() - began
        assert (done["accounts"], done["holds_released"]) == (count, count)
        settled = CreditAccount.objects.filter(pk__in=ids).values_list("held", "next_due_at").distinct()
        assert list(settled) == [(0, None)]
        counts.append(len(sent))
    lists = -(-ACCOUNTS // LIST_SIZE)
    assert counts[1] <= counts[0] * lists + lists
    if ACCOUNTS > LIST_SIZE:
        assert took / ACCOUNTS * 3 < one_by_one(place), f"{took / ACCOUNTS * 1000:.3f} ms an account"


def one_by_one(place: Place) -> float:
    """Seconds an account, on the same machine under the same load."""
    with clock.as_of(START):
        ids = with_holds(place, _SAMPLE, 1)
    with clock.as_of(START + timedelta(hours=2)):
        began = time.perf_counter()
        for account_id in ids:
            account_apply_due(console_context(), account_id=account_id)
        return (time.perf_counter() - began) / _SAMPLE


def test_what_is_different_in_a_list_is_done_too() -> None:
    """Charges to burn, a hold, a grant that begins and one that a hold had kept, each in an account of its own."""
    places = [make_place(f"p{number}") for number in range(4)]
    burning, holding, beginning, ending = places
    with clock.as_of(START):
        for place in (burning, holding):
            give(place, 10 * MICRO)
        give(beginning, 5 * MICRO, effective_at=START + timedelta(hours=1))
        give(ending, 5 * MICRO, expires_at=START + timedelta(hours=1))
        for place in (holding, ending):
            question = consumption(place, operation="unit", quantity=2 * MICRO).question
            answer: Any = credits_authorize(
                place.context, question=question, hold_ttl=timedelta(hours=1), key=uuid.uuid4().hex
            )
            assert answer["hold"]
        credits_consume(burning.context, consumption=consumption(burning, operation="unit"))
    with clock.as_of(START + timedelta(hours=2)):
        done = run_job()
    assert done == {"accounts": 4, "holds_released": 2, "grants_begun": 1, "grants_expired": 1}
    stands = [(place.account.balance // MICRO, place.account.held, place.account.next_due_at) for place in places]
    assert stands == [(9, 0, None), (10, 0, None), (5, 0, None), (0, 0, None)]
    assert burning.account.burned_sequence == burning.account.last_sequence
    assert_sound()
