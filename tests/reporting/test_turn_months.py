"""The calendar of daily reports leads to other months, but to none that has not begun."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.enums import Role
from tests.backoffice.people import client_of
from tests.reporting.lives import at
from tests.reporting.mailboxes import NOON, House

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["tenant", "staff", "platform"])
def page(request: pytest.FixtureRequest, house: House) -> tuple[Client, str]:
    """One of the pages with a calendar, and a person who may read it."""
    if request.param == "tenant":
        return house.client, reverse("billing-daily-reports", args=[house.space.slug])
    with at(NOON):
        staff = client_of(Role.BILLING_OPERATIONS)
    if request.param == "platform":
        return staff, reverse("admin:reports")
    return staff, reverse("admin:tenants_organization_reports", args=[house.organization.pk])


@pytest.mark.parametrize(("month", "later"), [("2026-03-01", "2026-04-01"), ("2026-04-01", "2026-05-01"), ("", "")])
def test_a_month_leads_to_the_next_unless_that_is_yet_to_come(page: tuple[Client, str], month: str, later: str) -> None:
    client, address = page
    with at(NOON):  # in May
        html = client.get(address, {"month": month}).content.decode()
    assert html.count('rel="prev"') == 1
    assert html.count('rel="next"') == bool(later)
    assert f"?month={later}" in html
    assert "?month=2026-06" not in html
