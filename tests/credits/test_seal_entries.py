"""Sealed entries: whatever SQL changes of one of them afterwards is located by both verifiers (spec 05)."""

from __future__ import annotations

import random
import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from structlog.testing import capture_logs

from apps.core import clock
from apps.core.amounts import MICRO
from apps.credits.models import CreditEntry, EntrySeal
from apps.credits.selectors.seals import NIGHTS, seal_faults, sealed_columns
from apps.credits.services import credits_consume
from apps.credits.services.books import BooksAtFaultError, books_verify
from apps.credits.services.seals import entries_seal, heads
from tests.contexts import console_context
from tests.core.tampering import tamper
from tests.credits.cast import Place, consumption, look_at, make_place
from tests.sizes import size

pytestmark = pytest.mark.django_db
FORGED = size(small=40, full=1_000)
# What no invariant of the amounts would notice.
FORGERIES = (
    "operation = operation || 'x'",
    "acting_user_id = gen_random_uuid()",
    "reason = reason || 'x'",
    "recorded_at = recorded_at + interval '1 microsecond'",
    "occurred_at = occurred_at - interval '1 day'",
    "run_id = 'other'",
    "actor_label = 'somebody'",
    "product_id = gen_random_uuid()",
)


@pytest.fixture
def place() -> Place:
    made = make_place(whole_credits=1_000_000)
    now = clock.now()
    CreditEntry.objects.bulk_create(
        CreditEntry(
            account_id=made.organization.pk,
            sequence=sequence,
            kind="consumption",
            amount=0,
            balance_after=1_000_000 * MICRO,
            operation="fix_run",
            actor_label="red",
            request_id="r",
            occurred_at=now,
            recorded_at=now,
        )
        for sequence in range(2, FORGED + 20)
    )
    last = FORGED + 19
    type(made.account).objects.filter(pk=made.organization.pk).update(last_sequence=last, burned_sequence=last)
    return made


def located() -> set[int]:
    return {int(found[1]) for fault in seal_faults() if (found := re.search(r"entry (\d+) was changed", fault))}


@pytest.mark.prove("20 forged entries are located", size=FORGED)
def test_every_forged_entry_is_located_by_its_place(place: Place) -> None:
    assert entries_seal(clock.now()) == 1
    assert entries_seal(clock.now()) == 0
    assert list(seal_faults()) == []
    chance = random.Random(7)  # noqa: S311 - the same forgeries each time
    forged = set(chance.sample(range(2, FORGED + 20), FORGED))
    for sequence in forged:
        tamper(f"UPDATE credits_creditentry SET {chance.choice(FORGERIES)} WHERE sequence = {sequence}")
    assert located() == forged


@pytest.mark.parametrize("forgery", FORGERIES)
def test_both_verifiers_name_a_forged_entry(place: Place, forgery: str) -> None:
    entries_seal(clock.now())
    tamper(f"UPDATE credits_creditentry SET {forgery} WHERE sequence = 5")
    said = f"account {place.organization.pk}: sealed entries: entry 5 was changed after it was sealed"
    out = StringIO()
    with pytest.raises(CommandError, match="1 faults"):
        call_command("verify_ledger", stdout=out)
    assert out.getvalue() == f"{said}\n"
    with pytest.raises(BooksAtFaultError, match="entry 5 was changed"):
        books_verify(console_context())


def test_seals_stand_on_each_other(place: Place) -> None:
    entries_seal(clock.now())
    for _ in range(3):
        credits_consume(place.context, consumption=consumption(place))
        look_at(place)
        entries_seal(clock.now())
    assert [seal.first_sequence for seal in EntrySeal.objects.order_by("sequence")][1:] == [
        FORGED + 20 + step for step in range(3)
    ]
    assert list(seal_faults()) == []
    before = heads()
    tamper(f"UPDATE credits_entryseal SET columns = 'id,sequence' WHERE sequence = {FORGED + 20}")
    assert list(seal_faults()) != []
    tamper(f"UPDATE credits_entryseal SET columns = '{sealed_columns()}' WHERE sequence = {FORGED + 20}")
    assert list(seal_faults()) == []
    digest = bytes(EntrySeal.objects.get(sequence=FORGED + 20).hash).hex()
    tamper(f"UPDATE credits_entryseal SET hash = sha256('x') WHERE sequence = {FORGED + 20}")
    assert ["does not fit its entries, or the seal before" in fault for fault in seal_faults()] == [True, True]
    tamper(f"UPDATE credits_entryseal SET hash = decode('{digest}', 'hex') WHERE sequence = {FORGED + 20}")
    assert list(seal_faults()) == []
    tamper(f"DELETE FROM credits_entryseal WHERE sequence = {FORGED + 20}")
    assert [fault.partition(": sealed entries: ")[2] for fault in seal_faults()] == [
        f"the seal before {FORGED + 21} is missing"
    ]
    tamper("DELETE FROM credits_entryseal WHERE true")
    assert list(seal_faults()) == []
    assert heads() != before


def test_an_entry_that_is_gone_is_missed(place: Place) -> None:
    entries_seal(clock.now())
    tamper("DELETE FROM credits_creditentry WHERE sequence = 7")
    (fault,) = seal_faults()
    assert f"{FORGED + 18} stand between 1 and {FORGED + 19}, {FORGED + 19} were sealed" in fault


def test_each_night_looks_at_what_is_new_and_in_28_nights_at_all(place: Place) -> None:
    books_verify(console_context())
    tamper("UPDATE credits_creditentry SET run_id = 'other' WHERE sequence = 7")
    assert len(list(seal_faults(night=clock.now() + timedelta(days=1)))) == 1
    later = [clock.now() + timedelta(days=3 + night) for night in range(NIGHTS)]
    assert [bool(list(seal_faults(night=night))) for night in later].count(True) == 1


def test_the_nightly_run_seals_and_logs_the_heads(place: Place) -> None:
    with capture_logs() as logs:
        assert books_verify(console_context())["seals"] == 1
        assert books_verify(console_context())["seals"] == 0
    first, second = [line for line in logs if line["event"] == "ledger_heads"]
    assert (first["accounts"], first["digest"]) == (second["accounts"], second["digest"])


def test_every_column_of_an_entry_is_sealed() -> None:
    with connection.cursor() as cursor:
        found = connection.introspection.get_table_description(cursor, "credits_creditentry")
    assert sealed_columns().split(",") == sorted(column.name for column in found)
