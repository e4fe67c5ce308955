"""credits_post moves an account and gives the entry its place; credits_burn lets charges take what grants hold."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.db import IntegrityError, transaction

from apps.core.amounts import MICRO
from apps.credits.enums import EntryKind, OnInsufficient
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant, GrantBurn, UncoveredCharge
from apps.credits.services import accounts as accounts_module
from apps.credits.services.accounts import post
from tests.contexts import console_context
from tests.credits.cast import consumption, give, make_place
from tests.credits.test_book_what_happened import alone
from tests.credits.test_consume_at_edges import NOON

pytestmark = pytest.mark.django_db
# What comes, and what it moves. A charge is still to burn; anything else has nothing to.
KINDS = (
    (EntryKind.GRANT, 7),
    (EntryKind.ADJUSTMENT, 0),
    (EntryKind.ADJUSTMENT, -3),
    (EntryKind.EXPIRY, -3),
    (EntryKind.VOID, -3),
)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("released", [0, 2])
@pytest.mark.parametrize(("kind", "amount"), KINDS)
@pytest.mark.parametrize("burned", [11, 12])
def test_the_account_after_an_entry(
    burned: int, kind: EntryKind, amount: int, released: int, force: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts_module, "burn", lambda account_ids: None)
    place, other = make_place("red"), make_place("blue")
    before = {"balance": 20, "held": 5, "last_sequence": 12, "burned_sequence": burned, "floor": -4}
    accounts = CreditAccount.objects.filter(pk__in=[place.organization.pk, other.organization.pk])
    accounts.update(**before, overdraft_limit=3)
    posted = post(
        console_context(),
        account_id=place.organization.pk,
        kind=kind,
        amount=amount,
        at=NOON,
        released=released,
        force=force,
    )
    entry = CreditEntry.objects.get(pk=posted.id)
    assert (entry.sequence, entry.balance_after, entry.amount, entry.kind) == (13, 20 + amount, amount, kind)
    after = {
        "balance": 20 + amount,
        "held": 5 - released,
        "last_sequence": 13,
        "burned_sequence": 13 if burned == 12 and (kind, amount) != (EntryKind.ADJUSTMENT, -3) else burned,
        "floor": -4,
    }
    assert accounts.values(*before).get(pk=place.organization.pk) == after
    assert accounts.values(*before).get(pk=other.organization.pk) == before
    assert (posted.balance, posted.held, posted.overdraft_limit) == (20 + amount, 5 - released, 3)


@pytest.mark.parametrize(("held", "released"), [(0, 0), (5, 0), (5, 2)])
def test_a_debt_that_is_forced_moves_the_floor_and_else_the_floor_holds(held: int, released: int) -> None:
    place = make_place()
    accounts = CreditAccount.objects.filter(pk=place.organization.pk)
    accounts.update(balance=6, held=held, floor=-4)
    with pytest.raises(IntegrityError), transaction.atomic():
        post(console_context(), account_id=place.organization.pk, kind=EntryKind.VOID, amount=-30, at=NOON)
    assert accounts.values_list("balance", "held", "floor").get() == (6, held, -4)
    post(
        console_context(),
        account_id=place.organization.pk,
        kind=EntryKind.VOID,
        amount=-30,
        at=NOON,
        released=released,
        force=True,
    )
    left = held - released
    assert accounts.values_list("balance", "held", "floor").get() == (-24, left, -24 - left)


def test_what_is_new_in_the_named_accounts_burns_once() -> None:
    """credits_burn: each account's charges by themselves, from the last that has burned on."""
    places = [make_place(slug, whole_credits=2) for slug in ("red", "blue")]
    red, blue = (place.organization.pk for place in places)
    burned: dict[UUID, list[int]] = {red: [], blue: []}
    unpaid: dict[UUID, int] = {red: 0, blue: 0}
    for named in ([red], [red], [red, blue], [blue], [red, blue]):
        for place in places:
            alone(place, consumption(place, operation="unit", on_insufficient=OnInsufficient.RECORD))
        with transaction.atomic():
            accounts_module.burn(named)
        for account in named:
            charges = CreditEntry.objects.filter(account=account, kind="consumption").count()
            burned[account] = [MICRO] * min(charges, 2)
            unpaid[account] = max(charges - 2, 0)
        for account in (red, blue):
            taken = GrantBurn.objects.filter(entry__account=account).order_by("entry__sequence")
            assert list(taken.values_list("amount", flat=True)) == burned[account]
            assert UncoveredCharge.objects.filter(account=account).count() == unpaid[account]
            assert CreditGrant.objects.get(account=account).remaining == 2 * MICRO - sum(burned[account])


def test_what_grants_do_not_cover_waits_and_a_charge_of_nothing_burns_nothing() -> None:
    """credits_burn: 3 credits of 5; a free run in the middle of them, then a run that they cover in part."""
    place = make_place(whole_credits=3)
    for operation, quantity in (("unit", 2), ("scan", 1), ("unit", 3), ("unit", 1)):
        record = OnInsufficient.RECORD
        alone(place, consumption(place, operation=operation, quantity=quantity * MICRO, on_insufficient=record))
    with transaction.atomic():
        accounts_module.burn([place.organization.pk])
    entries = CreditEntry.objects.filter(kind="consumption").order_by("sequence")
    assert [-entry.amount for entry in entries] == [2 * MICRO, 0, 3 * MICRO, MICRO]
    burned = GrantBurn.objects.order_by("entry__sequence").values_list("entry_id", "amount")
    assert list(burned) == [(entries[0].pk, 2 * MICRO), (entries[2].pk, MICRO)]
    waiting = UncoveredCharge.objects.order_by("sequence").values_list("entry_id", "amount_left")
    assert list(waiting) == [(entries[2].pk, 2 * MICRO), (entries[3].pk, MICRO)]


def test_only_charges_burn(monkeypatch: pytest.MonkeyPatch) -> None:
    """credits_burn: what comes, lapses or is voided between charges takes nothing from the grants."""
    place = make_place(whole_credits=10)
    with monkeypatch.context() as patched:
        patched.setattr(accounts_module, "burn", lambda account_ids: None)
        alone(place, consumption(place, operation="unit"))
        for kind, amount in (*KINDS, (EntryKind.ADJUSTMENT, -2)):
            post(console_context(), account_id=place.organization.pk, kind=kind, amount=amount, at=NOON)
        alone(place, consumption(place, operation="unit"))
    with transaction.atomic():
        accounts_module.burn([place.organization.pk])
    burned = GrantBurn.objects.order_by("entry__sequence").values_list("entry__kind", "amount")
    assert list(burned) == [("consumption", MICRO), ("adjustment", 3), ("adjustment", 2), ("consumption", MICRO)]


def test_a_grant_that_is_spent_takes_no_part_where_others_come_before_and_after_it() -> None:
    """credits_burn: of 5 credits and 5, with a spent one between them, a charge of 7 takes all of the first."""
    place = make_place()
    give(place, MICRO)
    alone(place, consumption(place, operation="unit"))
    with transaction.atomic():
        accounts_module.burn([place.organization.pk])
    first, last = give(place, 5 * MICRO, priority=1), give(place, 5 * MICRO)
    answer = alone(place, consumption(place, operation="unit", quantity=7 * MICRO)).body
    with transaction.atomic():
        accounts_module.burn([place.organization.pk])
    burned = (
        GrantBurn.objects.filter(entry__pk=UUID(str(answer["entry_id"])))
        .order_by("pk")
        .values_list("grant_id", "amount")
    )
    assert list(burned) == [(first, 5 * MICRO), (last, 2 * MICRO)]
