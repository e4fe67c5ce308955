"""The twelve questions that a tenant asks, each answered by the pages that a person would open for it (spec 08)."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from django.http import StreamingHttpResponse
from pytest_django import Settings

from apps.connectors.models import Connector
from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.context import ExecutionContext
from apps.core.errors import CountinghouseError
from apps.core.ids import ProductId
from apps.credits.contracts import AccountRef
from apps.credits.enums import AccountType
from apps.credits.services import credit_policy_publish_prices, credits_consume
from apps.payments.enums import InvoiceStatus
from apps.tenants.models import Product
from tests.backoffice.records import make_invoice
from tests.connectors.cast import make_connector
from tests.contexts import console_context, product_context
from tests.credits.cast import PRICES, Place, consumption, give
from tests.factories.tenants import make_product
from tests.journeys.room import Room
from tests.reporting.lives import at

pytestmark = [pytest.mark.django_db, pytest.mark.journey]


class Year:
    """A customer who has spent for two weeks, has credits that lapse, an open invoice and a connector."""

    def __init__(self) -> None:
        now = clock.now()
        with at(now - timedelta(days=12)):
            self.room = Room()
            self.product: Product = make_product("red", self.room.organization)
            credit_policy_publish_prices(console_context(), product_id=ProductId(self.product.pk), prices=PRICES)
            self.context: ExecutionContext = product_context(self.product)
            self.place = Place(self.product, self.room.organization, self.context)
            give(self.place, 900 * MICRO)
            give(self.place, 400 * MICRO, priority=0, expires_at=now + timedelta(days=6))
        for days in range(11, 0, -1):
            with at(now - timedelta(days=days)):
                self.use(10)
        make_invoice(
            self.room.organization,
            number="INV-7",
            status=InvoiceStatus.OPEN,
            currency="EUR",
            total_minor=123_456,
            amount_remaining_minor=123_456,
            due_at=now + timedelta(days=3),
            hosted_invoice_url="https://invoice.stripe.example/i/7",
        )

    def use(self, quantity: int) -> None:
        credits_consume(
            self.context,
            consumption=consumption(
                self.place,
                operation="unit",
                quantity=quantity * MICRO,
                account=AccountRef(AccountType.ORGANIZATION, self.room.organization.pk),
                user_id=self.room.people["member"].pk,
                workspace_id=self.room.workspace.pk,
            ),
        )


@pytest.fixture
def year() -> Year:
    return Year()


def test_what_did_we_spend_and_on_what(year: Year) -> None:
    text = year.room.see("usage", "viewer", time_window="lastYear", of="organization").text
    assert "110 credits in 11 runs" in text
    assert "unit Red 110" in text
    assert "Production 11 110" in text
    assert "By month" in text


def test_when_will_it_run_out_and_what_lapses_before(year: Year) -> None:
    for page in ("overview", "credits"):
        text = year.room.see(page, "viewer").text
        assert "about" in text
        assert "a day" in text
    overview = year.room.see("overview", "viewer").text
    assert "credits will expire unused in 6 days" in overview
    assert "Some credits will expire unused" in year.room.see("credits", "viewer").text


def test_why_was_it_refused(year: Year) -> None:
    assert "Refused lately" not in year.room.see("credits", "viewer").text
    with pytest.raises(CountinghouseError):
        year.use(100_000)
    text = year.room.see("credits", "viewer").text
    assert "Refused lately" in text
    assert "Unit in Red, 100,000" in text
    assert "There were not enough credits." in text
    year.room.suspend()
    with pytest.raises(CountinghouseError):
        year.use(1)
    text = year.room.see("credits", "viewer").text
    assert "The state of the workspace did not allow it. Settings says what works now, and why." in text
    assert "This workspace is read-only" in text
    assert "Use credits not now" in year.room.see("settings", "viewer").text


def test_what_do_we_owe_and_how_do_we_pay(year: Year) -> None:
    for page in ("overview", "invoices"):
        found = year.room.see(page, "viewer")
        assert "1,234.56 EUR" in found.text
        assert "https://invoice.stripe.example/i/7" in found.links()


def test_who_may_do_what(year: Year) -> None:
    text = year.room.see("members", "viewer").text
    for role in ("Owner", "Admin", "Member", "Viewer"):
        assert f"{role} · since" in text
    assert "changes connectors, syncs, members and settings" in text.lower()


def test_what_runs_when(year: Year) -> None:
    make_connector(year.room.workspace)
    text = year.room.see("automation", "viewer").text
    assert "Next sync" in text
    assert "Every hour, each enabled connector reads the months that are not final" in text


def test_how_is_a_connector_added_corrected_and_removed_and_who_did_it(year: Year, settings: Settings) -> None:
    room = year.room
    assert any(link.endswith("?provider=usage_feed") for link in room.see("connector-new", "admin").links())
    assert "What a feed must answer" in room.see("connector-new", "admin", provider="usage_feed").text
    connector = make_connector(room.workspace)
    status, told = room.send("connector-disable", "admin", connector.pk, reason="end of quarter")
    assert status == 302
    assert "admin@northwind.example" in told
    assert "end of quarter" in told
    status, told = room.send("connector-remove", "owner", connector.pk, reason="no longer needed")
    assert "was removed. Its billing records stay." in told
    assert Connector.objects.get(pk=connector.pk).removed_at is not None


def test_what_is_this_entry(year: Year) -> None:
    text = year.room.see("credits", "viewer").text
    assert "of unit in Red, by" in text
    assert "for Production." in text
    assert "Paid from the purchased grant of" in text


def test_how_do_we_get_it_into_a_spreadsheet(year: Year) -> None:
    client = year.room.client("viewer")
    for page, column in (("credits-csv", "acting_user"), ("usage-csv", "credits_charged"), ("records-csv", "amount")):
        answer = client.get(year.room.address(page))
        assert isinstance(answer, StreamingHttpResponse)
        content = b"".join(answer).decode()
        assert content.startswith("\ufeff")
        assert column in (csv.DictReader(io.StringIO(content.removeprefix("\ufeff"))).fieldnames or ())
    links = year.room.see("credits", "viewer").links()
    assert any(link.startswith(year.room.address("credits-csv")) for link in links)


def test_whom_do_we_ask(year: Year, settings: Settings) -> None:
    settings.SUPPORT_CONTACT = "Billing <billing@countinghouse.example>"
    page = year.room.see("help", "viewer")
    assert {"mailto:owner@northwind.example", "mailto:billing@countinghouse.example"} <= set(page.links())
    assert "mailto:billing@countinghouse.example" in year.room.see("invoices", "viewer").links()
    settings.SUPPORT_CONTACT = ""
    assert "our billing team, through the support of the product that you use" in year.room.see("help").text
    assert not [link for link in year.room.see("invoices").links() if link.startswith("mailto:")]


@pytest.mark.parametrize("provider", ["stripe", "orb", "google_sheets", "google_cloud", "usage_feed"])
def test_each_connector_says_what_it_needs_where_it_is_added(year: Year, provider: str) -> None:
    page = year.room.see("connector-new", "admin", provider=provider)
    assert "What it needs." in page.text
    assert f"{year.room.address('help')}#connectors" in page.links()
