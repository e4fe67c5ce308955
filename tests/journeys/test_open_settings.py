"""A tenant signs in and opens Settings in a real browser: phone and desk, light and dark, and nobody is shut out."""

from __future__ import annotations

import pytest

from apps.tenants.models import Workspace
from tests.factories.tenants import make_organization, make_signing_in_user, make_workspace
from tests.journeys.tabs import ALTERNATING, EMAIL, LOOKS, SIZES, Opener
from tests.journeys.tabs import open_tab as open_tab  # noqa: PLC0414 - a fixture of this module
from tests.sizes import size
from tests.subscriptions.cast import make_plan

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.journey, pytest.mark.browser]


@pytest.fixture
def workspaces() -> list[Workspace]:
    organization = make_organization("Northwind", owner=make_signing_in_user(EMAIL), time_zone="Europe/Berlin")
    make_plan()
    return [make_workspace(organization, name) for name in ("Production", "Staging")]


@pytest.mark.parametrize(("screen", "scheme"), size(small=ALTERNATING, full=LOOKS))
def test_from_the_sign_in_to_settings_and_out_again(
    workspaces: list[Workspace], open_tab: Opener, screen: str, scheme: str
) -> None:
    production, staging = (workspace.slug for workspace in workspaces)
    with open_tab(viewport=SIZES[screen], color_scheme=scheme) as tab:
        tab.page.goto(f"{tab.address}/billing/")
        tab.check()
        tab.sign_in()
        tab.page.wait_for_url("**/billing/")
        tab.check()
        tab.page.get_by_role("link", name="Production").click()
        tab.page.wait_for_url(f"**/billing/{production}/**")
        tab.page.get_by_role("link", name="Settings").click()
        tab.page.wait_for_url(f"**/billing/{production}/settings/")
        tab.check()

        tab.page.locator(".switcher summary").click()
        tab.check()
        tab.page.keyboard.press("Escape")
        assert not tab.page.get_by_role("link", name="Staging").is_visible()
        tab.page.locator(".switcher summary").click()
        tab.page.get_by_role("link", name="Staging").click()
        tab.page.wait_for_url(f"**/billing/{staging}/**")
        tab.page.get_by_role("link", name="Settings").click()
        tab.page.wait_for_url(f"**/billing/{staging}/settings/")

        tab.page.get_by_label("Time zone").fill("Asia/Tokyo")
        tab.page.get_by_role("button", name="Save time zone").click()
        tab.page.get_by_text("Saved. The time zone is Asia/Tokyo.").wait_for()
        tab.check()

        tab.page.locator(".account summary").click()
        tab.check()
        tab.page.get_by_role("button", name="Sign out").click()
        tab.page.get_by_text("You are signed out.").wait_for()
        tab.check()


def test_everything_works_without_javascript_and_by_keyboard(workspaces: list[Workspace], open_tab: Opener) -> None:
    with open_tab(viewport=SIZES["phone"], java_script_enabled=False) as tab:
        tab.page.goto(f"{tab.address}/billing/{workspaces[0].slug}/settings/")
        tab.sign_in()
        tab.page.wait_for_url("**/settings/")
        tab.page.keyboard.press("Tab")
        assert tab.page.locator(":focus").inner_text() == "Skip to the content"
        tab.page.get_by_label("Time zone").fill("UTC")
        tab.page.get_by_role("button", name="Save time zone").click()
        tab.page.get_by_text("Saved. The time zone is UTC.").wait_for()
        tab.page.locator(".account summary").press("Enter")
        tab.page.get_by_role("button", name="Sign out").press("Enter")
        tab.page.get_by_text("You are signed out.").wait_for()
