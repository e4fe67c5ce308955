"""An import of balances that is killed anywhere, and repeated by whoever started it (spec 02, Cutover; 11, P3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from apps.core.amounts import MICRO
from apps.core.failpoints import Failpoint
from apps.credits.models import BalanceImport, CreditEntry, ImportedBalance
from apps.credits.services import balance_booking
from apps.credits.services.balance_booking import IMPORTS, balance_import_execute
from tests.contexts import console_context
from tests.core.processes import dies_at, kill, started
from tests.credits.cast import Place, assert_sound, make_place
from tests.credits.test_import_balances import create, file_of, line_of
from tests.factories.tenants import make_organization, make_product
from tests.sizes import size
from tests.subscriptions.cast import chance_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]
KILLS = size(small=3, full=120)
LINES = size(small=24, full=4_000)
PLACES: tuple[Failpoint, ...] = ("balances.after_claim", "balances.before_commit", "balances.after_line")


@pytest.mark.prove("P3 an import of balances killed at random books each line once", size=KILLS * LINES)
def test_killed_anywhere_and_repeated_each_line_is_booked_once(
    monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    # A dead worker's import can be taken over at once.
    monkeypatch.setattr(balance_booking, "IMPORTS", replace(IMPORTS, lease=timedelta(0), beat=timedelta(minutes=1)))
    place = make_place("red")
    organizations = [place.organization, *(make_organization() for _ in range(4))]
    for each in organizations[1:]:
        make_product("red", each)
    chance = chance_of(24)
    lines = [
        line_of(organizations[chance.randrange(5)], chance.choice([-2, 0, 1, 3.25]), f"w{place}")
        for place in range(LINES)
    ]
    data, hits = file_of(*lines), 0
    for number in (1, 2):  # the second time it is an update that changes every other line
        work = partial(repeat, place, data, is_update=number > 1)
        for name in PLACES:
            assert dies_at(name, work), name
        for _ in range(KILLS):
            process = started(work)
            process.join(chance.uniform(0.02, 0.25))
            hits += kill(process)
        work()
        expected = {ref: round(float(balance) * MICRO) for _, _, balance, ref in map(split, lines)}
        assert dict(ImportedBalance.objects.values_list("external_ref", "balance")) == expected
        assert sum(CreditEntry.objects.values_list("amount", flat=True)) == sum(expected.values())
        assert not BalanceImport.objects.exclude(status="succeeded").exists()
        booked = CreditEntry.objects.values_list("idempotency_key", flat=True)
        assert len(booked) == len(set(booked))
        assert_sound()
        lines = [",".join([*split(line)[:2], str(place % 7), split(line)[3]]) for place, line in enumerate(lines)]
        data = file_of(*lines)
    assert hits
    record_property("measured", f"{hits} killed at work")


def split(line: str) -> list[str]:
    return line.split(",")


def repeat(place: Place, data: bytes, *, is_update: bool) -> None:
    """What somebody does whose command was killed: the same again."""
    record = create(place, data, is_update=is_update)
    balance_import_execute(console_context(), record.pk)
