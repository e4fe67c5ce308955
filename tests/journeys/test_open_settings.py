"""A tenant signs in and opens Settings in a real browser: phone and desk, light and dark, and nobody is shut out."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from apps.tenants.models import Workspace
from tests.factories.tenants import PASSWORD, make_organization, make_signing_in_user, make_workspace
from tests.subscriptions.cast import make_plan

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.journey, pytest.mark.browser]

EMAIL = "ann@northwind.example"
SIZES = {"phone": {"width": 360, "height": 780}, "desk": {"width": 1280, "height": 900}}


class Tab:
    """One tab. `complaints` must stay empty: refused scripts, styles and resources are told on the console."""

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.address = page, address
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def check(self) -> None:
        """The page fits the screen and passes axe-core's rules for WCAG 2.2 AA and its best practices."""
        axe = pytest.importorskip("axe_playwright_python.sync_playwright")
        self.page.wait_for_load_state("networkidle")
        found = axe.Axe().run(self.page).response["violations"]
        told = [f"{rule['id']}: {[node['target'] for node in rule['nodes']]}" for rule in found]
        assert (told, self.page.url) == ([], self.page.url)
        assert not self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")

    def sign_in(self) -> None:
        self.page.get_by_label("E-mail address").fill(EMAIL)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()


Opener = Callable[..., AbstractContextManager[Tab]]


@pytest.fixture
def workspaces() -> list[Workspace]:
    organization = make_organization("Northwind", owner=make_signing_in_user(EMAIL), time_zone="Europe/Berlin")
    make_plan()
    return [make_workspace(organization, name) for name in ("Production", "Staging")]


@pytest.fixture
def open_tab(workspaces: list[Workspace], live_server: LiveServer) -> Iterator[Opener]:
    """Chromium of the system. While it is open, this thread runs an event loop: no query from the test itself."""
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("There is no chromium on PATH.")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])

        @contextmanager
        def opened(**wishes: Any) -> Iterator[Tab]:
            context = browser.new_context(**wishes)
            tab = Tab(context.new_page(), live_server.url)
            yield tab
            assert tab.complaints == []
            context.close()

        yield opened
        browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_from_the_sign_in_to_settings_and_out_again(
    open_tab: Opener, workspaces: list[Workspace], size: str, scheme: str
) -> None:
    production, staging = (workspace.slug for workspace in workspaces)
    with open_tab(viewport=SIZES[size], color_scheme=scheme) as tab:
        tab.page.goto(f"{tab.address}/billing/")
        tab.check()
        tab.sign_in()
        tab.page.wait_for_url("**/billing/")
        tab.check()
        tab.page.get_by_role("link", name="Production").click()
        tab.page.wait_for_url(f"**/billing/{production}/settings/")
        tab.check()

        tab.page.locator(".switcher summary").click()
        tab.check()
        tab.page.keyboard.press("Escape")
        assert not tab.page.get_by_role("link", name="Staging").is_visible()
        tab.page.locator(".switcher summary").click()
        tab.page.get_by_role("link", name="Staging").click()
        tab.page.wait_for_url(f"**/billing/{staging}/settings/")

        tab.page.get_by_label("Time zone").select_option("Asia/Tokyo")
        tab.page.get_by_role("button", name="Save").click()
        tab.page.get_by_text("Saved. The time zone is Asia/Tokyo.").wait_for()
        tab.check()

        tab.page.locator(".account summary").click()
        tab.check()
        tab.page.get_by_role("button", name="Sign out").click()
        tab.page.get_by_text("You are signed out.").wait_for()
        tab.check()


def test_everything_works_without_javascript_and_by_keyboard(open_tab: Opener, workspaces: list[Workspace]) -> None:
    with open_tab(viewport=SIZES["phone"], java_script_enabled=False) as tab:
        tab.page.goto(f"{tab.address}/billing/{workspaces[0].slug}/settings/")
        tab.sign_in()
        tab.page.wait_for_url("**/settings/")
        tab.page.keyboard.press("Tab")
        assert tab.page.locator(":focus").inner_text() == "Skip to the content"
        tab.page.get_by_label("Time zone").select_option("UTC")
        tab.page.get_by_role("button", name="Save").click()
        tab.page.get_by_text("Saved. The time zone is UTC.").wait_for()
        tab.page.locator(".account summary").press("Enter")
        tab.page.get_by_role("button", name="Sign out").press("Enter")
        tab.page.get_by_text("You are signed out.").wait_for()
