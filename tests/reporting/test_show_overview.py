"""The Overview page: state, balance and runway, this month against the last, and what needs somebody (spec 07)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.connectors.enums import ConnectorStatus
from apps.connectors.models import Connector
from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.ids import OrganizationId
from apps.credits.services import credits_consume
from apps.payments.enums import InvoiceStatus
from apps.reporting.overview_page import _month
from apps.reporting.selectors.overview import MonthAgainstLast, month_against_last
from apps.reporting.services import rollups_refresh
from tests.backoffice.records import make_invoice
from tests.connectors.cast import make_connector
from tests.contexts import console_context
from tests.credits.cast import Place, consumption, give, make_place
from tests.factories.tenants import make_membership, make_signing_in_user, make_workspace
from tests.journeys.room import Room
from tests.markup import Page
from tests.reporting.lives import at

pytestmark = pytest.mark.django_db


def use(place: Place, moment: datetime, amount: int) -> None:
    with at(moment):
        credits_consume(
            place.context,
            consumption=consumption(place, operation="unit", quantity=amount * MICRO, occurred_at=moment),
        )


@pytest.mark.parametrize("is_rolled_up", [False, True])
def test_this_month_stands_against_the_same_days_of_the_last(is_rolled_up: bool) -> None:
    now = datetime(2026, 11, 3, 10, tzinfo=UTC)
    with at(now - timedelta(days=60)):
        place = make_place(whole_credits=10_000)
    for moment, amount in (
        (datetime(2026, 9, 30, 12, tzinfo=UTC), 1),
        (datetime(2026, 10, 2, 12, tzinfo=UTC), 10),
        (datetime(2026, 10, 3, 23, tzinfo=UTC), 20),
        (datetime(2026, 10, 4, 1, tzinfo=UTC), 400),
        (datetime(2026, 11, 1, 1, tzinfo=UTC), 33),
    ):
        use(place, moment, amount)
    with at(now):
        if is_rolled_up:
            rollups_refresh(console_context())
        found = month_against_last(OrganizationId(place.organization.pk))
    assert found == MonthAgainstLast(33 * MICRO, 30 * MICRO, 430 * MICRO, date(2026, 11, 3))


@pytest.mark.parametrize(
    ("so_far", "same_days", "words"),
    [
        (33, 30, "10 % more than"),
        (30, 33, "9 % less than"),
        (30, 30, "as much as"),
        (5, 0, ""),
        (0, 30, "100 % less than"),
        (70_000, 30, "233,233 % more than"),
    ],
)
def test_the_change_in_words(so_far: int, same_days: int, words: str) -> None:
    found = _month(MonthAgainstLast(so_far * MICRO, same_days * MICRO, 0, date(2026, 11, 3)))
    assert (found["change"], found["name"]) == (words, "November 2026")


def test_the_way_into_a_workspace_leads_to_it_and_it_stands_first() -> None:
    room = Room()
    client = room.client("viewer")
    assert client.get(room.address("workspace")).headers["Location"] == room.address("overview")
    page = room.see("overview", "viewer")
    names = ["overview", "usage", "credits", "invoices", "members", "connectors", "automation"]
    found = [link for link in page.links() if link in {room.address(name) for name in names}]
    assert found[: len(names)] == [room.address(name) for name in names]
    assert page.links().index(room.address("help")) < page.links().index(room.address("settings"))


def test_with_nothing_to_do_nothing_is_asked() -> None:
    room = Room()
    text = room.see("overview").text
    assert "No credits are left" in text
    assert "Active" in text
    give(Place(make_place().product, room.organization, console_context()), 100 * MICRO)
    text = room.see("overview").text
    assert "What needs you" not in text
    assert "Available 100" in text
    assert "Nothing was spent in the last 30 days." in text


def test_what_needs_somebody_comes_with_the_page_where_it_is_done() -> None:
    room = Room()
    give(Place(make_place().product, room.organization, console_context()), 100 * MICRO)
    off = make_connector(room.workspace)
    Connector.objects.filter(pk=off.pk).update(name="Feed", status=ConnectorStatus.NEEDS_REAUTHORIZATION)
    make_invoice(
        room.organization,
        status=InvoiceStatus.OPEN,
        currency="EUR",
        amount_remaining_minor=123_456,
        hosted_invoice_url="https://invoice.stripe.example/i/1",
    )
    page = room.see("overview", "viewer")
    assert "1,234.56 EUR to pay" in page.text
    assert page.text.count("Pay 1,234.56 EUR") == 1
    assert "Feed: needs" in page.text
    assert reverse("billing-connector", args=[room.workspace.slug, off.pk]) in page.links()
    room.begin_grace()
    assert room.see("overview").text.count("Pay 1,234.56 EUR") == 1


def test_credits_that_lapse_and_a_short_runway_are_told() -> None:
    now = clock.now()
    with at(now - timedelta(days=10)):
        place = make_place()
        workspace = make_workspace(place.organization)
        give(place, 300 * MICRO, expires_at=now + timedelta(days=4))
        give(place, 20 * MICRO)
    for days in range(9, 0, -1):
        use(place, now - timedelta(days=days), 5)
    viewer, client = make_signing_in_user(), Client()
    make_membership(place.organization, viewer)
    client.force_login(viewer)
    text = Page(client.get(reverse("billing-overview", args=[workspace.slug])).content.decode()).text
    assert "credits will expire unused in 4 days" in text
    assert "Credits are running out" in text


def test_the_page_asks_as_often_however_many_connectors_there_are() -> None:
    room = Room()
    client = room.client("viewer")
    counts = []
    for number in range(2):
        for _ in range(1 + 5 * number):
            connector = make_connector(room.workspace)
            Connector.objects.filter(pk=connector.pk).update(status=ConnectorStatus.NEEDS_REAUTHORIZATION)
        client.get(room.address("overview"))
        with CaptureQueriesContext(connection) as seen:
            assert client.get(room.address("overview")).status_code == 200
        counts.append(len(seen))
    assert counts[0] == counts[1]
