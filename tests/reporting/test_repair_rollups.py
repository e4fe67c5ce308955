"""A wrong rollup is found and computed afresh (spec 07, Rollups)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from apps.credits.services import credits_consume
from apps.credits.services.books import BooksAtFaultError, books_verify
from apps.reporting.services import rollups_refresh
from tests.contexts import console_context
from tests.credits.cast import consumption
from tests.reporting.lives import Life, agree, at, begin_life, live

LIVED_UNTIL = datetime(2026, 5, 5, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def lived(lasting_db: None) -> Life:
    """A life whose rollups are up to date and sound."""
    life = begin_life(5, "Asia/Kathmandu", LIVED_UNTIL - timedelta(days=3))
    for hours in range(1, 40):
        live(life, LIVED_UNTIL - timedelta(hours=40 - hours), zones=())
    with at(LIVED_UNTIL):
        credits_consume(life.place.context, consumption=consumption(life.place))
        rollups_refresh(console_context())
        call_command("rebuild_rollups", "--check")
    return life


@pytest.mark.django_db
@pytest.mark.parametrize(
    "fault",
    [
        """UPDATE reporting_creditrollup SET quantity = quantity + 1
        WHERE id = (SELECT MIN(id) FROM reporting_creditrollup WHERE operation = 'fix_run')""",
        "UPDATE reporting_creditrollup SET occurred_on = occurred_on - 1 WHERE operation = 'fix_run'",
        "UPDATE reporting_creditrollup SET workspace_id = gen_random_uuid() WHERE operation = 'fix_run'",
        "DELETE FROM reporting_creditrollup WHERE kind = 'grant'",
        """INSERT INTO reporting_creditrollup (account_id, first_sequence, recorded_on, occurred_on, kind, operation,
        category, quantity, amount, count) SELECT account_id, 1, '2020-01-01', '2020-01-01', 'grant', '', '', 0, 0, 0
        FROM reporting_rollupstate""",
        "UPDATE reporting_rollupstate SET last_sequence = last_sequence - 1",
        "UPDATE reporting_rollupstate SET last_sequence = last_sequence + 5",
        "UPDATE reporting_connectorrollup SET quantity = quantity::numeric + 0.000000000000000000000000000001",
        "DELETE FROM reporting_connectorrollup",
    ],
)
def test_a_planted_fault_is_found_and_repaired(fault: str, lived: Life) -> None:
    with connection.cursor() as cursor:
        cursor.execute(fault)
    with at(LIVED_UNTIL):
        with pytest.raises(CommandError):
            call_command("rebuild_rollups", "--check", organization=lived.organization.pk)
        call_command("rebuild_rollups")
        call_command("rebuild_rollups", "--check")
    agree(lived, LIVED_UNTIL)


@pytest.mark.django_db
def test_the_nightly_look_at_the_books_finds_it(lived: Life) -> None:
    with at(LIVED_UNTIL):
        books_verify(console_context())
        with connection.cursor() as cursor:
            cursor.execute("UPDATE reporting_creditrollup SET amount = amount + 1 WHERE operation = 'fix_run'")
        with pytest.raises(BooksAtFaultError, match=f"rollups of organization {lived.organization.pk}"):
            books_verify(console_context())
