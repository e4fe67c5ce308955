"""What stands on a staff page only after a click or further down is fit for everybody too: filters, dialogs, bars."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.core import clock
from apps.payments.enums import ProviderSubscriptionStatus
from apps.payments.models import ProviderSubscription
from apps.tenants.models import User, Workspace
from tests.backoffice.conftest import PHONE, StaffBrowser
from tests.backoffice.test_browse_staff_plane import LOOKS, Look, enter, face
from tests.backoffice.test_browse_staff_plane import device as device  # noqa: PLC0414 - a fixture of this module
from tests.backoffice.test_browse_staff_plane import staff as staff  # noqa: PLC0414 - a fixture of this module
from tests.factories.tenants import make_membership, make_organization, make_user, make_workspace
from tests.sizes import size

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def _workspace(transactional_db: None) -> None:
    """One customer with somebody to view as."""
    organization = make_organization()
    make_workspace(organization)
    make_membership(organization, make_user())


AFTER_CLICKS = pytest.mark.parametrize("looks", size(small=[[(PHONE, "dark")]], full=LOOKS))


@AFTER_CLICKS
@pytest.mark.usefixtures("_workspace")
def test_filters_open_by_the_keyboard_and_are_saved(
    staff: User, device: TOTPDevice, staff_browser: StaffBrowser, looks: list[Look]
) -> None:
    expect = pytest.importorskip("playwright.sync_api").expect
    tab, page = staff_browser, staff_browser.page
    ((viewport, theme),) = looks
    enter(tab, staff, device)
    face(tab, viewport, theme)
    tab.open(f"{reverse('admin:tenants_workspace_changelist')}?demo=no")
    page.get_by_placeholder("Name of this filter").fill("Ours")
    page.get_by_role("button", name="Save filter").click()
    page.get_by_text("The filter is saved").wait_for()
    wrong = tab.faults(f"{theme}, saved")
    opener = page.get_by_role("button", name="Filters", exact=True)
    opener.press("Enter")
    first = page.locator("#changelist-filter").locator("input:not([type=hidden]), select").first
    expect(first).to_be_focused()
    wrong += tab.faults(f"{theme}, filters are open")
    page.keyboard.press("Escape")
    expect(first).to_be_hidden()
    expect(opener).to_be_focused()
    tab.open(reverse("admin:saved_filters"))
    assert wrong + tab.faults(theme) == []
    assert tab.complaints == []


@AFTER_CLICKS
@pytest.mark.usefixtures("_workspace")
def test_dialogs_and_the_bar_that_sticks_are_fit_for_everybody(
    staff: User, device: TOTPDevice, staff_browser: StaffBrowser, looks: list[Look]
) -> None:
    """In the dark the red of a refusal was too dark to read."""
    tab, page = staff_browser, staff_browser.page
    ((viewport, theme),) = looks
    enter(tab, staff, device)
    face(tab, viewport, theme)
    tab.open(reverse("admin:tenants_workspace_changelist"))
    page.locator("#result_list tbody a").first.click()
    page.locator(".ch-jump").wait_for()
    page.mouse.wheel(0, 1500)
    wrong = tab.faults(f"{theme}, further down")
    page.get_by_role("link", name="Grant credits").click()
    reason = page.locator("#dialog [name=reason]")
    reason.wait_for()
    wrong += tab.faults(f"{theme}, a dialog")
    page.get_by_role("button", name="Preview").click()
    page.get_by_text("This field is required").first.wait_for()
    wrong += tab.faults(f"{theme}, a dialog that refuses")
    preview_grant(tab)
    assert wrong + tab.faults(f"{theme}, a preview") == []
    assert tab.complaints == []


def preview_grant(tab: StaffBrowser) -> None:
    """Fill in the dialog that is open, and look at what it will do."""
    tab.page.locator("#dialog [name=reason]").fill("journey")
    tab.page.locator("#dialog [name=amount]").fill("5")
    tab.page.locator("#dialog select").first.select_option(index=1)
    tab.page.get_by_role("button", name="Preview").click()
    tab.page.locator("#dialog [value=apply]").wait_for()


@pytest.mark.usefixtures("_workspace")
def test_a_preview_longer_than_the_screen_begins_at_its_beginning(
    staff: User, device: TOTPDevice, staff_browser: StaffBrowser
) -> None:
    """What is decided is in view with it; the focus on a button used to scroll to the end."""
    expect = pytest.importorskip("playwright.sync_api").expect
    tab, page = staff_browser, staff_browser.page
    enter(tab, staff, device)
    page.set_viewport_size({"width": 390, "height": 480})
    tab.open(reverse("admin:tenants_workspace_changelist"))
    page.locator("#result_list tbody a").first.click()
    page.get_by_role("link", name="Grant credits").click()
    page.locator("#dialog [name=reason]").wait_for()
    preview_grant(tab)
    assert page.locator("#modal-content").evaluate("each => each.scrollHeight > each.clientHeight + 100")
    for part in ("#dialog-title", "#dialog [value=apply]", "#dialog [value=edit]"):
        expect(page.locator(part)).to_be_in_viewport(ratio=1)
    expect(page.locator("#dialog [value=apply]")).to_be_focused()
    assert tab.complaints == []


@pytest.fixture
def _ending(_workspace: None) -> None:
    """Two subscriptions of the workspace that end by date, with ids as long as Stripe's."""
    workspace, now = Workspace.objects.get(), clock.now()
    for number in range(2):
        ProviderSubscription.objects.create(
            provider="stripe",
            external_id=f"sub_1OabcDEFghiJKLmnoPQRstu{number}",
            organization=workspace.organization,
            workspace_id=workspace.pk,
            plan_key="business",
            status=ProviderSubscriptionStatus.ACTIVE,
            news_at=now,
            started_at=now - timedelta(days=40),
            period_end=now + timedelta(days=20),
            cancel_at_period_end=True,
        )


@pytest.mark.usefixtures("_ending")
def test_the_cards_of_a_workspace_keep_their_tables_within_their_edges(
    staff: User, device: TOTPDevice, staff_browser: StaffBrowser
) -> None:
    """Two cards stand beside each other; the last column of the ends was cut off."""
    tab, page = staff_browser, staff_browser.page
    enter(tab, staff, device)
    page.set_viewport_size({"width": 1280, "height": 900})
    tab.open(reverse("admin:tenants_workspace_changelist"))
    page.locator("#result_list tbody a").first.click()
    page.get_by_text("cancelled").first.wait_for()
    cut = page.locator(".ch-scroll").evaluate_all(
        "all => all.filter(each => each.scrollWidth > each.clientWidth).map(each => each.innerText)"
    )
    assert cut == []
    assert tab.complaints == []


@AFTER_CLICKS
@pytest.mark.usefixtures("_workspace")
def test_the_bar_over_a_member_s_pages_is_fit_for_everybody(
    staff: User, device: TOTPDevice, staff_browser: StaffBrowser, looks: list[Look]
) -> None:
    tab, page = staff_browser, staff_browser.page
    ((viewport, theme),) = looks
    enter(tab, staff, device)
    face(tab, viewport, theme)
    tab.open(reverse("admin:tenants_membership_changelist"))
    page.locator("#result_list tbody a").first.click()
    page.get_by_role("link", name="View as member").click()
    page.locator("#dialog [name=reason]").fill("journey")
    wrong = tab.faults(f"{theme}, a dialog")
    page.get_by_role("button", name="Open the pages").click()
    page.wait_for_url("**/billing/**")
    bar = page.get_by_role("form", name="You are viewing as somebody else")
    page.mouse.wheel(0, 1500)
    assert bar.bounding_box()["y"] == 0
    wrong += tab.faults(f"{theme}, the bar")
    bar.get_by_role("button", name="End").click()
    page.wait_for_url("**/admin/**")
    assert wrong == []
    assert tab.complaints == []
