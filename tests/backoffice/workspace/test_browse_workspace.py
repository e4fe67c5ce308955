"""A person's way at the workspace page in a real browser: find, end with preview and reason, look back."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.core.enums import Role
from apps.subscriptions.contracts import WorkspacePlace
from apps.subscriptions.enums import SubscriptionState
from apps.subscriptions.ids import PlanId
from apps.tenants.models import User, Workspace
from tests.backoffice.conftest import PHONE, StaffBrowser
from tests.backoffice.people import enrol
from tests.backoffice.test_browse_staff_plane import enter
from tests.backoffice.workspace.dialogs import url_of
from tests.factories.tenants import make_membership, make_staff, make_user
from tests.subscriptions.cast import lead_to, make_place, make_plan

pytestmark = [pytest.mark.browser, pytest.mark.journey, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def staff(transactional_db: None) -> User:
    return make_staff(Role.BILLING_OPERATIONS)


@pytest.fixture
def device(staff: User) -> TOTPDevice:
    return enrol(staff)


@pytest.fixture
def place(transactional_db: None) -> WorkspacePlace:
    made = make_place()
    lead_to(made, SubscriptionState.ACTIVE, PlanId(make_plan().pk))
    workspace = Workspace.objects.get(pk=made.workspace_id)
    Workspace.objects.filter(pk=workspace.pk).update(name="Zebra crossing")
    make_membership(workspace.organization, make_user("adam@example.com"))
    return made


def lifecycle(tab: StaffBrowser) -> str:
    return str(tab.page.locator(".ch-lifecycle-label").inner_text())


def end_with_preview(tab: StaffBrowser) -> None:
    """Form, preview, back, preview, apply."""
    page = tab.page
    page.get_by_role("link", name="End", exact=True).click()
    page.locator("#dialog [name=reason]").fill("The contract ended.\nTicket 4711.")
    page.get_by_role("button", name="Preview").click()
    page.locator(".ch-turn").wait_for()
    assert "Read-only" in page.locator(".ch-turn").inner_text()
    page.get_by_role("button", name="Back").click()
    page.get_by_role("button", name="Preview").wait_for()
    assert page.locator("#dialog [name=reason]").input_value() == "The contract ended.\nTicket 4711."
    page.get_by_role("button", name="Preview").click()
    page.locator(".ch-turn").wait_for()
    page.locator("#dialog").get_by_role("button", name="End", exact=True).click()
    page.get_by_text("The subscription has ended.").wait_for()
    page.locator(".ch-lifecycle-label", has_text="Read-only").wait_for()


def test_ends_a_subscription_with_preview_and_reason_and_looks_back(
    place: WorkspacePlace, staff: User, device: TOTPDevice, staff_browser: StaffBrowser
) -> None:
    tab, page = staff_browser, staff_browser.page
    enter(tab, staff, device)
    page.keyboard.press("Control+k")
    page.locator("#search-input-command").press_sequentially("zebra")
    page.locator("#command-results-list a").first.wait_for()
    # The customer first, then the workspace itself.
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Zebra crossing").wait_for()
    assert lifecycle(tab) == "Active"

    end_with_preview(tab)
    assert lifecycle(tab) == "Read-only"
    timeline = page.locator("#section-timeline")
    assert "Subscription ended" in timeline.inner_text()
    assert "Ticket 4711." in timeline.inner_text()
    page.locator(".ch-timeline li").filter(has_text="Subscription activated").locator(".ch-then").click()
    page.get_by_text("You can't change anything here.").wait_for()
    assert lifecycle(tab) == "Active"
    assert page.locator(".ch-verbs").count() == 0
    page.get_by_role("link", name="Back to now").click()
    page.locator(".ch-timeline a.ch-link").filter(has_text="Subscription ended").click()
    page.get_by_role("heading", name="Subscription ended").wait_for()
    assert tab.complaints == []


def test_the_pages_fit_a_phone_and_complain_of_nothing(
    place: WorkspacePlace, staff: User, device: TOTPDevice, staff_browser: StaffBrowser
) -> None:
    tab = staff_browser
    enter(tab, staff, device)
    tab.page.set_viewport_size(PHONE)
    asked = f"{url_of(place.workspace_id, 'why')}?user=adam@example.com"
    for path in (
        url_of(place.workspace_id),
        asked,
        url_of(place.workspace_id, "update_period"),
        reverse("admin:tenants_workspace_changelist"),
        reverse("admin:subscriptions_plan_changelist"),
    ):
        assert tab.open(path) == 200
        assert not tab.is_too_wide(), path
    assert tab.complaints == []


IN_DIALOG = "document.activeElement.closest('#dialog') !== null"
ON_OPENER = "document.activeElement.textContent.trim() === 'End'"


def test_a_dialog_needs_no_mouse_and_loses_nothing_typed(
    place: WorkspacePlace, staff: User, device: TOTPDevice, staff_browser: StaffBrowser
) -> None:
    tab, page = staff_browser, staff_browser.page
    enter(tab, staff, device)
    tab.open(url_of(place.workspace_id))
    page.get_by_role("link", name="End", exact=True).focus()
    page.keyboard.press("Enter")
    page.locator("#dialog[aria-modal=true]").wait_for()
    page.wait_for_function("document.activeElement.name === 'reason'")
    for _ in range(12):  # round and round, never to the page behind
        page.keyboard.press("Tab")
        assert page.evaluate(IN_DIALOG)
    page.locator("#dialog [name=reason]").focus()
    page.keyboard.type("Ticket 4711.")
    page.keyboard.press("Escape")
    page.mouse.click(5, 5)
    page.get_by_text("Your entries are still here.").wait_for()
    assert page.locator("#dialog [name=reason]").input_value() == "Ticket 4711."
    page.get_by_role("button", name="Preview").press("Enter")
    page.wait_for_function("document.activeElement.value === 'edit'")  # of a dangerous one: the way back
    page.keyboard.press("Escape")
    assert page.locator(".ch-apply").is_visible()
    page.locator("#dialog").get_by_role("button", name="Cancel", exact=True).press("Enter")
    page.wait_for_function(ON_OPENER)
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.name === 'reason'")
    page.keyboard.press("Escape")  # nothing typed: it closes
    page.wait_for_function(ON_OPENER)
    assert tab.complaints == []
