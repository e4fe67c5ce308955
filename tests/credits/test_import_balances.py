"""A product's own balances brought over: refused whole, or booked once each, whatever is repeated or killed (02)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.backoffice.jobs import sweep_cutovers
from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.enums import Role
from apps.core.errors import ConflictError, CountinghouseError, ForbiddenError, NotFoundError, UnprocessableError
from apps.core.ids import OrganizationId, ProductId
from apps.core.models import AuditEntry
from apps.credits.models import (
    BalanceImport,
    BalanceImportFile,
    CreditAccount,
    CreditEntry,
    CreditGrant,
    ImportedBalance,
)
from apps.credits.services import (
    balance_import_create,
    balance_import_discard,
    balance_import_start,
    balances_judge,
    credits_consume,
)
from apps.credits.services.balance_booking import balance_import_execute
from apps.tenants.enums import OrganizationKind
from apps.tenants.models import Organization
from apps.tenants.services import organization_close
from tests.contexts import console_context, staff_context
from tests.credits.cast import Place, assert_sound, consumption, make_place
from tests.factories.tenants import make_membership, make_organization, make_product, make_user

pytestmark = pytest.mark.django_db(transaction=True)
HEAD = "account_type,account_id,balance,external_ref"


def file_of(*lines: str, head: str = HEAD) -> bytes:
    return "\n".join([head, *lines, ""]).encode()


def line_of(organization: Organization, balance: object, ref: str) -> str:
    return f"organization,{organization.pk},{balance},{ref}"


def product_id(place: Place) -> ProductId:
    return ProductId(place.product.pk)


def imported(place: Place, data: bytes, *, is_update: bool = False) -> BalanceImport:
    """An import from its file to its end."""
    record = create(place, data, is_update=is_update)
    done = balance_import_execute(console_context(), record.pk)
    assert done is not None
    return done


def create(place: Place, data: bytes, *, is_update: bool = False, starts: bool = True) -> BalanceImport:
    return balance_import_create(
        console_context(),
        product_id=product_id(place),
        data=data,
        file_name="balances.csv",
        is_update=is_update,
        reason="the cutover",
        starts=starts,
    )


@contextmanager
def refuses(kind: type[CountinghouseError]) -> Iterator[pytest.ExceptionInfo[CountinghouseError]]:
    """The block is refused so, and has changed nothing."""
    models = (BalanceImport, BalanceImportFile, ImportedBalance, CreditEntry, AuditEntry)
    before = [list(model._default_manager.order_by("pk").values()) for model in models]
    with pytest.raises(kind) as refusal:
        yield refusal
    assert [list(model._default_manager.order_by("pk").values()) for model in models] == before


def faults_of(place: Place, *lines: str, is_update: bool = False) -> list[str]:
    judged = balances_judge(console_context(), product_id=product_id(place), data=file_of(*lines), is_update=is_update)
    return [str(fault) for fault in judged.faults]


def run_command(path: Path, *options: str) -> str:
    """What `manage.py import_balances` writes, with its faults and its exit."""
    text = StringIO()
    try:
        call_command("import_balances", str(path), *options, product="red", stdout=text, stderr=text)
    except CommandError as error:
        return f"{text.getvalue()}{error} exit {error.returncode}"
    return f"{text.getvalue()}exit 0"


def test_balances_become_grants_and_debts_once() -> None:
    place, other = make_place("red"), make_organization()
    make_product("red", other)
    person = make_user()
    make_membership(other, person)
    end = clock.now() + timedelta(days=90)
    data = file_of(
        f"organization,{place.organization.pk},12.5,w1,bonus,7,{end.isoformat()},old books",
        f"organization,{place.organization.pk},1,w2,,,,",
        f"organization,{other.pk},-4,w3,,,,",
        f"user,{person.pk},3,w4,purchased,,,",
        f"organization,{other.pk},0,w5,,,,",
        head=f"{HEAD},grant_type,priority,expires_at,note",
    )
    done = imported(place, data)
    assert (done.status, done.error, done.done) == ("succeeded", "", 5)
    assert done.counts == {"granted": 3, "adjusted": 1, "unchanged": 1}
    assert done.totals["file"] == done.totals["booked"] == done.totals["after"] == 12_500_000
    first = CreditGrant.objects.get(note="old books")
    assert (first.grant_type, first.amount, first.priority, first.expires_at) == ("bonus", 12_500_000, 7, end)
    assert CreditGrant.objects.get(account=place.organization.pk, amount=MICRO).grant_type == "adjustment"
    assert place.account.balance == 13_500_000
    debt = CreditEntry.objects.get(account=other.pk)
    assert (debt.kind, debt.amount, debt.balance_after) == ("adjustment", -4 * MICRO, -4 * MICRO)
    own = Organization.objects.get(kind=OrganizationKind.INDIVIDUAL, memberships__user=person)
    assert CreditAccount.objects.get(pk=own.pk).balance == 3 * MICRO
    assert not BalanceImportFile.objects.exists()
    assert_sound()

    # The same file again does nothing, not even where something was spent meanwhile.
    credits_consume(place.context, consumption=consumption(place))
    entries = CreditEntry.objects.count()
    again = imported(place, data)
    assert (again.counts, again.totals["booked"]) == ({"unchanged": 5}, 0)
    assert CreditEntry.objects.count() == entries
    told = AuditEntry.objects.filter(event="balance_import.finished").count()
    assert told == 2


def test_another_balance_is_refused_with_both_figures_and_booked_as_an_update() -> None:
    place = make_place("red")
    imported(place, file_of(line_of(place.organization, 10, "w1"), line_of(place.organization, 5, "w2")))
    data = file_of(line_of(place.organization, 7, "w1"), line_of(place.organization, 5.5, "w2"))
    with refuses(UnprocessableError) as refusal:
        create(place, data)
    assert refusal.value.problem_code == "balance_file_refused"
    assert "line 2: 'w1' was imported with 10, and is 7 now." in refusal.value.detail
    assert "line 3: 'w2' was imported with 5, and is 5.5 now." in refusal.value.detail
    done = imported(place, data, is_update=True)
    assert done.counts == {"granted": 1, "adjusted": 1}
    assert (done.totals["booked"], done.totals["after"]) == (-2_500_000, 12_500_000)
    assert place.account.balance == 12_500_000
    assert list(ImportedBalance.objects.order_by("external_ref").values_list("balance", "revision")) == [
        (7 * MICRO, 2),
        (5_500_000, 2),
    ]
    # Back again is an update too, and has a key of its own.
    imported(place, file_of(line_of(place.organization, 10, "w1")), is_update=True)
    assert place.account.balance == 15_500_000
    assert_sound()


def test_a_line_about_an_account_that_is_not_the_products_refuses_the_file() -> None:
    place, foreign = make_place("red"), make_organization()
    closed, demo = make_organization(), make_organization(is_demo=True)
    made = make_organization()
    Organization.objects.filter(pk=made.pk).update(is_synthetic=True)
    for each in (closed, demo, made):
        make_product("red", each)
    organization_close(console_context(), organization_id=OrganizationId(closed.pk), reason="gone")
    nobody, stranger = uuid.uuid4(), make_user()
    good = line_of(place.organization, 1, "w0")
    faults = faults_of(
        place,
        good,
        f"organization,{nobody},1,w1",
        line_of(foreign, 1, "w2"),
        line_of(closed, 1, "w3"),
        line_of(demo, 1, "w4"),
        line_of(made, 1, "w5"),
        f"user,{stranger.pk},1,w6",
        f"user,{nobody},1,w7",
    )
    assert [fault.split(":")[0] for fault in faults] == [f"line {number}" for number in range(3, 10)]
    words = ("no organization", "no access", "is closed", "is a demo", "cutover check", "no user", "no user")
    for fault, word in zip(faults, words, strict=True):
        assert word in fault
    # The person of another product is told as one who does not exist.
    assert (
        faults[5].replace(str(stranger.pk), "").partition(":")[2]
        == faults[6].replace(str(nobody), "").partition(":")[2]
    )
    with refuses(UnprocessableError):
        create(place, file_of(good, line_of(foreign, 1, "w2")))
    assert place.account.balance == 0
    # A reference stays with its account.
    imported(place, file_of(good))
    other = make_organization()
    make_product("red", other)
    [fault] = faults_of(place, line_of(other, 1, "w0"), is_update=True)
    assert "Give this balance a reference of its own." in fault


def test_a_person_starts_or_discards_what_was_checked() -> None:
    place = make_place("red")
    data = file_of(line_of(place.organization, 10, "w1"))
    waiting = create(place, data, starts=False)
    assert balance_import_execute(console_context(), waiting.pk) is None
    other = create(place, file_of(line_of(place.organization, 10, "w2")), starts=False)
    balance_import_start(console_context(), import_id=waiting.pk, reason="go")
    with refuses(ConflictError) as refusal:
        balance_import_start(console_context(), import_id=other.pk, reason="go")
    assert refusal.value.problem_code == "balance_import_running"
    with refuses(ConflictError):
        balance_import_start(console_context(), import_id=waiting.pk, reason="twice")
    assert create(place, data).pk == waiting.pk
    done = balance_import_execute(console_context(), waiting.pk)
    assert done is not None
    assert (done.status, place.account.balance) == ("succeeded", 10 * MICRO)
    dropped = balance_import_discard(console_context(), import_id=other.pk, reason="wrong file")
    assert dropped.status == "discarded"
    with refuses(NotFoundError):
        balance_import_discard(console_context(), import_id=uuid.uuid4(), reason="none")
    assert not BalanceImportFile.objects.exists()


def test_what_changed_since_the_check_is_seen_at_the_start_or_stops_the_import_there() -> None:
    place, other = make_place("red"), make_organization()
    make_product("red", other)
    lines = (line_of(place.organization, 1, "w1"), line_of(other, 1, "w2"))
    waiting, queued = create(place, file_of(*lines), starts=False), create(place, file_of(*lines))
    organization_close(console_context(), organization_id=OrganizationId(other.pk), reason="gone")
    done = balance_import_execute(console_context(), queued.pk)
    assert done is not None
    assert (done.status, done.done, done.counts) == ("failed", 1, {"granted": 1})
    assert done.error == f"Stopped at line 3: the organization {other.pk} is closed."
    with refuses(UnprocessableError):
        balance_import_start(console_context(), import_id=waiting.pk, reason="go")
    assert imported(place, file_of(lines[0])).counts == {"unchanged": 1}


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.BILLING_OPERATIONS])
def test_a_role_below_platform_admin_imports_nothing(role: Role) -> None:
    place = make_place("red")
    data = file_of(line_of(place.organization, 1, "w1"))
    with refuses(ForbiddenError) as refusal:
        balances_judge(staff_context(role), product_id=product_id(place), data=data, is_update=False)
    assert "You can't import balances" in refusal.value.detail


def test_a_file_that_nobody_starts_is_dropped_and_a_lost_message_is_sent_again() -> None:
    place = make_place("red")
    stale = create(place, file_of(line_of(place.organization, 1, "w1")), starts=False)
    BalanceImport.objects.filter(pk=stale.pk).update(created_at=clock.now() - timedelta(days=2))
    lost = create(place, file_of(line_of(place.organization, 1, "w2")))
    BalanceImport.objects.filter(pk=lost.pk).update(lease_expires_at=clock.now())
    counts = sweep_cutovers(console_context(), slot=clock.now(), organization_id=None, include_demo=False)
    assert (counts["dropped"], counts["handed_out"]) == (1, 1)
    stale.refresh_from_db()
    assert stale.status == "discarded"
    assert set(BalanceImportFile.objects.values_list("record", flat=True)) == {lost.pk}


def test_the_command_previews_books_repeats_and_refuses(tmp_path: Path) -> None:
    place = make_place("red")
    path = tmp_path / "balances.csv"
    path.write_bytes(b"\xef\xbb\xbf" + file_of(line_of(place.organization, "12.5", "w1")).replace(b",", b";"))
    said = run_command(path, "--dry-run")
    assert "A dry run: nothing was booked." in said
    assert not ImportedBalance.objects.exists()
    said = run_command(path)
    assert "1 of 1 lines: 1 granted." in said
    assert said.endswith("Imported here now: 12.5 credits.\nexit 0")
    assert "1 of 1 lines: 1 unchanged." in run_command(path)
    path.write_bytes(file_of(line_of(place.organization, 13, "w1"), "organization,x,1,w2"))
    said = run_command(path)
    assert "line 3: account_id is 'x'" in said
    assert said.endswith("exit 1")
    path.write_bytes(file_of(line_of(place.organization, 13, "w1")))
    assert "was imported with 12.5, and is 13 now." in run_command(path)
    rows = run_command(path, "--update", "--dry-run").splitlines()
    assert [row.split()[-1] for row in rows if row.startswith(("Booked", "Imported"))] == ["12.5", "0.5", "13"]
    assert "1 of 1 lines: 1 granted." in run_command(path, "--update")
    assert place.account.balance == 13 * MICRO
    assert "can't be read" in run_command(tmp_path / "none.csv")
