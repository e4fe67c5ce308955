"""Pages show rows of any date: every moment in the database is moved to the edge of the calendar, by SQL."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, models, transaction
from django.test import Client
from django.urls import reverse

from apps.backoffice.registry import registered_pages
from apps.core.enums import Role
from apps.tenants.models import Organization, Workspace
from tests.access.pages import DECLARED_PAGES, OF_A_CONNECTOR, page_routes
from tests.access.world import World, make_world
from tests.backoffice.people import client_of
from tests.backoffice.records import MAKERS

pytestmark = pytest.mark.django_db

FIRST, LAST = "0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00"
# Who is signed in, and what a session or token is judged by, stays as it is.
SPARED = {"django_session", "otp_totp_totpdevice", "axes_accessattempt", "django_migrations"}


@pytest.fixture(scope="module")
def stage(lasting_db: None) -> World:
    return make_world()


@pytest.fixture
def world(stage: World, db: None) -> World:
    return stage


def columns() -> list[tuple[str, str]]:
    return [
        (model._meta.db_table, field.column)
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and model._meta.db_table not in SPARED
        for field in model._meta.concrete_fields
        if isinstance(field, models.DateTimeField | models.DateField)
    ]


def plant(moment: str) -> int:
    """Set each moment of each row that the table's own constraints let be; how many columns were moved."""
    moved = 0
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        for table, column in columns():
            try:
                with transaction.atomic():
                    cursor.execute(f'UPDATE "{table}" SET "{column}" = %s WHERE "{column}" IS NOT NULL', [moment])
                moved += cursor.rowcount > 0
            except DatabaseError:
                continue
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
    return moved


def staff_addresses() -> list[str]:
    found = []
    for page in registered_pages():
        found.append(reverse(f"admin:{page.route_prefix}_changelist"))
        key = page.model._default_manager.values_list("pk", flat=True).first()
        found.append(reverse(f"admin:{page.route_prefix}_change", args=[key]))
    return [*found, reverse("admin:index")]


def tenant_addresses(world: World) -> list[str]:
    slug = Workspace.objects.get(pk=world.tenants["own"].workspace_id).slug
    found = []
    for route in page_routes():
        if "GET" in DECLARED_PAGES[route.name]:
            more = [world.tenants["own"].connector_id] if OF_A_CONNECTOR in route.pattern else []
            found.append(reverse(route.name, args=[slug, *more]))
    return found


def answer_of(client: Client, address: str) -> int:
    with transaction.atomic():
        answer: Any = client.get(address)
        b"".join(answer.streaming_content) if answer.streaming else answer.content
        transaction.set_rollback(True)
    return int(answer.status_code)


@pytest.mark.parametrize(("moment", "zone"), [(FIRST, "America/Los_Angeles"), (LAST, "Pacific/Kiritimati")])
@pytest.mark.slow
def test_every_page_shows_rows_of_any_date(world: World, moment: str, zone: str) -> None:
    for page in registered_pages():
        MAKERS[page.model]()
    Organization.objects.update(time_zone=zone)
    staff, (tenant, _) = client_of(Role.PLATFORM_ADMIN), world.client("tenant owner")
    tenant.raise_request_exception = False
    staff.raise_request_exception = False
    assert plant(moment) > 50
    wrong = [(address, status) for address in staff_addresses() if (status := answer_of(staff, address)) != 200]
    wrong += [(address, status) for address in tenant_addresses(world) if (status := answer_of(tenant, address)) >= 500]
    assert wrong == []


def test_a_grant_from_the_first_day_to_the_last_is_shown(world: World) -> None:
    tenant, _ = world.client("tenant owner")
    organization = Organization.objects.get(pk=world.tenants["own"].organization_id)
    Organization.objects.update(time_zone="America/Los_Angeles")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE credits_creditgrant SET effective_at = %s, expires_at = %s WHERE account_id = %s",
            [FIRST, LAST, organization.pk],
        )
        assert cursor.rowcount >= 1
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
    slug = Workspace.objects.get(pk=world.tenants["own"].workspace_id).slug
    assert answer_of(tenant, reverse("billing-credits", args=[slug])) == 200
    assert answer_of(tenant, reverse("billing-credits-csv", args=[slug])) == 200


@pytest.mark.parametrize("day", [date.min, date.max, date(1999, 12, 31), date(2201, 1, 1)])
@pytest.mark.parametrize("name", ["since", "until"])
def test_a_filter_beyond_the_bound_is_refused_with_a_sentence(world: World, name: str, day: date) -> None:
    tenant, _ = world.client("tenant owner")
    slug = Workspace.objects.get(pk=world.tenants["own"].workspace_id).slug
    for page in ("billing-credits", "billing-credits-csv"):
        answer = tenant.get(reverse(page, args=[slug]), {name: day.isoformat()})
        assert answer.status_code == 422
        assert "years 2000 to 2200" in answer.content.decode()


def test_moments_are_found_at_both_ends() -> None:
    assert datetime.fromisoformat(FIRST) < datetime.fromisoformat(LAST)
    assert len(columns()) > 60
