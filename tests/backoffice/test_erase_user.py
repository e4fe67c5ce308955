"""`manage.py erase_user`: nothing in the database names the person any more, and books and chain hold (spec 14)."""

from __future__ import annotations

import uuid
from io import StringIO
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import BinaryField, QuerySet
from django.test import Client

from apps.backoffice.leaving.columns import Table, tables
from apps.backoffice.leaving.erase import mentions_of
from apps.backoffice.seeding.data import seed_id
from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.audit import audit_append, verify_audit
from apps.core.audit.chain import ERASED, Break, Fault
from apps.core.enums import MembershipRole, Role
from apps.core.ids import OrganizationId, UserId
from apps.core.mails import Mail, mail_payload
from apps.core.models import AuditEntry, OutboxItem
from apps.core.outbox.services import outbox_enqueue
from apps.core.states import OutboxStatus
from apps.credits.models import CreditEntry, ErasedEntry
from apps.credits.selectors.seals import seal_faults
from apps.credits.services import credit_adjust
from apps.credits.services.seals import entries_seal
from apps.tenants.models import Membership, Organization, User
from apps.tenants.services import organization_close, user_upsert
from tests.contexts import console_context, staff_context
from tests.core.tampering import THING_WRITTEN, tamper, triggers_off
from tests.factories.tenants import make_membership, make_staff, make_user

pytestmark = pytest.mark.django_db
EMAIL, FORMER_EMAIL = "olivia@northwind.example", "livvy@northwind.example"
NAME, FORMER_NAME = "Olivia Ortega", "Olivia Quarrington-Smythe"
OLIVIA, NORTHWIND = UserId(seed_id(EMAIL)), OrganizationId(seed_id("organization:northwind"))
GREETING = f"Ask {NAME} ({EMAIL.upper()})"


def erase(user: object = OLIVIA, *options: str, reason: str = f"{NAME} asked by mail from {EMAIL}") -> str:
    out = StringIO()
    call_command("erase_user", str(user), "--reason", reason, *options, stdout=out)
    return out.getvalue()


@pytest.fixture(scope="module", autouse=True)
def world(lasting_db: None) -> set[str]:
    """The sample, with her name in each free text that any table has; the columns where it was written."""
    call_command("seed_demo")
    northwind = Organization.objects.get(pk=NORTHWIND)
    make_membership(northwind, make_user("second.owner@northwind.example"), MembershipRole.OWNER)
    for email, name in ((FORMER_EMAIL, FORMER_NAME), (EMAIL, NAME)):
        user_upsert(console_context(), user_id=OLIVIA, email=email, name=name)
    for context in (console_context(NORTHWIND), console_context()):
        audit_append(
            context, THING_WRITTEN, User.objects.get(pk=OLIVIA).audit_target if not context.organization_id
            else northwind.audit_target, after={"n": 1, "told": [GREETING]}, reason=f"Agreed with {NAME}",
        )  # fmt: skip
    credit_adjust(staff_context(Role.PLATFORM_ADMIN), key="k", account_id=NORTHWIND, amount=MICRO, reason=GREETING)
    entries_seal(clock.now())
    outbox_enqueue(
        console_context(), kind="email.send", key="mail", organization_id=NORTHWIND,
        payload=mail_payload(Mail("Hello", [GREETING], "https://x.example", "Go"), to=[EMAIL]),
    )  # fmt: skip
    Client().force_login(User.objects.get(pk=OLIVIA))
    with triggers_off():
        return {f"{table.name}.{column}" for table in tables() for column in plant(table)}


def plant(table: Table) -> list[str]:
    """Write her name into each column of one row, where its constraints let a text stand."""
    table_rows: QuerySet[Any] = QuerySet(table.model)
    row, planted = table_rows.order_by("pk").first(), list[str]()
    if row is None:
        return []
    for field in table.fields:
        value, text = getattr(row, field.attname), GREETING
        if isinstance(field, BinaryField):
            continue
        if isinstance(value, str):
            most = field.max_length or 1_000
            text = GREETING if most > len(GREETING) else EMAIL[:most]
        new = (
            {**value, "planted": text}
            if isinstance(value, dict)
            else [*value, text]
            if isinstance(value, list)
            else text
        )
        try:
            with transaction.atomic():
                table_rows.filter(pk=row.pk).update(**{field.attname: new})
        except IntegrityError:
            continue
        planted.append(field.attname)
    return planted


def columns_that_name_her() -> list[str]:
    """Every column of text, JSON or bytes of every table, as the catalogue has them."""
    sought = [EMAIL, FORMER_EMAIL, NAME, FORMER_NAME, "Ortega", "Quarrington"]
    found = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c"
            " JOIN information_schema.tables t USING (table_schema, table_name)"
            " WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'"
            " AND c.data_type IN ('text', 'character varying', 'jsonb', 'json', 'ARRAY', 'bytea')"
        )
        columns = cursor.fetchall()
        assert len(columns) > 300
        for table, column, kind in columns:
            text = f"encode(\"{column}\", 'escape')" if kind == "bytea" else f'"{column}"::text'
            cursor.execute(
                f'SELECT count(*) FROM "{table}" WHERE {text} ILIKE ANY (%s)', [[f"%{word}%" for word in sought]]
            )
            if cursor.fetchone()[0]:
                found.append(f"{table}.{column}")
    return found


def assert_books_are_sound() -> None:
    for command in (("verify_ledger",), ("verify_audit",), ("rebuild_rollups", "--check")):
        call_command(*command, stdout=StringIO())


@pytest.mark.slow
def test_nothing_names_the_person_any_more_and_the_books_are_sound(world: set[str]) -> None:
    assert len(world) >= 50
    assert_books_are_sound()
    before = columns_that_name_her()
    assert len(before) >= 55
    assert Session.objects.count() == 1
    amounts = list(CreditEntry.objects.order_by("pk").values_list("pk", "amount", "balance_after", "recorded_at"))
    hashes = list(AuditEntry.objects.order_by("pk").values_list("pk", "hash"))
    said = erase()
    assert "User" in said
    assert columns_that_name_her() == []
    assert_books_are_sound()
    assert (
        list(CreditEntry.objects.order_by("pk").values_list("pk", "amount", "balance_after", "recorded_at")) == amounts
    )
    assert set(hashes) <= set(AuditEntry.objects.values_list("pk", "hash"))
    user = User.objects.get(pk=OLIVIA)
    assert (user.email, user.name, user.is_active, user.has_usable_password()) == (
        f"erased-{OLIVIA}@erased.invalid", "", False, False
    )  # fmt: skip
    assert not Membership.objects.filter(user=OLIVIA).exists()
    assert not Session.objects.exists()
    item = OutboxItem.objects.get(key="mail")
    assert (item.status, item.payload["to"]) == (OutboxStatus.SUPPRESSED, [ERASED])
    entry = AuditEntry.objects.get(event="user.erased")
    assert (entry.target_id, entry.reason) == (str(OLIVIA), f"{ERASED} asked by mail from {ERASED}")
    # Again: nothing happens, and the product's old news does not bring her back.
    assert erase().startswith(f"User {OLIVIA} is erased since ")
    assert not user_upsert(console_context(), user_id=OLIVIA, email=EMAIL, name=NAME).is_applied
    assert AuditEntry.objects.filter(event="user.erased").count() == 1
    assert columns_that_name_her() == []


def test_what_is_tampered_with_afterwards_is_still_located() -> None:
    erase()
    entry = AuditEntry.objects.filter(organization_id=NORTHWIND, erased__isnull=False).latest("sequence")
    tamper("UPDATE core_auditentry SET target_id = 'x' WHERE id = %s", entry.pk)
    reports = {report.organization_id: report.breaks for report in verify_audit()}
    assert reports.pop(NORTHWIND) == (Break(Fault.ERASED_UNVOUCHED, entry.sequence, entry.sequence),)
    assert set(reports.values()) == {()}
    erased = ErasedEntry.objects.get().entry
    assert erased.reason == f"Ask {ERASED} ({ERASED})"
    assert list(seal_faults()) == []
    tamper("UPDATE credits_creditentry SET reason = reason || '!' WHERE id = %s", erased.pk)
    place = f"account {NORTHWIND}: sealed entries: entry {erased.sequence} was changed after it was sealed"
    assert list(seal_faults()) == [place]
    # One who owns the database, and not the keys, can't make an erasure of it.
    tamper("UPDATE credits_erasedentry SET kept = sha256('x')")
    assert f"that texts of entry {erased.sequence} were erased is not signed with a key" in " ".join(seal_faults())


@pytest.mark.slow
def test_a_dry_run_counts_and_changes_nothing() -> None:
    before = columns_that_name_her()
    said = erase(OLIVIA, "--dry-run")
    assert "core.AuditEntry" in said
    assert "payments.WebhookEvent" in said
    assert said.endswith("A dry run: nothing was changed.\n")
    assert columns_that_name_her() == before
    assert Membership.objects.filter(user=OLIVIA).exists()
    counted = [line for line in said.splitlines() if line.startswith("credits.CreditEntry")]
    assert counted == [line for line in erase().splitlines() if line.startswith("credits.CreditEntry")]


def test_an_interrupted_run_is_finished_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_off(**_: Any) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("apps.backoffice.leaving.erase.entry_texts_erase", break_off)
        with pytest.raises(KeyboardInterrupt):
            erase()
    user = User.objects.get(pk=OLIVIA)
    assert (user.email, user.is_active, user.erased_at) == (EMAIL, False, None)
    erase()
    assert columns_that_name_her() == []


def test_who_can_t_be_erased_is_told_why() -> None:
    entries = AuditEntry.objects.count()
    northwind = Organization.objects.get(pk=NORTHWIND)
    Membership.objects.filter(organization=northwind, role="owner").exclude(user=OLIVIA).update(role="admin")
    with pytest.raises(CommandError, match=r"is the last owner of northwind\. Make somebody else an owner of it"):
        erase()
    staff = make_staff(Role.SUPPORT)
    with pytest.raises(CommandError, match="is staff who may sign in here, and can't be erased"):
        erase(staff.pk)
    with pytest.raises(CommandError, match="Give a reason"):
        erase(reason=" ")
    with pytest.raises(CommandError, match="There is no user"):
        erase(uuid.uuid4())
    assert AuditEntry.objects.count() == entries + 1  # the staff member's role
    assert User.objects.get(pk=OLIVIA).is_active
    organization_close(console_context(), organization_id=NORTHWIND, reason="left", is_forced=True)
    erase()
    assert Membership.objects.filter(user=OLIVIA, organization=NORTHWIND).exists()


def test_others_of_a_similar_name_keep_theirs() -> None:
    other = make_user("dolivia@northwind.example")
    user_upsert(console_context(), user_id=UserId(other.pk), email=other.email, name="Olivia Ortegason")
    single = make_user("single@northwind.example")
    user_upsert(console_context(), user_id=UserId(single.pk), email=single.email, name="active")
    erase()
    erase(single.pk)
    kept = AuditEntry.objects.filter(target_id=str(other.pk)).latest("recorded_at").after
    assert kept == {"email": other.email, "name": "Olivia Ortegason"}
    gone = AuditEntry.objects.filter(target_id=str(single.pk), event="user.changed").latest("recorded_at").after
    assert gone == {"email": ERASED, "name": ERASED}
    # "active" is also the state of a subscription.
    assert AuditEntry.objects.filter(after__state="active", target_type="workspace_subscription").exists()
    assert_books_are_sound()


def test_former_addresses_and_names_are_known() -> None:
    mentions = mentions_of(User.objects.get(pk=OLIVIA), ["Livvy O.", "o.ortega@elsewhere.example"])
    assert mentions.emails == {EMAIL, FORMER_EMAIL, "o.ortega@elsewhere.example"}
    assert {NAME, FORMER_NAME, "Livvy O."} <= mentions.names
