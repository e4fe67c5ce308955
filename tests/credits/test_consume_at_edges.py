"""A consumption exactly at the border of a rule, alone and in a batch: SQL draws it where the rules do.

Of credits_consume_4, credits_consume_batch_4 and credits_consume_set_4.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import time_machine
from django.db import connection

from apps.core.amounts import MICRO
from apps.core.errors import CountinghouseError
from apps.core.idempotency import Answer, lock_of_key
from apps.core.ids import ProductId
from apps.core.models import IdempotencyRecord
from apps.core.states import IdempotencyOutcome
from apps.credits.contracts import AccountRef, Consumption, scope_of
from apps.credits.enums import AccountType, OnInsufficient
from apps.credits.models import CreditEntry, CreditGrant
from apps.credits.rules.pricing import Price
from apps.credits.services import account_apply_due, credit_policy_publish_prices, credits_consume_batch
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.tenants.enums import BillingMode
from apps.tenants.models import Organization, User
from tests.contexts import console_context, identity_context, product_context
from tests.credits.cast import Place, assert_sound, consumption, give, make_place
from tests.credits.test_book_what_happened import alone, drift, in_a_batch, open_hold, set_mode
from tests.credits.test_race_for_credits import make_places
from tests.credits.test_wait_for_account import make_person
from tests.factories.tenants import make_membership, make_user, make_workspace

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
INSTANT = timedelta(microseconds=1)
Consume = Callable[[Place, Consumption], Answer]
BOTH = pytest.mark.parametrize("consume", [alone, in_a_batch])


def told(consume: Consume, place: Place, item: Consumption) -> str:
    try:
        consume(place, item)
    except CountinghouseError as error:
        return error.problem_code
    return "charged"


@BOTH
@pytest.mark.parametrize(("before", "said"), [(INSTANT, "charged"), (timedelta(0), "insufficient_credits")])
def test_a_grant_pays_until_the_moment_at_which_it_lapses(consume: Consume, before: timedelta, said: str) -> None:
    with time_machine.travel(NOON, tick=False):
        place = make_place()
        give(place, MICRO, expires_at=NOON + HOUR)
    with time_machine.travel(NOON + HOUR - before, tick=False):
        assert told(consume, place, consumption(place, operation="unit")) == said
        assert place.account.balance == 0


@BOTH
def test_an_entry_names_a_month_where_it_took_free_units_alone(consume: Consume) -> None:
    place = make_place(whole_credits=10)
    for operation, quantity in (("unit", 1), ("scan", 100), ("scan", 1)):
        consume(place, consumption(place, operation=operation, quantity=quantity * MICRO))
    entries = CreditEntry.objects.filter(kind="consumption")
    assert {entry.free_quantity > 0 for entry in entries} == {False, True}
    assert all((entry.free_month is None) == (entry.free_quantity == 0) for entry in entries)
    assert {(entry.category == "free") == (entry.free_quantity == entry.quantity) for entry in entries} == {True}


@BOTH
@pytest.mark.parametrize(("back", "warnings"), [(timedelta(0), []), (INSTANT, ["booked_for_review"])])
def test_what_happened_35_days_ago_is_no_case_for_review_yet(
    consume: Consume, back: timedelta, warnings: list[str]
) -> None:
    place = make_place(whole_credits=10)
    with time_machine.travel(NOON + timedelta(days=365), tick=False):
        happened = NOON + timedelta(days=365 - 35) - back
        item = consumption(place, operation="unit", occurred_at=happened, on_insufficient=OnInsufficient.RECORD)
        assert consume(place, item).body.get("warnings", []) == warnings


@BOTH
@pytest.mark.parametrize(("left", "said"), [(0, "charged"), (-1, "insufficient_credits")])
def test_what_costs_all_that_is_left_is_affordable(consume: Consume, left: int, said: str) -> None:
    place = make_place()
    give(place, 3 * MICRO + left)
    assert told(consume, place, consumption(place, operation="unit", quantity=3 * MICRO)) == said
    assert place.account.balance == (0 if said == "charged" else 3 * MICRO + left)


@pytest.mark.parametrize("after", [-INSTANT, timedelta(0), HOUR / 4])
def test_a_run_that_ends_a_hold_lets_what_the_hold_had_kept_lapse(after: timedelta) -> None:
    """Its own account's grants alone: another one waits beside it with a grant that lapses earlier."""
    with time_machine.travel(NOON, tick=False):
        place, other = make_place("red"), make_place("blue")
        give(place, MICRO, expires_at=NOON + HOUR / 4)
        alone(place, consumption(place, operation="unit"))
        account_apply_due(
            place.context, account_id=place.organization.pk
        )  # that one is spent, and has nothing to lapse
        for each, lapses_at in ((place, NOON + HOUR / 2), (other, NOON + HOUR / 4)):
            give(each, 5 * MICRO, expires_at=lapses_at)
        ends = open_hold(place), open_hold(other)
        give(place, MICRO)
    with time_machine.travel(NOON + HOUR / 2 + after, tick=False):
        account_apply_due(place.context, account_id=place.organization.pk)
        before = place.account.next_due_at, other.account.next_due_at
        alone(place, consumption(place, hold_id=ends[0]))
        lapsed = after >= timedelta(0)
        assert place.account.next_due_at == (NOON + HOUR / 2 + after if lapsed else before[0])
        assert other.account.next_due_at == before[1]


@BOTH
def test_a_key_is_its_products_own(consume: Consume) -> None:
    place = make_place(whole_credits=1)
    IdempotencyRecord.objects.create(
        scope=f"product:{uuid.uuid4()}",
        key="run",
        operation="credits.consume",
        body_hash="a" * 64,
        outcome=IdempotencyOutcome.REFUSED,
        answer={},
        created_at=NOON,
    )
    assert told(consume, place, consumption(place, "run", operation="unit")) == "charged"


@BOTH
@pytest.mark.parametrize("is_identity", [False, True], ids=["product", "identity service"])
@pytest.mark.parametrize(
    "asked",
    ["its own", "a member", "no member", "not related", "no account", "no operation", "foreign workspace", "hold"],
)
def test_who_may_charge_whom(consume: Consume, asked: str, is_identity: bool) -> None:
    place, other = make_place(whole_credits=10), make_place("blue", whole_credits=10)
    wish: dict[str, Any] = {"operation": "unit"}
    of = place.product
    match asked:
        case "a member" | "no member":
            wish["user_id"] = make_user().pk
            if asked == "a member":
                make_membership(place.organization, User.objects.get(pk=wish["user_id"]))
        case "not related":
            of = other.product
        case "no account":  # also of what has happened, which no closed gate refuses
            wish["account"] = AccountRef(AccountType.ORGANIZATION, uuid.uuid4())
            wish["on_insufficient"] = OnInsufficient.RECORD
        case "no operation":
            wish["operation"] = "never priced"
        case "foreign workspace":
            wish["workspace_id"] = make_workspace(other.organization).pk
        case "hold":
            wish["hold_id"] = open_hold(other)
    context = identity_context(of) if is_identity else product_context(of)
    here = Place(of, place.organization, context)
    may = asked in {"its own", "a member"} or (asked == "not related" and is_identity)
    item = consumption(here, **wish)
    assert (told(consume, here, item) == "charged") is may
    found = CreditEntry.objects.filter(idempotency_key=item.key)
    assert [entry.account_id for entry in found] == [place.organization.pk] * may


@BOTH
def test_a_hold_of_the_same_product_in_another_account_is_not_taken(consume: Consume) -> None:
    place, other = make_places(2)
    for each in (place, other):
        give(each, 10 * MICRO)
    hold = open_hold(other)
    assert told(consume, place, consumption(place, operation="unit", hold_id=hold)) != "charged"
    assert (place.account.balance, other.account.held > 0) == (10 * MICRO, True)


@BOTH
def test_a_persons_run_is_charged_to_the_persons_own_account(consume: Consume) -> None:
    place = make_place(whole_credits=10)
    person = make_person(place)
    owner = AccountRef(AccountType.USER, person.organization.memberships.get().user_id)
    answer = consume(place, consumption(place, operation="unit", account=owner)).body
    assert CreditEntry.objects.get(pk=str(answer["entry_id"])).account_id == person.organization.pk
    assert (place.account.balance, person.account.balance) == (10 * MICRO, 0)


@BOTH
@pytest.mark.parametrize(("asked", "said"), [(5, "charged"), (6, "insufficient_credits")])
def test_what_a_hold_keeps_is_not_to_be_spent(consume: Consume, asked: int, said: str) -> None:
    place = make_place(whole_credits=10)
    open_hold(place, operation="unit", quantity=5 * MICRO)
    item = consumption(place, operation="unit", quantity=asked * MICRO)
    assert told(consume, place, item) == said
    if said == "charged":
        answer = consume(place, item).body
        assert [answer[name] for name in ("balance", "held", "available")] == [5 * MICRO, 5 * MICRO, 0]


@BOTH
@pytest.mark.parametrize("override", ["", "free", "internal"])
def test_what_an_organization_uses_counts_as_its_category_says(consume: Consume, override: str) -> None:
    place = make_place(whole_credits=10)
    OrganizationPaymentConfig.objects.filter(organization=place.organization).update(usage_category_override=override)
    entry = CreditEntry.objects.get(pk=str(consume(place, consumption(place, operation="unit")).body["entry_id"]))
    assert (entry.category, entry.amount) == (override or "regular", 0 if override else -MICRO)


@BOTH
@pytest.mark.parametrize("is_closed", [False, True])
def test_a_closed_organization_is_charged_nothing(consume: Consume, is_closed: bool) -> None:
    place = make_place(whole_credits=10)
    Organization.objects.filter(pk=place.organization.pk).update(closed_at=NOON if is_closed else None)
    said = told(consume, place, consumption(place, operation="unit"))
    assert said == ("lifecycle_denied" if is_closed else "charged")
    assert place.account.balance == (10 if is_closed else 9) * MICRO


@BOTH
def test_a_key_in_flight_is_neither_charged_nor_waited_for(consume: Consume) -> None:
    place = make_place(whole_credits=10)
    item = consumption(place, operation="unit")
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [lock_of_key(scope_of(place.context), item.key)])
        assert told(consume, place, item) == "idempotency_key_in_flight"
        assert place.account.balance == 10 * MICRO
        other.execute("SELECT pg_advisory_unlock_all()")
    assert told(consume, place, item) == "charged"


@BOTH
@pytest.mark.parametrize(("happened", "free"), [(NOON - timedelta(days=20), 100), (NOON, 0)])
def test_a_run_of_last_month_takes_the_free_units_of_last_month(
    consume: Consume, happened: datetime, free: int
) -> None:
    with time_machine.travel(NOON - timedelta(days=40), tick=False):
        place = make_place(whole_credits=10)
    with time_machine.travel(NOON, tick=False):
        alone(place, consumption(place, operation="scan", quantity=100 * MICRO))
        item = consumption(place, operation="scan", quantity=100 * MICRO, occurred_at=happened)
        answer = consume(place, item).body
    assert CreditEntry.objects.get(pk=str(answer["entry_id"])).free_quantity == free * MICRO
    assert answer["charged"] == (0 if free else MICRO)


@BOTH
def test_a_run_has_the_price_of_the_day_on_which_it_happened(consume: Consume) -> None:
    """Of the policy in force then, though another one is since: earlier, at the moment it began, and later."""
    with time_machine.travel(NOON, tick=False):
        place = make_place(whole_credits=10)
    with time_machine.travel(NOON + HOUR, tick=False):
        credit_policy_publish_prices(
            console_context(), product_id=ProductId(place.product.pk), prices=[Price("unit", "piece", 2 * MICRO)]
        )
    later = timedelta(minutes=2)  # by a clock that goes before ours
    with time_machine.travel(NOON + 2 * HOUR, tick=False):
        prices, begins = [Price("unit", "piece", 3 * MICRO)], NOON + 2 * HOUR + later
        product = ProductId(place.product.pk)
        credit_policy_publish_prices(console_context(), product_id=product, prices=prices, effective_from=begins)
        for at, price in ((HOUR - INSTANT, 1), (HOUR, 2), (2 * HOUR, 2), (2 * HOUR + later, 3)):
            item = consumption(place, operation="unit", occurred_at=NOON + at)
            assert consume(place, item).body["charged"] == price * MICRO


@BOTH
@pytest.mark.parametrize("local", [MICRO, 2 * MICRO])
def test_a_shadowed_charge_that_agrees_is_no_difference(consume: Consume, local: int) -> None:
    place = make_place(whole_credits=10)
    set_mode(place, BillingMode.SHADOW)
    answer = consume(place, consumption(place, operation="unit", local_charge=local)).body
    assert (answer["decided_by"], answer["shadow_charge"]) == ("local", MICRO)
    assert drift() == ["amount"] * (local != MICRO)


def test_runs_of_nothing_after_all_has_burned_leave_nothing_to_burn_again() -> None:
    place = make_place(whole_credits=10)
    alone(place, consumption(place, operation="unit"))
    account_apply_due(place.context, account_id=place.organization.pk)
    for _ in range(2):
        in_a_batch(place, consumption(place, operation="unit", outcome="failed"))
    account_apply_due(place.context, account_id=place.organization.pk)
    assert place.account.burned_sequence == place.account.last_sequence
    assert CreditGrant.objects.get(account=place.account).remaining == 9 * MICRO
    assert_sound()


def test_one_id_named_as_two_kinds_of_account_is_charged_once() -> None:
    place = make_place(whole_credits=10)
    of_both = [AccountRef(kind, place.organization.pk) for kind in AccountType]
    items = [consumption(place, operation="unit", account=account) for account in of_both]
    results = credits_consume_batch(place.context, consumptions=items)
    assert [isinstance(result, Answer) for result in results] == [
        account.type == AccountType.ORGANIZATION for account in of_both
    ]
    assert place.account.balance == 9 * MICRO
