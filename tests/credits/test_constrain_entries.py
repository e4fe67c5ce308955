"""What no entry may be, whoever writes it: every combination, against the rule in words of its own (spec 05)."""

from __future__ import annotations

import itertools

import pytest
from django.db import IntegrityError, transaction

from apps.core.clock import now
from apps.credits.models import CreditEntry
from apps.credits.services import credits_consume
from tests.credits.cast import Place, consumption, make_place

pytestmark = pytest.mark.django_db
KINDS = ("grant", "consumption", "capture", "reversal", "expiry", "adjustment", "gift")
CATEGORIES = ("regular", "free", "internal", "", "premium")
CELLS = list(itertools.product(KINDS, (-1, 0, 1), CATEGORIES, (True, False), (True, False)))


def is_possible(kind: str, amount: int, category: str, *, is_billable: bool, reverses: bool) -> bool:
    if kind == "gift" or category == "premium":
        return False
    signs = {"grant": (1,), "reversal": (0, 1), "expiry": (-1,)}.get(kind, (-1, 0))
    is_charge = amount and kind in {"consumption", "capture"}
    has_right = not is_charge or (category == "regular" and is_billable)
    return amount in signs and has_right and reverses == (kind == "reversal")


def accepts(place: Place, charge: CreditEntry | None, sequence: int, cell: tuple[str, int, str, bool]) -> bool:
    kind, amount, category, is_billable = cell
    try:
        with transaction.atomic():
            CreditEntry.objects.create(
                account=place.account,
                sequence=sequence,
                kind=kind,
                amount=amount,
                category=category,
                is_billable=is_billable,
                reversal_of=charge,
                balance_after=0,
                occurred_at=now(),
                recorded_at=now(),
            )
            transaction.set_rollback(True)
    except IntegrityError:
        return False
    return True


@pytest.mark.slow
def test_the_database_takes_exactly_the_entries_that_are_possible() -> None:
    place = make_place(whole_credits=10)
    credits_consume(place.context, consumption=consumption(place))
    charge = CreditEntry.objects.get(kind="consumption")
    taken = {
        cell: accepts(place, charge if cell[4] else None, 100 + number, cell[:4]) for number, cell in enumerate(CELLS)
    }
    meant = {cell: is_possible(*cell[:3], is_billable=cell[3], reverses=cell[4]) for cell in CELLS}
    assert taken == meant
    assert 0 < sum(taken.values()) < len(CELLS)
