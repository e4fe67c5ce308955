"""Every page, menu, dialog and error page of tenants passes axe-core, fits its screen and complains of nothing.

In the gate each is looked at once, in turn on a light desk and on a dark phone, in one browser session and without a
reload. Under COUNTINGHOUSE_PROVE each is looked at in both faces and in all sizes, the narrowest of WCAG 1.4.10 too.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.urls import resolve

from apps.backoffice.seeding.reports import seed_reports
from apps.connectors.enums import ConnectorStatus
from apps.connectors.models import Connector
from apps.core import clock
from apps.payments.enums import InvoiceStatus
from apps.reporting.services import rollups_refresh
from apps.tenants.models import Organization
from tests.access.pages import DECLARED_PAGES
from tests.backoffice.records import make_invoice
from tests.connectors.cast import make_connector
from tests.contexts import console_context, product_context
from tests.credits.cast import Place
from tests.credits.history import live_a_month, make_old_place
from tests.factories.tenants import PASSWORD
from tests.journeys.room import Room
from tests.journeys.tabs import Opener, Tab
from tests.journeys.tabs import open_tab as open_tab  # noqa: PLC0414 - a fixture of this module
from tests.sizes import size

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.journey, pytest.mark.browser]

DESK, PHONE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}, {"width": 320, "height": 640}
LOOKS = list(itertools.product((DESK, PHONE, NARROW), ("light", "dark")))
ALTERNATING = [(DESK, "light"), (PHONE, "dark")]
SIGN_IN = ("/", "/sign-in/", "/sign-in/forgot/", "/sign-in/forgot/sent/", "/sign-in/link/no-such/", "/portal/no-such/")


@dataclass(frozen=True, slots=True)
class Stop:
    """A page to look at: below the workspace's address, or by a whole path; what is opened there, and its status."""

    path: str
    opens: tuple[str, ...] = ()
    status: int = 200


def stops(active: Room, connector: Connector, overdue: Room) -> list[Stop]:
    """Every page that an owner opens, with its menus and dialogs, and pages that refuse."""
    inside = [
        *(Stop(active.address(page)) for page in ("overview", "help", "records", "automation", "connectors")),
        Stop(active.address("credits"), (".more summary",)),
        Stop(active.address("usage")),
        Stop(f"{active.address('usage')}?time_window=lastYear&of=organization", (".more summary",)),
        Stop(active.address("invoices"), (".account summary",)),
        Stop(active.address("members"), (".confirm summary",)),
        Stop(active.address("settings")),
        *(Stop(active.address(page)) for page in ("daily-reports", "report-recipients", "balance-alerts")),
        *(Stop(active.address(page)) for page in ("notices", "credit-stop")),
        Stop(active.address("connector-new")),
        Stop(f"{active.address('connector-new')}?provider=usage_feed"),
        Stop(active.address("connector", connector.pk)),
        *(Stop(active.address(f"connector-{page}", connector.pk)) for page in ("edit", "test", "key")),
        Stop(f"{active.address('credits')}?since=yesterday", status=422),
        Stop(f"{active.address('records')}?month=2026-13", status=422),
        Stop(f"{active.address('usage')}?time_window=lastWeek", status=422),
        Stop(active.address("member-role", active.people["viewer"].pk), status=405),
        Stop("/billing/?all=1"),
        Stop("/account/"),
        Stop("/billing/no-such-workspace/overview/", status=404),
        Stop("/nothing-here/", status=404),
    ]
    grace = [
        Stop(overdue.address("overview")),
        Stop(overdue.address("connectors")),
        Stop(overdue.address("connector-new"), status=403),
    ]
    return [*inside, *grace]


@pytest.fixture
def rooms() -> tuple[Room, Connector, Room]:
    """One customer who is doing well, and one of the same owner whose payment is overdue."""
    place: Place = make_old_place()
    active = Room(organization=place.organization)
    live_a_month(
        Place(place.product, place.organization, product_context(place.product)), user_id=active.people["owner"].pk
    )
    overdue = Room("Southwind", people=active.people)
    for room in (active, overdue):
        make_invoice(
            room.organization,
            status=InvoiceStatus.OPEN,
            amount_remaining_minor=123_456,
            due_at=clock.now() + timedelta(days=3),
            hosted_invoice_url="https://invoice.stripe.example/i/1",
        )
    overdue.begin_grace()
    connector = make_connector(active.workspace)
    broken = make_connector(active.workspace)
    Connector.objects.filter(pk=broken.pk).update(status=ConnectorStatus.NEEDS_REAUTHORIZATION)
    # As if they had been there for some days, so that there are reports.
    Organization.objects.update(created_at=clock.now() - timedelta(days=9))
    rollups_refresh(console_context())
    seed_reports(console_context())
    for person in active.people.values():
        person.set_password(PASSWORD)
        person.save(update_fields=["password"])
    return active, connector, overdue


def look(tab: Tab, stop: Stop, looks: list[Any]) -> list[str]:
    """Open the page once and look at it in each face and size; then with each of its dialogs open. What is wrong."""
    wrong: list[str] = []
    tab.page.goto(f"{tab.address}{stop.path}", wait_until="load")
    meant = () if stop.status == 200 else (stop.status,)
    for viewport, scheme in looks:
        tab.page.set_viewport_size(viewport)
        tab.page.emulate_media(color_scheme=scheme)
        wrong += judge(tab, meant, f"{viewport['width']} {scheme}")
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            name = "-".join(stop.path.strip("/").replace("?", "/").split("/")[-2:])
            tab.page.screenshot(path=Path(folder) / f"{name}-{viewport['width']}-{scheme}.png", full_page=True)
    for selector in stop.opens:
        tab.page.locator(selector).first.click()
        wrong += judge(tab, meant, f"with {selector}")
    return wrong


def judge(tab: Tab, meant: tuple[int, ...], how: str) -> list[str]:
    try:
        tab.check(statuses=meant, is_settled=True)
    except AssertionError as error:
        return [f"{how}: {error}"]
    return []


def test_no_page_is_left_out(rooms: tuple[Room, Connector, Room]) -> None:
    """Each page that answers with a page of its own is a stop."""
    declared = {name for name, methods in DECLARED_PAGES.items() if methods.get("GET", ("", "", 0))[2] == HTTPStatus.OK}
    active, connector, overdue = rooms
    stopped = {
        resolve(urlsplit(stop.path).path).url_name
        for stop in stops(active, connector, overdue)
        if "nothing" not in stop.path
    }
    assert {name for name in declared if not name.endswith("-csv")} - stopped == set()
    report = active.see("daily-reports")
    assert "Balance at the end of the day" in report.text


def test_every_tenant_page_for_everybody(rooms: tuple[Room, Connector, Room], open_tab: Opener) -> None:
    active, connector, overdue = rooms
    planned = stops(active, connector, overdue)
    every, alternating = size(small=[], full=LOOKS), itertools.cycle(ALTERNATING)
    wrong: list[str] = []
    with open_tab() as tab:
        for path in SIGN_IN:
            wrong += look(tab, Stop(path, status=404 if "no-such" in path else 200), every or [next(alternating)])
        tab.page.goto(f"{tab.address}/sign-in/")
        tab.page.get_by_label("E-mail address").fill(active.people["owner"].email)
        tab.page.get_by_label("Password").fill(PASSWORD)
        tab.page.get_by_role("button", name="Sign in").click()
        tab.page.wait_for_url("**/billing/**")
        for stop in planned:
            wrong += look(tab, stop, every or [next(alternating)])
    assert wrong == []
