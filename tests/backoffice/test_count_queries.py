"""Lists and pages ask as many questions for many rows as for few, and count to a bound (spec 11, Speed)."""

from __future__ import annotations

import re
from datetime import date, timedelta
from urllib.parse import urlencode

import pytest
import time_machine
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.backoffice import paginator as pages
from apps.backoffice.registry import PAGES, registered_pages
from apps.backoffice.staff_admin import StaffAdmin
from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.enums import Role
from apps.core.ids import OrganizationId
from apps.credits.models import CreditEntry
from apps.tenants.models import Organization
from tests.backoffice.people import client_of
from tests.backoffice.records import MAKERS
from tests.credits.cast import give, make_place
from tests.factories.tenants import make_membership, make_organization, make_product, make_user, make_workspace

pytestmark = [pytest.mark.django_db, pytest.mark.walk]


def statements(client: Client, url: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return [query["sql"] for query in captured]


# A question a row shows at any two numbers below a page's length; making the rows is what takes the time.
FEW, MANY = 2, 5


@pytest.mark.parametrize("model", PAGES, ids=lambda model: model.__name__)
def test_a_list_asks_as_much_for_many_rows_as_for_few(model: type[Model]) -> None:
    client = client_of(Role.PLATFORM_ADMIN)
    url = reverse(f"admin:{next(page for page in registered_pages() if page.model is model).route_prefix}_changelist")
    for _ in range(FEW):
        MAKERS[model]()
    statements(client, url)
    few = statements(client, url)
    for _ in range(MANY - FEW):
        MAKERS[model]()
    # What is shown for the first time may settle first.
    statements(client, url)
    many = statements(client, url)
    assert len(many) == len(few), "\n".join(many)
    counts = [sql for sql in many if "COUNT(" in sql and "SELECT COUNT(*)" in sql]
    assert all("LIMIT" in sql for sql in counts), counts


def test_an_organizations_page_asks_as_much_for_many_members_as_for_few() -> None:
    client = client_of(Role.PLATFORM_ADMIN)
    organization = make_organization()

    def grow(times: int) -> None:
        for _ in range(times):
            make_membership(organization, make_user())
            make_workspace(organization)
        make_product(f"p{times}", organization)

    url = reverse("admin:tenants_organization_change", args=(organization.pk,))
    grow(2)
    statements(client, url)
    few = statements(client, url)
    grow(20)
    assert len(statements(client, url)) == len(few)


def test_a_list_counts_to_its_bound_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "COUNT_LIMIT", 3)
    for _ in range(5):
        make_organization()
    body = client_of(Role.SUPPORT).get(reverse("admin:tenants_organization_changelist")).content.decode()
    assert "More than 3 organizations" in body


def keys_of(sql: str) -> str:
    """The part of a page's statement that finds which rows it has."""
    return sql.rpartition('"id" IN (SELECT')[2] if "ORDER BY" in sql else ""


def test_a_later_page_looks_nothing_up_for_the_rows_that_it_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StaffAdmin, "list_per_page", 2)
    client, url = client_of(Role.SUPPORT), reverse("admin:tenants_organization_changelist")
    made = sorted(make_organization(name=f"Customer {number}").slug for number in range(5))
    shown = [row.slug for page in (1, 2, 3) for row in client.get(url, {"p": page}).context["cl"].result_list]
    assert shown == made
    skipping = [sql for sql in statements(client, f"{url}?p=3") if "OFFSET" in sql]
    assert len(skipping) == 1
    assert "tenants_membership" not in keys_of(skipping[0])


def test_what_is_sorted_by_its_lifecycle_has_nothing_looked_up_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StaffAdmin, "list_per_page", 1)
    organization = make_organization()
    slugs = sorted(make_workspace(organization).slug for _ in range(2))
    client, url = client_of(Role.SUPPORT), reverse("admin:tenants_workspace_changelist")
    asked = f"{url}?lifecycle=pre_subscription"
    assert [row.slug for row in client.get(asked).context["cl"].result_list] == slugs[:1]
    (keys,) = [keys for keys in map(keys_of, statements(client, asked)) if "CASE WHEN" in keys]
    assert "payments_review" not in keys


def test_a_page_of_years_of_entries_sorts_as_many_days_as_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StaffAdmin, "list_per_page", 1)
    place = make_place()
    ages = (0, 3, 40, 300)
    for age in reversed(ages):
        with time_machine.travel(clock.now() - timedelta(days=age), tick=False):
            give(place, MICRO)
    client, url = client_of(Role.SUPPORT), reverse("admin:credits_creditentry_changelist")
    asked = {"recorded_at_from": f"{clock.now() - timedelta(days=400):%Y-%m-%d}"}
    sorted_since = []
    for page, entry in enumerate(CreditEntry.objects.order_by("-recorded_at"), start=1):
        sql = statements(client, f"{url}?{urlencode(asked | {'p': page})}")
        (keys,) = [keys_of(each) for each in sql if "recorded_at" in keys_of(each) and "LIMIT 1" in keys_of(each)]
        sorted_since.append(max(re.findall(r"recorded_at\" >= '(\d{4}-\d\d-\d\d)", keys)))
        assert [row.pk for row in client.get(url, asked | {"p": page}).context["cl"].result_list] == [entry.pk]
    days = [(clock.now().date() - date.fromisoformat(day)).days for day in sorted_since]
    assert days == [1, 4, 64, 400]


@pytest.mark.parametrize(
    ("asked", "order"),
    [("-6.3", "ASC"), ("2", "ASC"), ("x", "ASC"), ("-", "ASC"), ("9" * 400, "ASC"), ("0", "ASC"), ("-0.2", "DESC")],
)
def test_the_address_can_ask_for_no_order_but_those_of_an_index(asked: str, order: str) -> None:
    client = client_of(Role.SUPPORT)
    make_organization()
    url = reverse("admin:tenants_organization_changelist")
    page = [sql for sql in statements(client, f"{url}?o={asked}") if sql.startswith('SELECT "tenants_organization"')]
    assert len(page) == 1
    assert f'ORDER BY "tenants_organization"."slug" {order}' in page[0]


@pytest.mark.parametrize("model", PAGES, ids=lambda model: model.__name__)
def test_no_search_looks_for_a_part_in_the_middle(model: type[Model]) -> None:
    client = client_of(Role.PLATFORM_ADMIN)
    record = MAKERS[model]()
    url = reverse(f"admin:{next(page for page in registered_pages() if page.model is model).route_prefix}_changelist")
    for term in ("north", str(record.pk), "x' OR 1=1 --", "%", "\x00", "ß" * 300):
        found = statements(client, f"{url}?q={term}") if "\x00" not in term and "%" not in term else []
        assert not [sql for sql in found if "LIKE '%" in sql or "LIKE UPPER('%" in sql]
    assert str(record.pk) in client.get(url, {"q": str(record.pk)}).content.decode()
    assert client.get(url, {"q": "%"}).status_code == 200


def test_a_percent_sign_is_searched_as_itself() -> None:
    make_organization(name="Plain")
    body = client_of(Role.SUPPORT).get(reverse("admin:tenants_organization_changelist"), {"q": "%"}).content.decode()
    assert "Plain" not in body


def test_a_name_is_found_by_its_beginning_whatever_its_case() -> None:
    organization: Organization = make_organization(name="Zebra Works")
    client = client_of(Role.SUPPORT)
    url = reverse("admin:tenants_organization_changelist")
    for term, is_found in (("zebra", True), ("ZEBRA W", True), ("works", False), (str(organization.pk), True)):
        assert (str(OrganizationId(organization.pk)) in client.get(url, {"q": term}).content.decode()) is is_found
