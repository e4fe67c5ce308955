"""What the lifecycle refuses is refused with the lifecycle's reason, and what the role refuses with the role's."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from apps.core import clock
from apps.core.enums import LifecycleState
from apps.payments.enums import InvoiceStatus
from tests.backoffice.records import make_invoice
from tests.connectors.cast import make_connector
from tests.journeys.room import Room

pytestmark = pytest.mark.django_db

REASONS = {
    LifecycleState.GRACE: "while a payment is overdue. Pay the open invoice",
    LifecycleState.SUSPENDED_READ_ONLY: "while this workspace is read-only. Contact our billing team to resume it.",
    LifecycleState.CLOSED: "while this organization is closed. To reopen it, an owner contacts our billing team before",
}
# What a page of connectors says to an owner who has one, in each state: editing, or syncing, is what is refused.
EDITS = ("connectors", "connector-new")


@pytest.fixture(scope="module")
def lasting_room(lasting_db: None) -> Room:
    return Room()


@pytest.fixture
def room(lasting_room: Room, db: None) -> Room:
    """What a test changes on its objects stays with the test, as what it writes does."""
    return deepcopy(lasting_room)


@pytest.mark.parametrize("state", REASONS)
@pytest.mark.parametrize("has_connector", [False, True])
def test_an_owner_reads_the_reason_of_the_state_and_never_of_the_role(
    room: Room, state: LifecycleState, has_connector: bool
) -> None:
    if has_connector:
        make_connector(room.workspace)
    room.bring_to(state)
    for page in EDITS:
        text = room.see(page, status=403 if page == "connector-new" else 200).text
        assert f"You can't change connectors {REASONS[state]}" in text
        assert "Ask an admin" not in text
        assert "role" not in text
    assert not any(link.endswith("/connectors/new/") for link in room.see("connectors").links())


@pytest.mark.parametrize("state", [LifecycleState.SUSPENDED_READ_ONLY, LifecycleState.CLOSED])
def test_a_sync_that_the_state_refuses_is_told_where_its_button_was(room: Room, state: LifecycleState) -> None:
    connector = make_connector(room.workspace)
    assert "Sync now" in room.see("automation").text
    room.bring_to(state)
    text = room.see("automation").text
    assert f"You can't start a sync {REASONS[state]}" in text
    assert "Sync now" not in text
    status, told = room.send("connector-sync", "owner", connector.pk, month="auto")
    assert status == 403
    assert f"You can't start a sync {REASONS[state]}" in told


def test_the_role_comes_first_where_both_refuse(room: Room) -> None:
    room.begin_grace()
    text = room.see("connectors", "viewer").text
    assert "You can't change connectors with the role Viewer. Ask an admin or an owner of the organization." in text
    assert "while" not in text.partition("Connectors")[2].partition("No connectors")[2]


def test_in_a_closed_organization_only_an_owner_reads_on(room: Room) -> None:
    room.close()
    text = room.see("settings", "member", status=403).text
    assert "You can't see the settings while this organization is closed." in text
    assert "owners can still read and export everything" in text
    assert room.see("settings", "owner").text


@pytest.mark.parametrize("role", ["admin", "member", "viewer"])
@pytest.mark.slow
def test_in_a_closed_organization_the_others_open_invoices_and_help_alone(room: Room, role: str) -> None:
    room.close()
    closed = ("overview", "usage", "credits", "credits-csv", "members", "connectors", "records-csv", "automation")
    for page in closed:
        text = room.see(page, role, status=403).text
        assert "while this organization is closed. To reopen it" in text, page
    for page in ("invoices", "help"):
        links = room.see(page, role).links()
        assert {link for link in links if f"/{room.workspace.slug}/" in link} >= {
            room.address("invoices"),
            room.address("help"),
        }
        assert room.address("credits") not in links or page == "help"
    for page in closed:
        assert room.client("owner").get(room.address(page)).status_code == 200, page


def test_what_is_owed_is_paid_from_the_banner_of_every_page(room: Room) -> None:
    make_invoice(
        room.organization,
        number="INV-1",
        status=InvoiceStatus.OPEN,
        currency="EUR",
        total_minor=123_456,
        amount_remaining_minor=123_456,
        due_at=clock.now() - timedelta(days=2),
        hosted_invoice_url="https://invoice.stripe.example/i/1",
    )
    assert "Pay 1,234.56 EUR" in room.see("invoices").text
    assert "Pay 1,234.56 EUR" not in room.see("connectors").text
    room.begin_grace()
    for page in ("credits", "connectors", "settings", "invoices"):
        found = room.see(page, "viewer")
        assert found.text.count("Pay 1,234.56 EUR") == 1
        assert "https://invoice.stripe.example/i/1" in found.links()


@pytest.mark.slow
def test_what_is_void_or_forgiven_is_not_owed(room: Room) -> None:
    cases: tuple[dict[str, Any], ...] = (
        {"status": InvoiceStatus.VOID},
        {"status": InvoiceStatus.OPEN, "forgiven_at": clock.now()},
        {"status": InvoiceStatus.DRAFT},
        {"status": InvoiceStatus.OPEN, "deleted_at": clock.now()},
    )
    for number, values in enumerate(cases):
        make_invoice(room.organization, number=f"INV-{number}", currency="EUR", amount_remaining_minor=500, **values)
    room.begin_grace()
    text = room.see("invoices").text
    assert "Nothing is open." in text
    assert "Pay 5.00 EUR" not in text


def test_several_invoices_and_currencies_are_summed_apart(room: Room) -> None:
    for number, (currency, days) in enumerate((("EUR", 5), ("USD", -3), ("EUR", 9))):
        make_invoice(
            room.organization,
            number=f"INV-{number}",
            status=InvoiceStatus.OPEN,
            currency=currency,
            total_minor=1_000 + number,
            amount_remaining_minor=1_000 + number,
            due_at=clock.now() + timedelta(days=days),
            hosted_invoice_url=f"https://invoice.stripe.example/i/{number}",
        )
    found = room.see("invoices")
    assert "Open: 20.02 EUR and 10.01 USD in 3 invoices" in found.text
    assert "Pay 10.01 USD, the first of 3 invoices" in found.text
