"""Consume through the service: prices, free quantities, categories, keys, refusals."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.errors import CountinghouseError
from apps.credits.enums import OnInsufficient
from apps.credits.models import CreditEntry, GrantBurn, ShadowDisagreement
from apps.credits.services import credits_consume, overdraft_set
from apps.subscriptions.models import DecisionReceipt, OrganizationPaymentConfig
from apps.tenants.models import Organization
from tests.contexts import console_context
from tests.credits.cast import Place, assert_sound, consumption, give, look_at, make_place
from tests.factories.tenants import make_membership, make_user, make_workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def place() -> Place:
    return make_place(whole_credits=100)


def charged(place: Place, **values: object) -> int:
    return int(str(credits_consume(place.context, consumption=consumption(place, **values)).body["charged"]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("operation", "quantity", "outcome", "charge"),
    [
        ("fix_run", MICRO, "succeeded", 2_500_000),
        ("fix_run", 1, "succeeded", 3),  # 2.5 micro-credits, half up
        ("fix_run", MICRO, "failed", 0),
        ("review", MICRO, "succeeded", 1_000_000),
        ("review", 1_000 * MICRO, "partial", 1_500_000),
        ("review", 1_033 * MICRO, "succeeded", 1_500_000),
        ("review", 1_034 * MICRO, "succeeded", 1_600_000),
        ("scan", 100 * MICRO, "succeeded", 0),
        ("scan", 101 * MICRO, "succeeded", 10_000),
    ],
)
def test_a_run_costs_what_the_policy_says(
    place: Place, operation: str, quantity: int, outcome: str, charge: int
) -> None:
    assert charged(place, operation=operation, quantity=quantity, outcome=outcome) == charge
    entry = CreditEntry.objects.latest("sequence")
    assert (entry.amount, entry.quantity, entry.is_billable) == (-charge, quantity, outcome != "failed")
    assert place.account.balance == 100 * MICRO - charge
    assert_sound()


def test_the_free_quantity_of_a_month_is_used_up_exactly(place: Place) -> None:
    charges = [charged(place, operation="scan", quantity=40 * MICRO) for _ in range(4)]
    assert charges == [0, 0, 200_000, 400_000]
    assert list(
        CreditEntry.objects.filter(operation="scan").order_by("sequence").values_list("category", flat=True)
    ) == [
        "free",
        "free",
        "regular",
        "regular",
    ]
    with time_machine.travel(clock.now() + timedelta(days=32)):
        assert charged(place, operation="scan", quantity=40 * MICRO) == 0
    assert_sound()


@pytest.mark.parametrize("override", ["free", "internal"])
def test_an_override_charges_nothing_and_counts_the_quantity(place: Place, override: str) -> None:
    OrganizationPaymentConfig.objects.filter(organization=place.organization).update(usage_category_override=override)
    assert charged(place, quantity=7 * MICRO) == 0
    entry = CreditEntry.objects.latest("sequence")
    assert (entry.category, entry.quantity) == (override, 7 * MICRO)


def test_a_repetition_charges_once_and_answers_alike(place: Place) -> None:
    item = consumption(place, "run-1")
    first, second = (credits_consume(place.context, consumption=item) for _ in range(2))
    assert first.body == second.body
    assert (first.replayed, second.replayed) == (False, True)
    assert place.account.balance == 97_500_000


def refusal(place: Place, key: str = "run-1", **values: object) -> CountinghouseError:
    with pytest.raises(CountinghouseError) as raised:
        credits_consume(place.context, consumption=consumption(place, key, **values))
    return raised.value


def test_a_refusal_stays_a_refusal_when_the_credits_have_come(place: Place) -> None:
    first = refusal(place, quantity=41 * MICRO)
    assert (first.problem_code, place.account.balance) == ("insufficient_credits", 100 * MICRO)
    give(place, 1_000 * MICRO)
    again = refusal(place, quantity=41 * MICRO)
    assert (again.detail, again.decision_id) == (first.detail, first.decision_id)
    assert DecisionReceipt.objects.get(pk=str(first.decision_id)).code == "insufficient_credits"
    assert refusal(place, quantity=40 * MICRO).problem_code == "idempotency_key_reused"
    assert_sound()


def test_a_debt_is_recorded_and_the_next_grant_pays_it(place: Place) -> None:
    assert charged(place, quantity=50 * MICRO, on_insufficient=OnInsufficient.RECORD) == 125 * MICRO
    assert place.account.balance == -25 * MICRO
    assert_sound()
    grant = give(place, 30 * MICRO)
    assert place.account.balance == 5 * MICRO
    assert sum(GrantBurn.objects.filter(grant=grant).values_list("amount", flat=True)) == 25 * MICRO
    assert_sound()


def test_the_overdraft_is_spent_to_its_limit_but_not_before_a_subscription(place: Place) -> None:
    overdraft_set(console_context(), account_id=place.organization.pk, limit=10 * MICRO, reason="a good customer")
    assert refusal(place, operation="unit", quantity=105 * MICRO).problem_code == "insufficient_credits"
    config = OrganizationPaymentConfig.objects.get(organization=place.organization)
    config.subscription_status = "subscribed"
    config.save(update_fields=["subscription_status"])
    assert charged(place, operation="unit", quantity=110 * MICRO) == 110 * MICRO
    assert refusal(place, "next", operation="unit").problem_code == "insufficient_credits"
    assert_sound()


def test_the_burn_order_is_priority_then_expiry_then_age() -> None:
    place, soon = make_place(), clock.now() + timedelta(days=1)
    last = give(place, MICRO, priority=200)
    third = give(place, MICRO)
    second = give(place, MICRO, expires_at=soon + timedelta(days=1))
    first = give(place, MICRO, expires_at=soon)
    zeroth = give(place, MICRO, priority=1)
    for grant in (zeroth, first, second, third, last):
        charged(place, operation="unit")
        look_at(place)
        assert GrantBurn.objects.latest("pk").grant_id == grant
    assert_sound()


def test_charges_burn_when_the_account_is_looked_at_and_as_if_each_had_burned_at_once(place: Place) -> None:
    """What is between two looks burns together, in its order; a grant that comes later pays nothing of it."""
    (first,) = place.account.grants.values_list("pk", flat=True)
    charged(place, key="first", operation="unit", quantity=60 * MICRO)
    charged(place, key="second", operation="unit", quantity=30 * MICRO)
    assert not GrantBurn.objects.exists()
    assert_sound()
    sooner = give(place, 20 * MICRO, priority=1)
    burns = GrantBurn.objects.order_by("pk").values_list("entry__idempotency_key", "grant_id", "amount")
    assert list(burns) == [("first", first, 60 * MICRO), ("second", first, 30 * MICRO)]
    charged(place, key="third", operation="unit", quantity=25 * MICRO)
    look_at(place)
    assert list(burns.all())[2:] == [("third", sooner, 20 * MICRO), ("third", first, 5 * MICRO)]
    assert_sound()


def test_who_may_not_is_told_why_and_nothing_is_booked(place: Place) -> None:
    user, stranger = make_user(), make_user()
    make_membership(place.organization, user)
    foreign = make_workspace(make_place("blue").organization)
    before = CreditEntry.objects.count()
    assert refusal(place, "a", user_id=stranger.pk).problem_code == "not_a_member"
    assert refusal(place, "b", workspace_id=foreign.pk).problem_code == "tenant_ambiguous"
    unknown = refusal(place, "c", operation="fix_rum")
    assert (unknown.problem_code, unknown.errors[0].suggestion) == ("unknown_operation", "fix_run")
    assert refusal(place, "d", occurred_at=clock.now() + timedelta(minutes=6)).problem_code == "impossible_value"
    assert refusal(place, "e", occurred_at=clock.now() - timedelta(days=36)).problem_code == "too_old"
    Organization.objects.filter(pk=place.organization.pk).update(closed_at=clock.now())
    closed = refusal(place, "f", user_id=user.pk)
    assert closed.problem_code == "lifecycle_denied"
    assert any("closed" in reason.fact for reason in closed.explanation)
    assert CreditEntry.objects.count() == before


def test_late_news_take_the_free_quantity_of_their_month_and_too_late_ones_that_of_this(place: Place) -> None:
    with time_machine.travel("2031-11-15T12:00:00Z"):
        now = clock.now()
        for days, month, is_late in ((30, "2031-10-01", False), (34, "2031-10-01", False), (60, "2031-11-01", True)):
            item = consumption(
                place,
                operation="scan",
                occurred_at=now - timedelta(days=days),
                on_insufficient=OnInsufficient.RECORD,
            )
            answer = credits_consume(place.context, consumption=item)
            entry = CreditEntry.objects.get(pk=str(answer.body["entry_id"]))
            assert (answer.body["late"], str(entry.free_month)) == (is_late, month)
        assert answer.body["warnings"] == ["booked_for_review"]
        assert ShadowDisagreement.objects.get().difference == "booked_for_review"
    assert_sound()
