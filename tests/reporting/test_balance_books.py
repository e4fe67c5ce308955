"""The books of an organization and of the platform, and every planted fault with its record (spec 07, Books)."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection

from apps.core.ids import OrganizationId
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant, GrantBurn, Hold
from apps.credits.services import credit_adjust, credits_consume, entry_reverse
from apps.credits.services.books import BooksAtFaultError, books_verify
from apps.reporting.models import BooksCheck, BooksStatement, CreditRollup, RollupState
from apps.reporting.rules.books import Figures, add_figures, books_lines
from apps.reporting.selectors.books import account_faults, last_check, organization_books, platform_books
from apps.reporting.services import rollups_rebuild, rollups_refresh, statements_write
from apps.tenants.models import Organization
from tests.contexts import console_context
from tests.credits.cast import Place, consumption, give, look_at, make_place
from tests.reporting.lives import at
from tests.sizes import size

DAY = date(2026, 5, 4)
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_each_identity_says_both_sides() -> None:
    figures = Figures(
        granted=100, consumed=-30, expired=-5, voided=-10, given_back=7, adjusted=-2, balance=60, account_balance=61,
        last_balance=60, held=5, open_holds=4, moved=3, entries=3,
    )  # fmt: skip
    lines = books_lines(figures)
    assert [(line.left, line.right, line.difference) for line in lines] == [
        (60, 60, 0), (61, 60, 1), (5, 4, 1), (3, 3, 0),
    ]  # fmt: skip
    assert add_figures([figures, figures]).granted == 200
    nothing = books_lines(Figures())
    assert [(line.left, line.right) for line in nothing] == [(0, 0)] * 4


@contextmanager
def by_hand() -> Iterator[None]:
    """Changes that no trigger sees, as somebody with SQL would make them."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


def old_place(slug: str = "red", *, whole_credits: int = 0) -> Place:
    """A place whose prices have been in force for some time."""
    with at(NOON - timedelta(days=30)):
        return make_place(slug, whole_credits=whole_credits)


def lead_a_life(place: Place) -> None:
    """A day with every kind of entry, and a charge of the next day."""
    with at(NOON - HOUR):
        give(place, 50_000_000)
        give(place, 5_000_000, expires_at=NOON)
        first = credits_consume(place.context, consumption=consumption(place))
        credits_consume(place.context, consumption=consumption(place))
    with at(NOON + HOUR):
        look_at(place)
        entry_reverse(place.context, entry_id=entry_of(first.body), key=uuid.uuid4().hex, reason="Twice")
        credit_adjust(console_context(), account_id=place.organization.pk, amount=1_000_000, reason="Regards", key="a")
    with at(NOON + 24 * HOUR):
        credits_consume(place.context, consumption=consumption(place))


def entry_of(body: object) -> uuid.UUID:
    return uuid.UUID(str(body["entry_id"]))  # type: ignore[index]


@pytest.mark.django_db
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/New_York"])
@pytest.mark.parametrize("is_rolled_up", [True, False])
def test_the_books_of_a_day_balance_with_and_without_rollups(zone: str, is_rolled_up: bool) -> None:
    place = old_place()
    Organization.objects.filter(pk=place.organization.pk).update(time_zone=zone)
    lead_a_life(place)
    if is_rolled_up:
        rollups_refresh(console_context())
    organization_id = OrganizationId(place.organization.pk)
    for day in (DAY - timedelta(days=1), DAY, DAY + timedelta(days=1), DAY + timedelta(days=9)):
        books = organization_books(organization_id, day)
        assert books.is_sound, books
        assert platform_books(day).is_sound
    zero, last = organization_books(organization_id, DAY - timedelta(days=3)), organization_books(organization_id, DAY)
    assert zero.lines[0].left == 0
    assert organization_books(organization_id, DAY + timedelta(days=9)).lines[0].right == place.account.balance
    assert last.lines[3].right == sum(CreditEntry.objects.values_list("amount", flat=True))


def lose_a_burn(place: Place) -> str:
    with by_hand():
        burn = GrantBurn.objects.order_by("pk").first()
        assert burn is not None
        GrantBurn.objects.filter(pk=burn.pk).delete()
    return str(burn.grant_id)


def change_the_balance(place: Place) -> str:
    with by_hand():
        CreditAccount.objects.filter(pk=place.organization.pk).update(balance=7)
    return "balance 7"


def hold_without_amount(place: Place) -> str:
    with by_hand():
        Hold.objects.create(
            account_id=place.organization.pk, product=place.product, operation="fix_run", quantity=1, amount=12_345,
            policy_version=1, expires_at=NOON + 30 * HOUR, created_at=NOON,
        )  # fmt: skip
    return "open holds 12345"


def change_a_rollup(place: Place) -> str:
    row = CreditRollup.objects.filter(kind="consumption").order_by("pk").first()
    assert row is not None
    CreditRollup.objects.filter(pk=row.pk).update(amount=row.amount - 1)
    return f"fix_run regular of {row.occurred_on}"


def change_an_entry(place: Place) -> str:
    with by_hand():
        CreditEntry.objects.filter(sequence=3).update(amount=-1)
    return "entry 3"


def change_what_is_left(place: Place) -> str:
    grant = CreditGrant.objects.order_by("-amount").first()
    assert grant is not None
    with by_hand():
        CreditGrant.objects.filter(pk=grant.pk).update(remaining=1)
    return str(grant.pk)


# What each changes, and whether a sum shows it at once; the others need a look at every entry.
FAULTS: list[tuple[Callable[[Place], str], bool]] = [
    (lose_a_burn, False), (change_the_balance, True), (hold_without_amount, True), (change_a_rollup, True),
    (change_an_entry, False), (change_what_is_left, False),
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize(("plant", "shows_in_sums"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_every_planted_fault_is_named_with_its_record(plant: Callable[[Place], str], shows_in_sums: bool) -> None:
    other, place = old_place("blue", whole_credits=9), old_place()
    lead_a_life(place)
    rollups_refresh(console_context())
    organization_id, today = OrganizationId(place.organization.pk), DAY + timedelta(days=1)
    assert organization_books(organization_id, today, is_thorough=True).is_sound
    record = plant(place)
    quick, platform = organization_books(organization_id, today), platform_books(today)
    assert quick.is_sound != shows_in_sums
    assert platform.is_sound != shows_in_sums
    thorough = organization_books(organization_id, today, is_thorough=True)
    for books in (thorough, *((quick, platform) if shows_in_sums else ())):
        assert any(record in fault for fault in books.faults), (record, books.faults)
        assert all(str(place.organization.pk) in fault for fault in books.faults)
    assert account_faults(other.organization.pk) == []
    # And the nightly look keeps it for the pages.
    with at(NOON + 30 * HOUR), pytest.raises(BooksAtFaultError):
        books_verify(console_context())
    assert any(record in fault for fault in organization_books(organization_id, today).faults)
    check = last_check()
    assert check is not None
    assert any(record in fault for fault in check.faults)
    assert organization_books(OrganizationId(other.organization.pk), today).is_sound


@pytest.mark.django_db
def test_a_sound_look_is_kept_too() -> None:
    old_place(whole_credits=9)
    with at(NOON):
        books_verify(console_context())
    assert [(check.checked_at, check.faults) for check in BooksCheck.objects.all()] == [(NOON, [])]


LIVED = size(small=24, full=200)


@pytest.mark.django_db
def test_statements_change_no_figure_and_keep_the_books_at_the_cost_of_some_days() -> None:
    place = old_place()
    organization_id = OrganizationId(place.organization.pk)
    for day in range(LIVED):
        with at(NOON + day * timedelta(days=1)):
            if day % 5 == 0:
                give(place, 20_000_000)
            credits_consume(place.context, consumption=consumption(place))
            rollups_refresh(console_context())
            last = organization_books(organization_id, NOON.date() + timedelta(days=day))
            assert last.is_sound
            if day % 3 == 0:
                statements_write(console_context())
                again = organization_books(organization_id, NOON.date() + timedelta(days=day))
                assert again.lines == last.lines
    through = BooksStatement.objects.filter(account=place.organization.pk).order_by("through")
    gaps = [row.through for row in through]
    assert len(gaps) >= LIVED // 9 - 1
    assert all(after - before >= timedelta(days=7) for before, after in itertools.pairwise(gaps))
    past = organization_books(organization_id, NOON.date() + timedelta(days=LIVED // 2))
    assert past.is_sound
    rollups_rebuild(console_context(), account_id=place.organization.pk)
    assert not BooksStatement.objects.exists()


@pytest.mark.django_db
def test_no_statement_of_days_that_are_not_rolled_up() -> None:
    place = old_place()
    with at(NOON):
        give(place, 20_000_000)
        rollups_refresh(console_context())
        credits_consume(place.context, consumption=consumption(place))
    with at(NOON + 20 * timedelta(days=1)):
        assert statements_write(console_context()) == 0
        rollups_refresh(console_context())
        assert statements_write(console_context()) == 1
    assert RollupState.objects.get(pk=place.organization.pk).last_sequence == 2
