"""Whoever looks is recorded nowhere as the doer: every GET route as every kind of person, with things that are due.

What falls due is done by whoever comes first, also by a page that is opened. It is the scheduler's doing all the same:
no row that stays may bear the name of somebody who has only looked (spec 05, Account, grants, entries).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Least
from django.test import Client
from django.urls import reverse

from apps.core import clock
from apps.core.amounts import MICRO
from apps.credits.enums import EntryKind, GrantType
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant, Hold
from apps.tenants.models import Product, Workspace
from tests.access.pages import more_in_address, page_routes
from tests.access.routes import api_routes
from tests.access.test_staff_plane import GUARDED, arguments_of, make_records
from tests.access.world import STAFF, make_world, request_of

BEFORE = datetime(2026, 4, 3, 12, tzinfo=UTC)
LATER = BEFORE + timedelta(hours=2)
ACCOUNT_PAGE = {name: operation for name, operation in GUARDED.items() if name.startswith("credits_creditaccount_")}
# Left out: Django's sessions and its like, which know who is signed in.
LOOKERS = (
    *("signed-in stranger", "staff without second factor", "tenant owner", "tenant viewer"),
    *("staff support", "staff platform_admin"),
)
OURS = ("core", "tenants", "subscriptions", "credits", "connectors", "payments", "backoffice")
OUR_TABLES = sorted({model._meta.db_table for model in apps.get_models() if model._meta.app_label in OURS})


def plant_due(account: CreditAccount) -> None:
    """A hold that ends, a grant that begins and one that ends, all within the hour."""
    now, soon = clock.now(), clock.now() + timedelta(hours=1)
    terms = {"grant_type": GrantType.BONUS, "amount": MICRO, "granted_by": "console:tester", "created_at": now}
    CreditGrant.objects.create(account=account, remaining=0, effective_at=soon, **terms)
    # A lower priority is burned first: this one has something left when it ends.
    CreditGrant.objects.create(
        account=account, remaining=MICRO, effective_at=now, expires_at=soon, is_posted=True, priority=255, **terms
    )
    product = Product.objects.order_by("slug")[0]
    Hold.objects.create(
        account=account, product=product, operation="unit", quantity=1, amount=1, policy_version=1,
        created_at=now, expires_at=soon,
    )  # fmt: skip
    CreditAccount.objects.filter(pk=account.pk).update(
        balance=F("balance") + MICRO, held=F("held") + 1, next_due_at=Least(F("next_due_at"), soon)
    )
    CreditAccount.objects.filter(pk=account.pk, next_due_at=None).update(next_due_at=soon)


class Places:
    """The stage: every tenant of the table and a record of every kind, all with something due two hours later."""

    def __init__(self) -> None:
        with time_machine.travel(BEFORE, tick=False):
            self.world = make_world()
            self.records = make_records()
            for account in CreditAccount.objects.all():
                plant_due(account)
        self.slugs = dict(Workspace.objects.values_list("pk", "slug"))

    def paths(self, principal: str) -> Iterator[tuple[str, str]]:
        """The name and address of each route that the person can GET."""
        if principal in STAFF:
            for name in GUARDED:
                yield f"admin:{name}", reverse(f"admin:{name}", kwargs=arguments_of(name, self.records))
        for relation in ("own", "demo"):
            tenant = self.world.tenants[relation]
            for route in page_routes():
                if "GET" in route.operations:
                    more = more_in_address(route.pattern, tenant)
                    yield route.name, reverse(route.name, args=[self.slugs[tenant.workspace_id], *more])
            for route in api_routes():
                if "GET" in route.operations:
                    yield route.name, reverse(route.name, kwargs=request_of(route.name, tenant, self.world)[0])
        yield "billing-home", reverse("billing-home")


@pytest.fixture(scope="module")
def lasting_places(lasting_db: None) -> Places:
    return Places()


@pytest.fixture
def places(lasting_places: Places, db: None) -> Places:
    return lasting_places


def rows_that_name(tables: Iterable[str], *texts: str) -> dict[str, int]:
    """How many rows of each table contain one of the texts."""
    each = " UNION ALL ".join(f"SELECT '{table}' AS name, to_jsonb(t)::text AS row FROM {table} t" for table in tables)
    patterns = [f"%{text}%" for text in texts]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT name, count(*) FROM ({each}) r WHERE row LIKE ANY(%s) GROUP BY name", [patterns])
        return dict(cursor.fetchall())


def written() -> dict[str, int]:
    """How many rows this transaction has written to each of our tables, those of row versions included."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables")
        return {table: count for table, count in cursor.fetchall() if table in OUR_TABLES}


def look(client: Client, path: str) -> bytes:
    """The answer, read to its end."""
    answer: Any = client.get(path)
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def named_by_looking(places: Places) -> tuple[list[str], set[tuple[str, str]]]:
    """The routes that wrote somebody's name for a GET; and who is named in the entries that GETs wrote."""
    found: list[str] = []
    doers: set[tuple[str, str]] = set()
    for principal in LOOKERS:
        user, (client, _) = places.world.users[principal], places.world.client(principal)
        texts = (user.email, str(user.pk))
        named, entries = rows_that_name(OUR_TABLES, *texts), set(CreditEntry.objects.values_list("pk", flat=True))
        for name, path in places.paths(principal):
            undoing = transaction.atomic()
            undoing._from_testcase = True  # type: ignore[attr-defined]
            with undoing:
                before = written()
                look(client, path)
                # Only what was written to is read again: to read every table takes longer than most pages.
                changed = [table for table, count in written().items() if count != before.get(table, 0)]
                now = rows_that_name(changed, *texts) if changed else {}
                if any(count != named.get(table, 0) for table, count in now.items()):
                    found.append(f"{principal}: {name}")
                if CreditEntry._meta.db_table in changed:
                    doers |= set(CreditEntry.objects.exclude(pk__in=entries).values_list("actor_label", "kind"))
                transaction.set_rollback(True)
    return found, doers


@time_machine.travel(LATER, tick=False)
def test_no_get_writes_anything_in_the_name_of_a_person(places: Places) -> None:
    found, doers = named_by_looking(places)
    assert found == []
    # Something was due, and was done.
    due = {EntryKind.EXPIRY.value, EntryKind.GRANT.value}
    assert doers == {("scheduler:settle-accounts", kind) for kind in due}


@time_machine.travel(LATER, tick=False)
def test_an_entry_in_the_name_of_who_looks_is_found(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.credits.services.accounts._of_schedule", lambda context, account_id: context)
    monkeypatch.setattr("tests.access.test_look_only.GUARDED", ACCOUNT_PAGE)
    monkeypatch.setattr("tests.access.test_look_only.LOOKERS", ("tenant owner", "tenant viewer", "staff support"))
    found, _ = named_by_looking(places)
    assert {"tenant viewer: billing-credits", "tenant owner: billing-credits-csv"} <= set(found)
    assert any(line.startswith("staff support: admin:") for line in found)
