"""Books, both lists and revenue in the daily report and on the staff pages (spec 07, Daily report; Pages)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from apps.core.enums import Role
from apps.payments.models import ProviderSubscription
from apps.reporting.models import PaymentContradiction, PlatformBooks
from apps.reporting.rules.document import Line, ReportScope, Section, Window
from apps.reporting.sections.books import read_books
from apps.reporting.sections.lists import read_lists
from apps.reporting.sections.revenue import read_revenue
from apps.reporting.services import contradictions_refresh, platform_books_write, revenue_write, rollups_refresh
from apps.tenants.models import Organization
from tests.backoffice.people import client_of
from tests.contexts import console_context
from tests.factories.tenants import make_workspace
from tests.reporting.lives import at
from tests.reporting.test_balance_books import DAY, NOON, change_the_balance, lead_a_life, old_place
from tests.reporting.test_write_revenue import sell

WINDOW = Window(datetime(2026, 5, 4, tzinfo=UTC), datetime(2026, 5, 5, tzinfo=UTC))
PLATFORM = ReportScope(None, "Platform", "UTC")
pytestmark = pytest.mark.django_db


def lines_of(section: Section, group: str) -> dict[str, Line]:
    return {line.key: line for found in section.groups if found.key == group for line in found.lines}


def test_the_books_stand_in_the_report_with_both_sides_and_turn_red() -> None:
    place = old_place()
    lead_a_life(place)
    rollups_refresh(console_context())
    scope = ReportScope(place.organization.pk, "Northwind", "UTC")
    for of in (scope, PLATFORM):
        found = lines_of(read_books(of, DAY, WINDOW), "identities")
        assert list(found) == ["movements", "entries", "held", "rollups"]
        assert all(line.compared[1].value == 0 and not line.is_alarm for line in found.values())
        assert found["movements"].value == found["movements"].compared[0].value
    change_the_balance(place)
    for of in (scope, PLATFORM):
        section = read_books(of, DAY, WINDOW)
        assert lines_of(section, "identities")["entries"].is_alarm
        assert any("balance 7" in str(line.value) for line in lines_of(section, "faults").values())


def test_the_lists_and_the_revenue_stand_in_the_platforms_report() -> None:
    place = old_place()
    workspace = make_workspace(place.organization)
    sell(place.organization, workspace_id=workspace.pk)
    Organization.objects.filter(pk=place.organization.pk).update(closed_at=NOON)
    with at(NOON + timedelta(days=1)):
        assert revenue_write(console_context()) == DAY
        contradictions_refresh(console_context())
    (line,) = lines_of(read_lists(PLATFORM, DAY, WINDOW), "paid_but_blocked").values()
    assert "is active, but the organization was closed" in str(line.value)
    assert line.link == reverse("admin:tenants_workspace_change", args=[workspace.pk])
    revenue = lines_of(read_revenue(PLATFORM, DAY, WINDOW), "EUR")
    assert (revenue["mrr"].value, revenue["new"].value, revenue["churn"].value) == (1900, 1900, 0)
    missed = read_revenue(PLATFORM, DAY + timedelta(days=1), WINDOW)
    assert "was not written down" in missed.note


def test_staff_see_reports_and_revenue_and_support_sees_no_revenue() -> None:
    place = old_place()
    lead_a_life(place)
    workspace = make_workspace(place.organization)
    sell(place.organization, workspace_id=workspace.pk)
    Organization.objects.filter(pk=place.organization.pk).update(closed_at=NOON)
    with at(NOON + timedelta(days=1)):
        rollups_refresh(console_context())
        revenue_write(console_context())
        contradictions_refresh(console_context())
        platform_books_write(console_context())
    assert PlatformBooks.objects.get().day == DAY
    assert PaymentContradiction.objects.count() == 1
    ProviderSubscription.objects.update(pricing=None)
    staff = client_of(Role.BILLING_OPERATIONS)
    page = staff.get(reverse("admin:reports")).content.decode()
    assert "Movements make the balance" in page
    assert "the organization was closed" in page
    assert "Movement of EUR" in page
    assert "No books were computed" in staff.get(reverse("admin:reports"), {"day": "2026-01-01"}).content.decode()
    own = staff.get(
        reverse("admin:tenants_organization_books", args=[place.organization.pk]), {"day": str(DAY), "every": "1"}
    )
    assert "was looked at just now" in own.content.decode()
    revenue = staff.get(reverse("admin:revenue")).content.decode()
    assert "19.00 EUR" in revenue
    file = staff.get(reverse("admin:revenue_file"))
    (head, row) = b"".join(file.streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
    assert head.startswith("day,currency,mrr_minor,new_minor")
    assert row == f"{DAY},EUR,1900,1900,0,0,0,0,0,0,1"
    support = client_of(Role.SUPPORT)
    assert support.get(reverse("admin:revenue")).status_code == 403
    assert "Movement of EUR" not in support.get(reverse("admin:reports")).content.decode()
