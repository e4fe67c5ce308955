"""A voided grant gives up what is left of it, once, and nothing else (spec 05, Calls)."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.errors import ConflictError, NotFoundError
from apps.core.models import AuditEntry
from apps.credits.enums import GrantState
from apps.credits.models import CreditEntry, CreditGrant
from apps.credits.rules.grant_states import grant_state
from apps.credits.selectors.records import state_of
from apps.credits.services import account_apply_due, credits_authorize, credits_consume, entry_reverse, hold_release
from apps.credits.services.voids import grant_void
from tests.credits.cast import Place, assert_sound, consumption, give, look_at, make_place

pytestmark = pytest.mark.django_db
NOW = clock.now()
DAY = timedelta(days=1)


@pytest.fixture
def place() -> Place:
    return make_place()


def void(place: Place, grant_id: uuid.UUID, key: str | None = None) -> dict[str, Any]:
    return dict(grant_void(place.context, grant_id=grant_id, key=key or uuid.uuid4().hex, reason="paid back").body)


def use(place: Place, whole: int) -> uuid.UUID:
    answer = credits_consume(place.context, consumption=consumption(place, operation="unit", quantity=whole * MICRO))
    return uuid.UUID(str(answer.body["entry_id"]))


def hold(place: Place, whole: int) -> uuid.UUID:
    question = consumption(place, operation="unit", quantity=whole * MICRO).question
    answer: Any = credits_authorize(place.context, question=question, hold_ttl=timedelta(hours=1), key=uuid.uuid4().hex)
    return uuid.UUID(answer["hold"]["id"])


@pytest.mark.parametrize(
    ("wish", "state"),
    [
        ({}, GrantState.LIVE),
        ({"remaining": 0}, GrantState.SPENT),
        ({"is_posted": False, "remaining": 0}, GrantState.UPCOMING),
        ({"expires_at": NOW}, GrantState.EXPIRED),
        ({"expires_at": NOW + DAY}, GrantState.LIVE),
        ({"expires_at": NOW - DAY, "remaining": 0}, GrantState.EXPIRED),
        ({"voided_at": NOW - DAY, "expires_at": NOW - DAY}, GrantState.VOIDED),
        ({"voided_at": NOW, "is_posted": False, "remaining": 0}, GrantState.VOIDED),
    ],
)
def test_what_has_become_of_a_grant(wish: dict[str, Any], state: GrantState) -> None:
    usual: dict[str, Any] = {"is_posted": True, "remaining": 5, "expires_at": None, "voided_at": None}
    assert grant_state(**{**usual, **wish}, now=NOW) is state


def test_the_rest_goes_and_what_was_spent_stays_spent(place: Place) -> None:
    grant_id = give(place, 10 * MICRO)
    other = give(place, 4 * MICRO)
    use(place, 3)
    answer = void(place, grant_id, "v-1")
    assert (answer["voided"], answer["held_back"], answer["balance"]) == (7 * MICRO, 0, 4 * MICRO)
    assert void(place, grant_id, "v-1") == answer
    for grant, remaining, state in ((grant_id, 0, GrantState.VOIDED), (other, 4 * MICRO, GrantState.LIVE)):
        found = CreditGrant.objects.get(pk=grant)
        assert (found.remaining, state_of(found, clock.now())) == (remaining, state)
    entry = CreditEntry.objects.get(kind="void")
    assert (entry.amount, entry.reason, entry.grant_id) == (-7 * MICRO, "paid back", grant_id)
    use(place, 4)
    look_at(place)
    assert place.account.balance == 0
    assert_sound()
    event = AuditEntry.objects.get(event="credit_grant.voided")
    assert (event.before, event.after["voided"]) == ({"remaining": 7 * MICRO}, 7 * MICRO)


def test_what_holds_stand_on_goes_when_they_end(place: Place) -> None:
    grant_id = give(place, 10 * MICRO)
    hold_id = hold(place, 6)
    answer = void(place, grant_id)
    assert (answer["voided"], answer["held_back"], answer["available"]) == (4 * MICRO, 6 * MICRO, 0)
    assert_sound()
    hold_release(place.context, hold_id=hold_id, key="r-1")
    assert (place.account.balance, place.account.held) == (0, 0)
    assert list(CreditEntry.objects.filter(kind="void").order_by("sequence").values_list("amount", flat=True)) == [
        -4 * MICRO,
        -6 * MICRO,
    ]
    assert_sound()


def test_what_is_given_back_to_a_voided_grant_lapses_with_it(place: Place) -> None:
    grant_id = give(place, 10 * MICRO)
    charge = use(place, 3)
    void(place, grant_id)
    entry_reverse(place.context, entry_id=charge, key="b-1", reason="ours")
    assert place.account.balance == 0
    assert CreditGrant.objects.get(pk=grant_id).remaining == 0
    assert_sound()


def test_a_grant_that_has_not_begun_never_will(place: Place) -> None:
    grant_id = give(place, 10 * MICRO, effective_at=clock.now() + DAY)
    answer = void(place, grant_id)
    assert (answer["voided"], answer["entry_id"], place.account.next_due_at) == (10 * MICRO, None, None)
    with clock.as_of(clock.now() + 2 * DAY):
        account_apply_due(place.context, account_id=place.organization.pk)
    assert place.account.balance == 0
    assert not CreditEntry.objects.exists()


def test_what_cannot_be_voided_changes_nothing(place: Place) -> None:
    spent, voided = give(place, 3 * MICRO), give(place, 5 * MICRO)
    use(place, 3)
    void(place, voided)
    before = [place.account.balance, CreditEntry.objects.count(), AuditEntry.objects.count()]
    for grant_id, code in ((spent, "nothing_to_void"), (voided, "grant_voided")):
        with pytest.raises(ConflictError) as refusal:
            void(place, grant_id)
        assert refusal.value.problem_code == code
    with pytest.raises(NotFoundError):
        void(place, uuid.uuid4())
    assert [place.account.balance, CreditEntry.objects.count(), AuditEntry.objects.count()] == before
