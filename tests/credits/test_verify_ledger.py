"""`manage.py verify_ledger`: each invariant, broken by hand past the triggers, is found and named (spec 05, 09)."""

from __future__ import annotations

import uuid
from datetime import timedelta
from io import StringIO
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from apps.core.amounts import MICRO
from apps.credits.enums import OnInsufficient
from apps.credits.selectors.ledger import _CHECKS
from apps.credits.services import credits_authorize, credits_consume, entry_reverse
from tests.core.tampering import tamper, triggers_off
from tests.credits.cast import Place, consumption, make_place

pytestmark = pytest.mark.django_db

_CHARGE = "(SELECT id FROM credits_creditentry WHERE kind = 'consumption' AND amount < 0 ORDER BY sequence LIMIT 1)"
_COPY = """INSERT INTO credits_creditentry SELECT (r).* FROM (
    SELECT jsonb_populate_record(e, jsonb_build_object('id', gen_random_uuid(), 'sequence', 99)) AS r
    FROM credits_creditentry e WHERE e.kind = 'consumption' AND e.amount < 0 LIMIT 1) x"""

# What breaks each invariant, where constraints would let an owner of the database do it.
BREAKS = {
    "balance is the sum of the entries": "UPDATE credits_creditaccount SET balance = balance + 1",
    "held is the sum of the open holds": "UPDATE credits_creditaccount SET held = held + 1",
    "each entry stands on the one before": "UPDATE credits_creditentry SET sequence = sequence + 50 WHERE sequence = 3",
    "what is left of the grants less what no grant paid is the balance": (
        "UPDATE credits_creditgrant SET remaining = remaining - 1 WHERE remaining > 0"
    ),
    "the remainder of each grant follows from what was burned of it": (
        "UPDATE credits_grantburn SET amount = amount + 1 WHERE amount > 0"
    ),
    "each charge is paid by grants or waits for one": f"DELETE FROM credits_grantburn WHERE entry_id = {_CHARGE}",
    "nothing is given back beyond its charge": (
        "UPDATE credits_creditentry SET amount = 9000000 WHERE kind = 'reversal'"
    ),
    "what was used of a free quantity follows from the entries and the open holds": (
        "UPDATE credits_freequantity SET used = used + 1"
    ),
    "no key is charged twice": _COPY,
    "nothing is charged for free, internal or non-billable usage": (
        "UPDATE credits_creditentry SET category = 'free' WHERE kind = 'consumption' AND amount < 0"
    ),
    "no balance is below its floor": "UPDATE credits_creditaccount SET floor = balance + 1",
}


@pytest.fixture
def place() -> Place:
    """An account with a grant, an open hold, a free run, a charge, a reversed one and a debt that was settled."""
    found = make_place(whole_credits=100)
    credits_consume(found.context, consumption=consumption(found))
    credits_consume(found.context, consumption=consumption(found, outcome="failed"))
    charged = credits_consume(found.context, consumption=consumption(found)).body["entry_id"]
    entry_reverse(found.context, entry_id=_uuid(charged), key="back", reason="our fault", amount=MICRO)
    held = consumption(found).question
    assert credits_authorize(found.context, question=held, hold_ttl=timedelta(hours=1), key=uuid.uuid4().hex)["hold"]
    credits_consume(found.context, consumption=consumption(found, operation="scan"))
    debt = consumption(found, operation="unit", quantity=93 * MICRO, on_insufficient=OnInsufficient.RECORD)
    credits_consume(found.context, consumption=debt)
    return found


def verified() -> str:
    out = StringIO()
    call_command("verify_ledger", stdout=out)
    return out.getvalue()


def test_a_sound_ledger_is_said_to_be_sound(place: Place) -> None:
    assert verified() == "Sound: 1 accounts.\n"


def test_every_invariant_has_its_break() -> None:
    assert set(BREAKS) == {name for name, _ in _CHECKS}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_invariant_is_found_and_named(place: Place, name: str) -> None:
    _drop_checks()
    with triggers_off():
        assert tamper(BREAKS[name])
    out = StringIO()
    with pytest.raises(CommandError) as failure:
        call_command("verify_ledger", stdout=out)
    assert failure.value.returncode == 1
    assert f"account {place.organization.pk}: {name}: " in out.getvalue()


def _drop_checks() -> None:
    """Let the break through; the transaction of the test undoes it."""
    of_table = "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = %s::regclass"
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in ("credits_creditaccount", "credits_creditgrant", "credits_creditentry"):
            cursor.execute(of_table, [table])
            for (constraint,) in cursor.fetchall():
                cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{constraint}"')


def _uuid(text: object) -> UUID:

    return UUID(str(text))
