"""A consumption waits for whoever holds its account, for nobody else, and then decides by what is there.

By credits_consume_4 and credits_consume_batch_4, for an organization's account and a person's. The first request stands
before its commit while the second runs; PostgreSQL itself is asked when the second one waits.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from apps.core.amounts import MICRO
from apps.core.enums import MembershipRole
from apps.core.errors import CountinghouseError
from apps.credits.contracts import AccountRef, Consumption
from apps.credits.enums import AccountType
from apps.credits.models import CreditAccount, FreeQuantity
from apps.credits.services import credits_consume, credits_consume_batch
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.tenants.enums import OrganizationKind
from apps.tenants.models import User
from tests.credits.cast import Place, assert_sound, consumption, give, make_place
from tests.credits.test_race_for_key import PATIENCE_SECONDS, is_waiting, race, run_second, wait_until
from tests.factories.tenants import make_membership, make_organization, make_user

pytestmark = pytest.mark.django_db(transaction=True)
Form = Callable[..., str]


def _account(place: Place) -> AccountRef:
    """An individual's account is asked for by its owner's id, as products do."""
    if place.organization.kind == OrganizationKind.INDIVIDUAL:
        return AccountRef(AccountType.USER, place.organization.memberships.get().user_id)
    return place.ref


def _item(place: Place, key: str, asked: dict[str, Any]) -> Consumption:
    return consumption(place, key or uuid.uuid4().hex, account=_account(place), **{"operation": "unit", **asked})


def alone(place: Place, key: str, **asked: Any) -> str:
    item = _item(place, key, asked)
    try:
        credits_consume(place.context, consumption=item)
    except CountinghouseError as error:
        return error.problem_code
    return "charged"


def in_a_batch(place: Place, key: str, **asked: Any) -> str:
    item = _item(place, key, asked)
    [result] = credits_consume_batch(place.context, consumptions=[item])
    return result.problem_code if isinstance(result, CountinghouseError) else "charged"


def make_person(place: Place) -> Place:
    """A person of the product, with an account of their own that holds one credit."""
    person, own = make_user(), make_organization("Own", kind=OrganizationKind.INDIVIDUAL)
    User.objects.filter(pk=person.pk).update(created_by_product=place.product)
    make_membership(own, person, MembershipRole.OWNER)
    personal = Place(place.product, own, place.context)
    give(personal, MICRO)
    return personal


def make_owned(*, is_personal: bool) -> Place:
    """An account of one credit: an organization's, or a person's own."""
    place = make_place(whole_credits=1)
    return make_person(place) if is_personal else place


FORMS = pytest.mark.parametrize("form", [alone, in_a_batch])
OWNERS = pytest.mark.parametrize("is_personal", [False, True], ids=["organization", "person"])


@FORMS
@OWNERS
def test_who_waits_for_the_account_decides_by_what_is_left_then(form: Form, is_personal: bool) -> None:
    """The second asks before the first, which takes the last credit, has committed."""
    place = make_owned(is_personal=is_personal)
    told = race(form, place, "")
    assert (told, place.account.balance) == (["charged", "insufficient_credits"], 0)
    assert_sound()


@FORMS
@OWNERS
def test_who_waits_for_the_account_takes_the_free_units_that_are_left_then(form: Form, is_personal: bool) -> None:
    """Two runs of 60 files at the same time, of which 100 are free."""
    place = make_owned(is_personal=is_personal)
    assert race(partial(form, operation="scan", quantity=60 * MICRO), place, "") == ["charged", "charged"]
    assert FreeQuantity.objects.get(account=place.account).used == 100 * MICRO
    assert place.account.balance == MICRO - 20 * 10_000
    assert_sound()


@FORMS
@OWNERS
def test_who_waits_for_the_account_reads_everything_afterwards(form: Form, is_personal: bool) -> None:
    """Also what no constraint of the account would refuse: while it waits, its usage becomes free of charge."""
    place = make_owned(is_personal=is_personal)
    pids: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            CreditAccount.objects.select_for_update().get(pk=place.organization.pk)
            asked = pool.submit(run_second, form, place, "", pids)
            wait_until(lambda: bool(pids) and is_waiting(pids[0]))
            config = OrganizationPaymentConfig.objects.filter(organization=place.organization)
            assert config.update(usage_category_override="free") == 1
        assert asked.result(PATIENCE_SECONDS) == "charged"
    assert place.account.balance == MICRO
    assert_sound()


@FORMS
@OWNERS
def test_nobody_waits_for_another_account(form: Form, is_personal: bool) -> None:
    place = make_place(whole_credits=1)
    other = make_person(place)
    if is_personal:
        place, other = other, place
    pids: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert form(other, "first") == "charged"
            asked = pool.submit(run_second, form, place, "second", pids)
            wait_until(lambda: asked.done() or (bool(pids) and is_waiting(pids[0])))
            did_not_wait = asked.done()
        assert (asked.result(PATIENCE_SECONDS), did_not_wait) == ("charged", True)


def test_what_follows_an_item_that_is_sent_again_waits_with_it() -> None:
    """The first takes free units up to their end and the last credit, so that nothing is left for the second."""
    place = make_place(whole_credits=1)
    first = consumption(place, operation="scan", quantity=200 * MICRO)
    second, third = consumption(place, operation="unit"), consumption(make_person(place), operation="unit")
    results = credits_consume_batch(place.context, consumptions=[first, second, third])
    codes = [result.problem_code if isinstance(result, CountinghouseError) else "charged" for result in results]
    assert codes == ["charged", "insufficient_credits", "charged"]
    assert_sound()
