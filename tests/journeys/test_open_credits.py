"""A tenant opens the Credits page in a real browser: phone and desk, light and dark, with and without entries."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from apps.tenants.models import Workspace
from tests.credits.history import live_a_month, make_old_place
from tests.factories.tenants import make_membership, make_signing_in_user, make_workspace
from tests.journeys.tabs import ALTERNATING, EMAIL, LOOKS, SIZES, Opener
from tests.journeys.tabs import open_tab as open_tab  # noqa: PLC0414 - a fixture of this module
from tests.sizes import size

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.journey, pytest.mark.browser]


@pytest.fixture
def workspace() -> Workspace:
    place = make_old_place()
    owner = make_signing_in_user(EMAIL)
    make_membership(place.organization, owner)
    live_a_month(place, user_id=owner.pk)
    return make_workspace(place.organization)


@pytest.mark.parametrize(("screen", "scheme"), size(small=ALTERNATING, full=LOOKS))
def test_the_credits_page_for_everybody(workspace: Workspace, open_tab: Opener, screen: str, scheme: str) -> None:
    with open_tab(viewport=SIZES[screen], color_scheme=scheme) as tab:
        tab.page.goto(f"{tab.address}/billing/{workspace.slug}/credits/")
        tab.sign_in()
        tab.page.wait_for_url("**/credits/")
        tab.check()
        assert tab.page.locator(".plot rect").count() > 0
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            tab.page.screenshot(path=Path(folder) / f"credits-{screen}-{scheme}.png", full_page=True)
        tab.page.get_by_text("As a table: Spent each day").click()
        tab.check()
        tab.page.get_by_label("Kind").select_option("grant")
        tab.page.get_by_role("button", name="Apply").click()
        tab.page.wait_for_url("**kind=grant**")
        tab.check()
        with tab.page.expect_download() as download:
            tab.page.get_by_role("link", name="Download as CSV").click()
        assert download.value.suggested_filename.startswith(f"credits-{workspace.slug}")
