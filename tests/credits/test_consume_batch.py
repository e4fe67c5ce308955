"""A batch decides its items as the same items are decided one by one (spec 05, consume-batch).

By credits_consume_batch_4 and credits_consume_set_4, against credits_consume_4.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from msgspec.structs import replace

from apps.core.amounts import MICRO
from apps.core.errors import CountinghouseError
from apps.core.idempotency import Answer
from apps.core.ids import OrganizationId, ProductId, WorkspaceId
from apps.credits.contracts import Consumption
from apps.credits.enums import OnInsufficient
from apps.credits.models import CreditEntry, GrantBurn
from apps.credits.rules.pricing import Price
from apps.credits.selectors.policies import forget_terms
from apps.credits.services import (
    credit_policy_publish_prices,
    credits_authorize,
    credits_consume,
    credits_consume_batch,
    overdraft_set,
)
from apps.credits.services.consumption import Result
from apps.subscriptions.contracts import SetSubscriptionStatus, WorkspacePlace
from apps.subscriptions.enums import SubscriptionScope, SubscriptionState, SubscriptionStatus
from apps.subscriptions.ids import PlanId
from apps.subscriptions.services import payment_config_change
from tests.contexts import console_context
from tests.credits.cast import Place, assert_sound, consumption, give, look_at, make_place
from tests.factories.tenants import make_organization, make_product, make_workspace
from tests.sizes import size
from tests.subscriptions.cast import lead_to, make_plan, provider_context

pytestmark = pytest.mark.django_db(transaction=True)

_SHAPES: tuple[dict[str, Any], ...] = (
    {"operation": "fix_run"},
    {"operation": "unit", "quantity": 3 * MICRO},
    {"operation": "scan", "quantity": 40 * MICRO},
    {"operation": "scan", "quantity": 70 * MICRO},
    {"operation": "review", "outcome": "failed"},
    {"operation": "unknown"},
    {"operation": "unit", "quantity": 60 * MICRO},
    {"operation": "unit", "quantity": 90 * MICRO, "on_insufficient": OnInsufficient.RECORD},
)


def one_by_one(place: Place, items: list[Consumption]) -> list[Result]:
    """What each item is answered alone, when the account is looked at after each."""
    results: list[Result] = []
    for item in items:
        look_at(place)
        try:
            results.append(credits_consume(place.context, consumption=item))
        except CountinghouseError as refusal:
            results.append(refusal)
    return results


def told(results: list[Result]) -> list[object]:
    """What a caller sees of the results, without ids that differ by nature."""
    return [
        result.problem_code
        if isinstance(result, CountinghouseError)
        else (result.replayed, {name: value for name, value in result.body.items() if name != "entry_id"})
        for result in results
    ]


def lines(place: Place) -> list[tuple[object, ...]]:
    """The account's entries."""
    entries = CreditEntry.objects.filter(account=place.organization.pk).order_by("sequence")
    return list(entries.values_list("kind", "operation", "amount", "balance_after", "quantity", "free_quantity"))


@pytest.mark.parametrize("seed", range(size(small=6, full=200)))
def test_a_batch_ends_like_its_items_one_by_one(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - replayed by its seed
    shapes = [chance.choice(_SHAPES) for _ in range(chance.randint(1, 25))]
    amounts = [chance.randint(1, 60) * MICRO for _ in range(3)]
    ends = []
    for slug in ("red", "blue"):
        place = make_place(slug)
        for amount in amounts:
            give(place, amount, priority=amount % 5)
        items = [consumption(place, f"{slug}-{number}", **shape) for number, shape in enumerate(shapes)]
        results = (
            credits_consume_batch(place.context, consumptions=items) if slug == "red" else one_by_one(place, items)
        )
        ends.append((told(results), lines(place), _burns(place)))
    assert ends[0] == ends[1]
    assert_sound()


def _burns(place: Place) -> list[int]:
    look_at(place)
    burns = GrantBurn.objects.filter(entry__account=place.organization.pk).order_by("entry__sequence", "pk")
    return list(burns.values_list("amount", flat=True))


def test_a_key_that_stands_twice_is_decided_once() -> None:
    place = make_place(whole_credits=10)
    item = consumption(place, "twice", operation="unit", quantity=20 * MICRO)
    other = consumption(place, "twice", operation="unit")
    results = told(credits_consume_batch(place.context, consumptions=[item, item, other]))
    assert results == ["insufficient_credits", "insufficient_credits", "idempotency_key_reused"]
    assert place.account.balance == 10 * MICRO
    assert_sound()


@pytest.mark.parametrize("seed", range(size(small=4, full=100)))
def test_a_batch_over_many_accounts_ends_like_its_items_one_by_one(seed: int) -> None:
    """Common accounts go at once and the others one by one, in the same call."""
    ends = []
    for slug in ("red", "blue"):
        chance = random.Random(seed)  # noqa: S311 - replayed by its seed; both sides get the same
        places = _neighbours(make_place(slug), 5)
        for place in places:
            for _ in range(chance.randint(0, 4)):
                give(place, chance.randint(1, 30) * MICRO, priority=chance.randint(0, 2))
        items = [
            consumption(places[chance.randrange(5)], f"{slug}-{number}", **chance.choice(_SHAPES[:2] + _SHAPES[4:7]))
            for number in range(40)
        ]
        context = places[0].context
        results = credits_consume_batch(context, consumptions=items) if slug == "red" else one_by_one(places[0], items)
        ends.append((told(results), [lines(place) for place in places], [_burns(place) for place in places]))
    assert ends[0] == ends[1]
    assert_sound()


def test_what_is_common_is_charged_without_the_way_of_single_items() -> None:
    place = make_place(whole_credits=100)
    consume_once(place)
    with without_single_items():
        items = [consumption(place, f"b-{number}", operation="unit") for number in range(10)]
        results = credits_consume_batch(place.context, consumptions=items)
        assert [result for result in results if isinstance(result, CountinghouseError)] == []
        # The control: what is not common does need that way.
        with pytest.raises(DatabaseError, match="no single items"):
            credits_consume_batch(place.context, consumptions=[consumption(place, hold_id=uuid.uuid4())])
    assert place.account.balance == 89 * MICRO
    assert_sound()


def test_a_process_that_knows_no_policy_yet_sends_its_first_batch_whole() -> None:
    place = make_place(whole_credits=100)
    forget_terms(place.product.pk)
    with without_single_items():
        items = [consumption(place, operation="unit") for _ in range(10)]
        results = credits_consume_batch(place.context, consumptions=items)
    assert all(isinstance(result, Answer) for result in results)


def test_a_policy_published_meanwhile_is_read_once_for_all_items() -> None:
    place = make_place()
    neighbours = _neighbours(place, 8)
    for neighbour in neighbours:
        give(neighbour, 10 * MICRO)
    consume_once(place)
    dearer = (Price("unit", "piece", 2 * MICRO),)
    credit_policy_publish_prices(console_context(), product_id=ProductId(place.product.pk), prices=dearer)
    with CaptureQueriesContext(connection) as captured:
        results = credits_consume_batch(
            place.context, consumptions=[consumption(neighbour, operation="unit") for neighbour in neighbours]
        )
    assert [result.body["charged"] for result in results if isinstance(result, Answer)] == [2 * MICRO] * 8
    assert sum("credits_operationprice" in query["sql"] for query in captured.captured_queries) == 1


def test_a_repeated_batch_is_answered_as_the_first_time() -> None:
    place = make_place(whole_credits=100)
    items = [consumption(place, f"b-{number}", operation="unit") for number in range(20)]
    first = credits_consume_batch(place.context, consumptions=items)
    again = credits_consume_batch(place.context, consumptions=items)
    assert [dict(result.body) for result in again if isinstance(result, Answer) and result.replayed] == [
        dict(result.body) for result in first if isinstance(result, Answer)
    ]
    assert len(again) == 20
    assert place.account.balance == 80 * MICRO
    assert_sound()


def test_what_is_sold_for_other_workspaces_leaves_grants_alone_to_spend_whichever_way_one_asks() -> None:
    """Past the grant only the overdraft pays, which a workspace has that is sold, and a question that names none."""
    place = make_place(whole_credits=10)
    overdraft_set(console_context(), account_id=place.organization.pk, limit=1_000 * MICRO, reason="x")
    named, other = make_workspace(place.organization), make_workspace(place.organization, "Other")
    home = WorkspacePlace(WorkspaceId(named.pk), OrganizationId(place.organization.pk))
    lead_to(home, SubscriptionState.ACTIVE, PlanId(make_plan().pk))
    for scope, is_sold in ((SubscriptionScope.WORKSPACES, False), (SubscriptionScope.ORGANIZATION, True)):
        payment_config_change(
            provider_context(),
            organization_id=home.organization_id,
            change=SetSubscriptionStatus(SubscriptionStatus.SUBSCRIBED, scope),
        )
        for workspace_id, wanted in ((named.pk, True), (None, True), (other.pk, is_sold)):
            item = consumption(place, operation="unit", quantity=50 * MICRO, workspace_id=workspace_id)
            asked = credits_authorize(place.context, question=item.question)
            (listed,) = credits_consume_batch(place.context, consumptions=[item])
            (alone,) = one_by_one(place, [replace(item, key=uuid.uuid4().hex)])
            answers = [asked["decision"] == "allow", isinstance(listed, Answer), isinstance(alone, Answer)]
            assert answers == [wanted] * 3, (scope, workspace_id)
    assert_sound()


@contextmanager
def without_single_items() -> Iterator[None]:
    """Meanwhile the function that carries out one item raises."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('credits_consume_4'::regproc)")
        (whole,) = cursor.fetchone()
        head, _, _ = whole.partition("AS $function$")
        cursor.execute(f"{head} AS $function$ BEGIN RAISE 'no single items'; END $function$")
        try:
            yield
        finally:
            cursor.execute(whole)


def consume_once(place: Place) -> None:
    """The process knows the policy from here on."""
    credits_consume(place.context, consumption=consumption(place, operation="unit"))


def _neighbours(place: Place, count: int) -> list[Place]:
    """The place and further organizations of its product."""
    others = [make_organization() for _ in range(count - 1)]
    make_product(place.product.slug, *others)
    return [place, *(Place(place.product, other, place.context) for other in others)]
