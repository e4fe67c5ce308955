"""An admin adds a connector with a wrong key, then a right one, and watches the sync; a viewer can't (issue 6)."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from apps.connectors.ids import SyncRunId
from apps.connectors.models import Connector, ConnectorCredential, SyncRun
from apps.connectors.sync.engine import sync_run_execute
from apps.core.enums import MembershipRole
from apps.tenants.models import Workspace
from tests.connectors.cast import make_active_workspace, make_connector
from tests.connectors.providers.stand_in import KEY, Asked, Reply, StandIn, reply
from tests.connectors.web import Web, put_up
from tests.connectors.web import web as web  # noqa: PLC0414 - a fixture
from tests.factories.tenants import make_membership, make_signing_in_user
from tests.journeys.tabs import SIZES, Tab
from tests.sizes import size

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.journey, pytest.mark.browser]
ADMIN, VIEWER = "ann@northwind.example", "vic@northwind.example"
WRONG, RIGHT = "rk_test_a_wrong_key", KEY


def answer(asked: Asked) -> Reply:
    """An account with one invoice of one line in the first hour of each month."""
    rows: list[dict[str, Any]] = []
    if asked.path == "/v1/invoices" and "created[gte]" in asked.query:
        created = int(asked.query["created[gte]"]) + 3_600
        line = {"id": f"il_{created}", "object": "line_item", "amount": 4_900, "currency": "eur", "quantity": 7}
        line |= {"description": "Seats", "quantity_decimal": None, "taxes": None}
        row = {"id": f"in_{created}", "object": "invoice", "created": created, "currency": "eur", "status": "paid"}
        row |= {"number": f"N-{created}", "total": 4_900, "total_excluding_tax": None}
        rows = [row | {"lines": {"object": "list", "data": [line], "has_more": False, "url": "/"}}]
    return reply({"object": "list", "data": rows, "has_more": False, "url": asked.path})


@pytest.fixture
def workspace(web: Web, settings: Settings) -> Workspace:
    """A workspace with an admin and a viewer, and Stripe's stand-in behind a real web server, which knows one key."""
    put_up(web, StandIn(provider="stripe", external_ids=(), answer=answer, base_setting="STRIPE_API_BASE"), settings)
    found = make_active_workspace()
    make_membership(found.organization, make_signing_in_user(ADMIN), MembershipRole.ADMIN)
    make_membership(found.organization, make_signing_in_user(VIEWER), MembershipRole.VIEWER)
    return found


@pytest.fixture
def chromium(workspace: Workspace, live_server: LiveServer) -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("There is no chromium on PATH.")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def aside(work: Any) -> Any:
    """Do it in another thread: the browser's event loop runs in this one, where Django refuses queries."""
    found: list[Any] = []

    def alone() -> None:
        try:
            found.append(work())
        finally:
            connection.close()

    thread = threading.Thread(target=alone)
    thread.start()
    thread.join()
    return found[0]


def carry_out_all() -> int:
    """What a worker does."""
    ids = list(SyncRun.objects.order_by("month").values_list("pk", flat=True))
    for run_id in ids:
        sync_run_execute(SyncRunId(run_id))
    return len(ids)


def sign_in(tab: Tab, email: str, path: str) -> None:
    tab.page.goto(f"{tab.address}{path}")
    tab.page.get_by_label("E-mail address").fill(email)
    tab.page.get_by_label("Password").fill("a-password-of-tests-only")
    tab.page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("screen", size(small=["phone"], full=list(SIZES)))
def test_a_wrong_key_then_a_right_one_then_the_sync(
    chromium: Any, workspace: Workspace, live_server: LiveServer, screen: str
) -> None:
    path = f"/billing/{workspace.slug}/connectors/"
    tab = Tab(chromium.new_context(viewport=SIZES[screen]).new_page(), live_server.url)
    sign_in(tab, ADMIN, path)
    tab.page.get_by_role("link", name="Add a connector").click()
    tab.check()
    tab.page.get_by_role("link", name="Stripe").click(timeout=5_000)
    tab.check()
    tab.page.get_by_label("API key").fill(WRONG)
    tab.page.get_by_role("button", name="Add the connector").click()
    tab.page.get_by_text("Stripe refused the credential (401). Nothing was stored.").wait_for()
    # The browser tells of the status; that is all that it complains about.
    assert all("422" in complaint for complaint in tab.complaints)
    tab.complaints.clear()
    assert WRONG not in tab.page.content()
    assert aside(lambda: (Connector.objects.count(), ConnectorCredential.objects.count())) == (0, 0)
    tab.page.get_by_label("API key").fill(RIGHT)
    tab.page.get_by_role("button", name="Add the connector").click()
    tab.page.get_by_text("Stripe was added.").wait_for()
    tab.page.get_by_role("button", name="Sync now").click()
    tab.page.get_by_text("months will be synced, oldest first").wait_for()
    tab.check()
    assert RIGHT not in tab.page.content()
    assert aside(carry_out_all) == 14
    # Nobody reloads: the page shows it by itself.
    tab.page.get_by_text("2 new.").first.wait_for()
    tab.page.get_by_text("Final: read completely").first.wait_for()
    tab.page.get_by_text("The month is open").first.wait_for()
    tab.check()
    for page in ("automation", "records"):
        tab.page.goto(f"{tab.address}/billing/{workspace.slug}/{page}/")
        tab.check()
    assert tab.complaints == []


@pytest.mark.parametrize("screen", size(small=["desk"], full=list(SIZES)))
def test_a_viewer_sees_no_button(chromium: Any, workspace: Workspace, live_server: LiveServer, screen: str) -> None:
    connector = aside(lambda: make_connector(workspace))
    path = f"/billing/{workspace.slug}/connectors/"
    tab = Tab(chromium.new_context(viewport=SIZES[screen]).new_page(), live_server.url)
    sign_in(tab, VIEWER, path)
    tab.page.get_by_role("link", name=connector.name).click()
    tab.page.get_by_role("heading", name="Months").wait_for()
    tab.check()
    assert tab.page.locator("main button").count() == 0
    token = next(cookie["value"] for cookie in tab.page.context.cookies() if cookie["name"] == "csrftoken")
    headers = {"X-CSRFToken": token, "Referer": tab.page.url}
    for verb in ("sync", "disable", "enable", "cancel", "key"):
        answer = tab.page.request.post(f"{tab.address}{path}{connector.pk}/{verb}/", headers=headers)
        assert (verb, answer.status) == (verb, 403)
    refused = tab.page.goto(f"{tab.address}{path}new/")
    assert refused is not None
    assert refused.status == 403
    assert aside(SyncRun.objects.count) == 0
